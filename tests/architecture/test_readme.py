"""What README.md says is true: its examples are read, its tables compared with the source."""

import re
from pathlib import Path

import pytest

from forkhttpd.cli import main
from forkhttpd.config.load import load
from forkhttpd.errors import ExitCode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_configuration_examples_make_one_valid_file(tmp_path: Path) -> None:
    examples = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(examples) > 3
    file = tmp_path / "site.conf"
    file.write_text("\n".join(examples))
    paths = [mount.path for _, mount in load(file).mounts()]
    assert paths == re.findall(r'^path +=.*?"(.+?)"', "\n".join(examples), re.MULTILINE)


def test_first_configuration_example_is_a_whole_file(tmp_path: Path) -> None:
    example = re.search(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert example
    file = tmp_path / "site.conf"
    file.write_text(example[1])
    assert load(file).user == "www-data"


def test_the_example_for_tls_is_a_whole_file(tmp_path: Path) -> None:
    section = README.partition("## TLS\n")[2]
    block = re.search(r"(?:^(?:    .*)?\n)+", section[section.index("    user") :], re.MULTILINE)
    assert block
    file = tmp_path / "site.conf"
    file.write_text(re.sub(r"(?m)^    ", "", block[0]))
    assert [listen.tls for listen in load(file).listen] == [True, False]


def test_every_exit_code_is_explained() -> None:
    section = README.partition("## Exit codes")[2].partition("\n## ")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert codes == set(ExitCode)


@pytest.mark.parametrize("option", sorted({*re.findall(r"forkhttpd -c FILE (-\S+)", README)}))
def test_every_option_exists(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitCode.STOPPED
    assert option.strip("`") in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_to_a_file_has_one(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)(.+?)\)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
