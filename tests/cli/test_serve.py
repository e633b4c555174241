"""`scripts/serve`: what it makes of its arguments, in a copy where forkhttpd only says its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "serve"
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
    ],
)
def test_a_directory_is_served_at_once(copy: Path, arguments: list[str], passed: list[str]) -> None:
    """Also one that is not there, so that the answer is about a directory."""
    assert said(copy, arguments) == passed


@pytest.mark.parametrize("arguments", [[], ["--version"], ["-t"], ["--pid=a/b"]])
def test_everything_else_is_for_the_demo_site(copy: Path, arguments: list[str]) -> None:
    root = copy.parents[1]
    assert said(copy, arguments) == ["-c", f"{root}/etc/forkhttpd.conf", *OWN, *arguments]


def said(script: Path, arguments: list[str]) -> list[str]:
    command = [str(script), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=script.parents[1]
    )
    return done.stdout.splitlines()
