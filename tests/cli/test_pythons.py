"""scripts/pythons: the interpreters that the suite can be run on."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/pythons"
OURS = f"python{sys.version_info.major}.{sys.version_info.minor}"


def pythons(home: Path, **env: str) -> list[str]:
    """Return what it finds where nothing is but what `home` and `env` have, and a few commands."""
    commands = home / "commands"
    commands.mkdir()
    for name in ("find", "sort"):
        (commands / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={"PATH": str(commands), "HOME": str(home), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def keep(directory: Path, name: str = OURS) -> Path:
    """Put our own interpreter there, as a version manager would."""
    directory.mkdir(parents=True)
    kept = directory / name
    kept.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    kept.chmod(0o755)
    return kept


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert pythons(tmp_path) == []


def test_what_a_version_manager_keeps_is_found_once_and_the_newest_of_it(tmp_path: Path) -> None:
    version = OURS.removeprefix("python")
    keep(tmp_path / f"root/versions/{version}.2/bin")
    newest = keep(tmp_path / f"root/versions/{version}.10/bin")
    keep(tmp_path / f".asdf/installs/python/{version}.3/bin")
    assert pythons(tmp_path, PYENV_ROOT=str(tmp_path / "root")) == [str(newest)]


def test_what_does_not_start_or_is_another_version_is_passed_over(tmp_path: Path) -> None:
    version = OURS.removeprefix("python")
    broken = keep(tmp_path / f"root/versions/{version}.9/bin")
    broken.write_text("#!/bin/sh\nexit 127\n")
    keep(tmp_path / "root/versions/3.19.0/bin", "python3.19")
    found = keep(tmp_path / f".local/share/uv/python/cpython-{version}.1-linux/bin")
    assert pythons(tmp_path, PYENV_ROOT=str(tmp_path / "root")) == [str(found)]


def test_each_is_another_version_and_works() -> None:
    found = subprocess.run(
        ["/bin/sh", str(SCRIPT)], env=os.environ, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    tell = "import sys; print(sys.version_info[:2])"
    versions = [subprocess.check_output([python, "-c", tell]) for python in found]
    assert len(set(versions)) == len(versions)
