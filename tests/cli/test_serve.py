"""`scripts/serve`: what it makes of its arguments, in a copy where forkhttpd only says its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "serve"
SHELL_SCRIPTS = sorted(
    path.name
    for path in SCRIPT.parent.iterdir()
    if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh")
)
OWN = ["--allow-root"] if os.geteuid() == 0 else []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return the script in a tree of its own; `site` and `8000` are directories beside it."""
    for name, content in (
        ("scripts/environment", "#!/bin/sh\n"),
        (".venv/bin/forkhttpd", '#!/bin/sh\nprintf "%s\\n" "$@"\n'),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text(content)
        file.chmod(0o755)
    for name in ("site", "8000"):
        (tmp_path / name).mkdir()
    return Path(shutil.copy(SCRIPT, tmp_path / "scripts"))


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        (["site"], ["--cgi", "--directory", "site"]),
        (["8000", "8001"], ["--cgi", "--directory", "8000", "8001"]),
        (
            ["no/such/one", "--bind", "::1"],
            ["--cgi", "--directory", "no/such/one", "--bind", "::1"],
        ),
        (["/"], ["--cgi", "--directory", "/"]),
        (["none"], ["--cgi", "--directory", "none"]),
    ],
)
def test_a_directory_is_served_at_once(copy: Path, arguments: list[str], passed: list[str]) -> None:
    """Also one that is not there, so that the answer is about a directory."""
    assert said(copy, arguments) == passed


@pytest.mark.parametrize("arguments", [[], ["--version"], ["-t"], ["--pid=a/b"]])
def test_everything_else_is_for_the_demo_site(copy: Path, arguments: list[str]) -> None:
    root = copy.parents[1]
    assert said(copy, arguments) == ["-c", f"{root}/etc/forkhttpd.conf", *OWN, *arguments]


def test_a_port_alone_is_asked_for_its_directory(copy: Path) -> None:
    done = subprocess.run(
        [str(copy), "9999"], capture_output=True, text=True, check=False, cwd=copy.parents[1]
    )
    assert done.returncode == 64
    assert "write it before the port, as in: scripts/serve . 9999" in done.stderr


@pytest.mark.parametrize("name", SHELL_SCRIPTS)
def test_every_script_says_what_it_is_for_and_does_nothing_else(name: str) -> None:
    """From its head, so at once, and with no environment yet."""
    done = subprocess.run(
        [str(SCRIPT.with_name(name)), "--help"], capture_output=True, text=True, check=True
    )
    head = SCRIPT.with_name(name).read_text().split("\n")[1].removeprefix("# ")
    assert done.stdout.splitlines()[0] == head
    assert "set -eu" not in done.stdout
    assert done.stderr == ""


def said(script: Path, arguments: list[str]) -> list[str]:
    command = [str(script), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=script.parents[1]
    )
    return done.stdout.splitlines()
