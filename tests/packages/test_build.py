"""What is built from the source: the same bytes each time, and all that belongs in it."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LEFT_OUT = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist")
DEADLINE = 280.0  # seconds


def build(source: Path, output: Path) -> dict[str, Path]:
    """Build wheel and sdist from a copy of the source; return them by their suffix."""
    shutil.copytree(CHECKOUT, source, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", output],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    return {path.suffix: path for path in output.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("first")
    return build(directory / "source", directory / "built")


def test_twice_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    """From another directory, at another time, by another umask."""
    before = os.umask(0o077)
    try:
        again = build(tmp_path / "elsewhere", tmp_path / "built")
    finally:
        os.umask(before)
    assert set(again) == {".whl", ".gz"}
    for suffix, path in again.items():
        assert path.name == built[suffix].name
        assert path.read_bytes() == built[suffix].read_bytes()


def test_the_wheel_is_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    names = zipfile.ZipFile(built[".whl"]).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert "forkhttpd" in tops
    assert len(tops) == 2  # the other is the dist-info
    modules = {str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("forkhttpd/**/*.py")}
    assert modules <= set(names)


def test_the_wheel_says_that_it_is_typed_and_under_which_licence(built: dict[str, Path]) -> None:
    """PEP 561: without the marker who imports `forkhttpd.testing` has no types.  PEP 639."""
    wheel = zipfile.ZipFile(built[".whl"])
    assert "forkhttpd/py.typed" in wheel.namelist()
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = wheel.read(metadata).decode().splitlines()
    assert {"License-Expression: MIT", "License-File: LICENSE"} <= set(lines)


def test_the_source_has_all_that_an_installation_needs(built: dict[str, Path]) -> None:
    with tarfile.open(built[".gz"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    directories = ("etc/man", "etc/completions", "systemd", "scripts")
    needed = {
        str(path.relative_to(CHECKOUT))
        for directory in directories
        for path in (CHECKOUT / directory).iterdir()
        if path.is_file()
    }
    assert needed | {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= names
