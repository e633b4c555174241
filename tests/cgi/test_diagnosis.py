"""The words that an operator gets for each of the usual mistakes (C16)."""

import errno
import subprocess
from pathlib import Path

import pytest

from forkhttpd.handlers.cgi.diagnosis import (
    ending,
    missing_interpreter,
    no_header,
    no_interpreter,
    not_executable,
    not_started,
    too_slow,
)
from forkhttpd.worker.launcher import Exit

FILE = "/srv/cgi/x.py"


def test_a_script_without_its_mode() -> None:
    error = not_executable(FILE)
    assert error.status == 403
    assert f"chmod +x {FILE}" in error.reason


@pytest.mark.parametrize(
    ("number", "first_line", "status", "words"),
    [
        (errno.ENOENT, b"#!/usr/bin/pyton3\nprint()\n", 502, "/usr/bin/pyton3, which does not"),
        (errno.ENOENT, b"#! /usr/bin/pyton3 -E\n", 502, "needs /usr/bin/pyton3,"),
        (errno.ENOENT, b"#!/usr/bin/python3\r\nprint()\r\n", 502, "Windows line ends"),
        (errno.ENOENT, b"#!/usr/bin/python3\r", 502, "Windows line ends"),
        (errno.ENOENT, b"\x7fELF\2\1\1\0", 502, "dynamic loader"),
        (errno.ENOENT, b"", 502, "does not exist"),
        (errno.ENOENT, b"#!/opt/x\t-y\n", 502, "needs /opt/x, which"),
        (errno.ENOENT, b"#!/\xff\n", 502, "does not exist"),
        (errno.ENOEXEC, b"print('hello')\n", 502, "names no interpreter"),
        (errno.ENOEXEC, b"\xef\xbb\xbf#!/bin/sh\n", 502, "has a byte order mark"),
        (errno.EACCES, b"#!/bin/sh\n", 403, "may not be run by the pool's user"),
        (errno.EPERM, b"#!/bin/sh\n", 403, "may not be run by the pool's user"),
        (errno.E2BIG, b"#!/bin/sh\n", 431, "too long for a program"),
        (errno.ENOMEM, b"#!/bin/sh\n", 502, "Cannot allocate memory"),
        (errno.ETXTBSY, b"", 502, "Text file busy"),
    ],
)
def test_why_a_program_did_not_start(
    number: int, first_line: bytes, status: int, words: str
) -> None:
    error = not_started(OSError(number, "x"), FILE, first_line)
    assert error.status == status
    assert words in error.reason
    assert FILE in error.reason
    assert "\n" not in error.reason


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_C16_a_command_can_be_copied_from_the_log_and_puts_it_right(
    tmp_path: Path, end: bytes
) -> None:
    """The log escapes a backslash, so there is none."""
    good = b"#!/bin/sh\necho\n"
    script = tmp_path / "script"
    script.write_bytes((b"" if b"\r" in end else b"\xef\xbb\xbf") + good.replace(b"\n", end))
    said = missing_interpreter if b"\r" in end else no_interpreter
    _, _, command = said(str(script), script.read_bytes()).partition("run: ")
    assert "\\" not in command
    subprocess.run(command, shell=True, check=True)
    assert script.read_bytes() == good


def test_who_was_too_slow_is_told_which_limit_it_was() -> None:
    error = too_slow(FILE, 7, silent=2.5, ran=900.0)
    assert error.status == 504
    assert "said nothing for 2.5 s, see the mount's first_byte and silence" in error.reason
    assert "ran for 900 s, see the mount's total" in too_slow(FILE, 7, silent=None, ran=900).reason


@pytest.mark.parametrize(
    ("status", "seen", "words"),
    [
        (0, b"", "exited with 0 without any output"),
        (1, b"", "exited with 1 without any output"),
        (127, b"", "its interpreter found no program"),
        (-11, b"", "was killed by signal 11"),
        (-11, b"", "without any output"),
        (None, b"", "closed its output without any output"),
        (0, b"Content-Type: text/plain\nhello", "an empty line must end it"),
        (0, b"Content-Type: text/plain\nhello", "it began 'Content-Type: text/plain\nhello'"),
        (3, b"x" * 1000, "x" * 80),
    ],
)
def test_why_there_was_no_header(status: int | None, seen: bytes, words: str) -> None:
    line = no_header(FILE, None if status is None else Exit(status), seen, b"#!/bin/sh\n")
    assert words in line
    assert line.startswith(FILE)
    assert "x" * 81 not in line


def test_C16_what_env_did_not_find_because_of_windows_line_ends() -> None:
    line = no_header(FILE, Exit(127), b"", b"#!/usr/bin/env python3\r\nprint()\r\n")
    assert line.startswith(f"{FILE} has Windows line ends")
    assert "Windows" not in no_header(FILE, Exit(127), b"", b"#!/usr/bin/env python4\n\r\n")
    assert "Windows" not in no_header(FILE, Exit(1), b"", b"#!/usr/bin/env python3\r\n")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exit(0), "exited with 0"),
        (Exit(2), "exited with 2"),
        (Exit(-9), "was killed by signal 9"),
        (Exit(-9, starved=True), "was killed by signal 9 (it needed more memory than it may have"),
        (Exit(1, starved=True), "exited with 1 (it needed more memory than it may have"),
    ],
)
def test_the_end_in_words(end: Exit, words: str) -> None:
    assert ending(end).startswith(words)
