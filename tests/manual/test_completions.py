"""The completions that we ship, asked as the shells ask them."""

import subprocess
from pathlib import Path

import pytest

from tests.programs.peers import need

DIRECTORY = Path(__file__).parents[2] / "etc/completions"
DEADLINE = 60.0  # seconds

# What the shell does when somebody types these words and then presses the key.
BASH = """\
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_forkhttpd
printf "%s\\n" "${COMPREPLY[@]}"
"""


def run(*command: str | Path, directory: Path | None = None) -> list[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, check=True, cwd=directory
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "site.conf").touch()
    (tmp_path / "www").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["st"], ["status"]),
        (["--c"], ["--cgi"]),
        (["-c", ""], ["site.conf", "www"]),
        (["--directory", "w"], ["www"]),
        (["-c", "site.conf", "-s", "re"], ["reload", "reopen"]),
        (["-c", "site.conf", "--al"], ["--allow-root"]),
        (["status", "--"], ["--json", "--watch", "--help"]),
        (["status", "-c", "s"], ["site.conf"]),
        (["explain", "-"], ["-h", "--help", "-c"]),
    ],
)
def test_bash_offers_what_fits(directory: Path, typed: list[str], offered: list[str]) -> None:
    bash = need("bash", package="bash")
    file = DIRECTORY / "forkhttpd.bash"
    found = run(bash, "-uc", BASH, "bash", file, "forkhttpd", *typed, directory=directory)
    assert sorted(found) == sorted(offered)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("st", "status"),
        ("--cg", "--cgi"),
        ("-c site.conf -s relo", "reload"),
        ("--directory w", "www/"),
        ("status --js", "--json"),
    ],
)
def test_fish_offers_what_fits(directory: Path, typed: str, offered: str) -> None:
    fish = need("fish", package="fish")
    asked = "source $argv[1]; complete -C $argv[2]"
    file = DIRECTORY / "forkhttpd.fish"
    found = run(fish, "--no-config", "-c", asked, file, f"forkhttpd {typed}", directory=directory)
    assert found[0] == offered


def test_zsh_can_read_its_file() -> None:
    zsh = need("zsh", package="zsh")
    assert run(zsh, "-n", DIRECTORY / "_forkhttpd") == []
