"""What a first line asks for, and whether two paths are one interpreter."""

import shutil
from pathlib import Path

import pytest

from forkhttpd.spawner.shebang import Interpreter, interpreter_of, is_same


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"#!/usr/bin/python3\n", ("/usr/bin/python3", "/usr/bin/python3")),
        (b"#!  /usr/bin/python3  \n", ("/usr/bin/python3", "/usr/bin/python3")),
        (b"#!/usr/bin/env sh\n", ("sh", "/bin/sh")),
        (b"#!/usr/bin/env -S sh\n", None),
        (b"#!/usr/bin/env A=1 sh\n", None),
        (b"#!/usr/bin/env sh -x\n", None),
        (b"#!/usr/bin/env nothing-of-that-name\n", None),
        (b"#!/usr/bin/python3 -u\n", None),
        (b"#!/usr/bin/python3\r\n", None),
        (b"#!/usr/bin/env sh\r\n", None),
        (b"#!/usr/bin/python3", None),
        (b"#!python3\n", None),
        (b"#!\n", None),
        (b"# python\n", None),
        (b"\x7fELF", None),
        (b"#!/" + b"x" * 300 + b"\n", None),
        (b"", None),
    ],
)
def test_what_a_first_line_asks_for(line: bytes, expected: tuple[str, str] | None) -> None:
    found = interpreter_of(line, "/nowhere:/bin:/usr/bin")
    assert found == (Interpreter(*expected) if expected else None)


def test_one_interpreter_by_two_paths(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/true", tmp_path / "bin" / "python3.99")
    (tmp_path / "bin" / "python3").symlink_to("python3.99")
    (tmp_path / "usr").symlink_to(tmp_path)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "python3").symlink_to(tmp_path / "bin" / "python3")
    one = str(tmp_path / "bin" / "python3")
    assert is_same(one, one + ".99")
    assert is_same(one, str(tmp_path / "usr" / "bin" / "python3"))
    assert not is_same(one, str(tmp_path / "venv" / "python3"))
    assert not is_same(one, str(tmp_path / "bin" / "other"))
