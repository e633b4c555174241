"""The spawner as one text, and what happens where it cannot run."""

import ast
import marshal
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

import pytest

from forkhttpd import bundle
from forkhttpd.errors import ExitCode
from forkhttpd.spawner import boot, settings
from tests.spawner.driver import Driver
from tests.spawner.interpreters import find

PARCEL = {
    "parcel": "",
    "parcel.first": "from parcel import second\ndef main(values): values['got'] = second.NUMBER",
    "parcel.second": "NUMBER = 7",
}


def test_every_file_of_the_spawner_is_in_the_bundle() -> None:
    text = bundle.source({}).decode()
    for file in Path(bundle.__file__).with_name("spawner").glob("*.py"):
        if file.name != "__init__.py":
            assert f"'forkhttpd.spawner.{file.stem}': " in text
    ast.parse(text, feature_version=(3, 9))


def test_the_bundle_tells_all_settings() -> None:
    """What bundle.py writes and settings.py reads, on both sides of a border without types."""
    written = ast.parse(Path(bundle.__file__).read_text())
    keys = {node.value for node in ast.walk(written) if isinstance(node, ast.Constant)}
    assert set(settings.Settings._fields) <= keys


def test_boot_leaves_nothing_of_ours_to_import() -> None:
    values: dict[str, object] = {}
    before, finders, argv = set(sys.modules), list(sys.meta_path), list(sys.argv)
    try:
        boot.run(PARCEL, "parcel.first", values)
    finally:
        sys.argv[:] = argv
    assert values == {"got": 7}
    assert set(sys.modules) == before
    assert sys.meta_path == finders


def test_a_module_is_its_code_if_that_was_compiled_by_our_kind() -> None:
    """The first is not even compiled from the source that is given beside its code."""
    first = compile("def main(values): values['got'] = 8", "<first>", "exec")
    code = {"parcel.first": marshal.dumps(first)}
    for magic, number in ((MAGIC_NUMBER, 8), (b"old\n", 7)):
        values: dict[str, object] = {}
        argv = list(sys.argv)
        try:
            boot.run(PARCEL, "parcel.first", values, code=magic + marshal.dumps(code))
        finally:
            sys.argv[:] = argv
        assert values == {"got": number}


def test_all_modules_are_there_as_code_too_which_says_of_no_place_of_ours() -> None:
    code = boot.load(bundle.compiled())
    files = Path(bundle.__file__).with_name("spawner").glob("[!_]*.py")
    ours = {f"forkhttpd.spawner.{file.stem}" for file in files}
    assert code.keys() == {"forkhttpd.channel", "forkhttpd.scoreboard", *ours}
    for name, one in code.items():
        files_of = {part.co_filename for part in parts_of(marshal.loads(one))}
        assert files_of == {f"<{name}>"}


def parts_of(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from parts_of(one)


def test_missing_interpreter_is_one_clear_line_and_exit_78() -> None:
    with pytest.raises(AssertionError, match="exit 78"), Driver("no-such-python"):
        pass
    driver = Driver("no-such-python", search_path="/nowhere:/bin")
    with driver_that_fails(driver):
        assert driver.exit_code() == ExitCode.CONFIG
        (line,) = driver.log().splitlines()
        assert line == (
            '[pool.default] python: cannot run "no-such-python" (search_path "/nowhere:/bin"): '
            "No such file or directory"
        )


@pytest.mark.parametrize("version", ["3.8", "3.7", "3.6"])
def test_interpreter_older_than_3_9_is_one_clear_line_and_exit_78(version: str) -> None:
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    driver = Driver(python)
    with driver_that_fails(driver):
        assert driver.exit_code() == ExitCode.CONFIG
        (line,) = driver.log().splitlines()
        assert line.startswith("[pool.default] python: ")
        assert f"is Python {version}." in line
        assert line.endswith("CPython 3.9 or newer is needed")


def test_unknown_user_is_one_clear_line_and_exit_78() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    driver = Driver(sys.executable, user="no-such-user")
    with driver_that_fails(driver):
        assert driver.exit_code() == ExitCode.CONFIG
        (line,) = driver.log().splitlines()
        assert "no-such-user" in line


def test_a_bug_is_one_line_and_exit_70() -> None:
    """The bell is a descriptor that cannot be written: not a thing that the spawner expects."""
    with open(os.devnull, "rb") as bell:
        driver = Driver(sys.executable, bell=os.dup(bell.fileno()))
    with driver_that_fails(driver):
        assert driver.exit_code() == ExitCode.SOFTWARE
        (line,) = driver.log().splitlines()
        assert " error spawner default[" in line
        assert "OSError: [Errno 9] Bad file descriptor" in line


def test_the_bundle_runs_without_our_package_or_site_packages(tmp_path: Path) -> None:
    """Only the standard library: with -I -S, elsewhere, the text must at least find its imports."""
    text = tmp_path / "spawner.py"
    text.write_bytes(bundle.source({"name": "only"}))
    python = [sys.executable, "-I", "-S", "-B", str(text)]
    ran = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search("missing [0-9]+ required positional arguments", ran.stderr), ran.stderr


class driver_that_fails:  # noqa: N801
    """Waits for nothing at the start, and cleans up at the end."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self.driver.__exit__()
