"""The error log: one safe line a record (O1), whatever happens to what it writes to."""

import json
import logging
import math
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.log import catch_up, escape, open_log, reopen, replace, set_up
from forkhttpd.outlet import RETRY_PAUSE

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave no handler behind."""
    yield
    logging.getLogger("forkhttpd").handlers.clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "error.log"


@pytest.fixture
def fd(file: Path) -> Iterator[int]:
    fd = open_log(file)
    yield fd
    os.close(fd)


def test_a_line_has_time_level_process_and_message(fd: int, file: Path) -> None:
    set_up(fd, level="info", name="worker 3").warning("%s of %d", "one", 2)
    line = rf"{STAMP} warning worker 3\[{os.getpid()}\]: one of 2\n"
    assert re.fullmatch(line, file.read_text())


def test_every_part_speaks_through_the_same_logger(fd: int, file: Path) -> None:
    logger = set_up(fd, level="info", name="master")
    assert logger is logging.getLogger("forkhttpd")
    logging.getLogger("forkhttpd.worker.router").info("heard")
    assert file.read_text().endswith(": heard\n")


@pytest.mark.parametrize(
    ("level", "heard"),
    [("debug", "dwie"), ("info", "wie"), ("warning", "we"), ("error", "e")],
)
def test_the_level_is_the_least_that_is_shown(fd: int, file: Path, level: str, heard: str) -> None:
    logger = set_up(fd, level=level, name="master")
    logger.debug("d")
    logger.warning("w")
    logger.info("i")
    logger.error("e")
    assert "".join(line[-1] for line in file.read_text().splitlines()) == heard


def test_the_last_set_up_counts(fd: int, file: Path) -> None:
    set_up(fd, level="info", name="master").info("before")
    set_up(fd, level="info", name="worker 1").info("after")
    assert re.findall(r"(master|worker 1)\[", file.read_text()) == ["master", "worker 1"]


@given(st.text())
def test_O1_a_line_is_printable_ascii_and_only_one(text: str) -> None:
    read, write = os.pipe()
    try:
        set_up(write, level="info", name="worker 1").info("%s", text[:1000])
        line = os.read(read, 1 << 16)
    finally:
        os.close(read)
        os.close(write)
    assert re.fullmatch(rb"[ -~]*\n", line)


@given(st.binary())
def test_O1_an_escape_can_be_undone(data: bytes) -> None:
    escaped = escape(data)
    assert re.fullmatch(r"(?:[ -\[\]-~]|\\x[0-9a-f]{2})*", escaped)
    undone = re.sub(rb"\\x(..)", lambda match: bytes([int(match[1], 16)]), escaped.encode("ascii"))
    assert undone == data
    assert escape(data.decode("utf-8", "surrogateescape")) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("GET /a b HTTP/1.1", "GET /a b HTTP/1.1"),
        ("a\nb\r\0\x1b[31m\x7f", r"a\x0ab\x0d\x00\x1b[31m\x7f"),
        ("\\x0a", r"\x5cx0a"),
        ("é", r"\xc3\xa9"),
        ("\udce9", r"\xe9"),
        ("\ud800", r"\xed\xa0\x80"),
    ],
)
def test_O1_what_escapes_look_like(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_an_exception_is_one_line_with_its_way(fd: int, file: Path) -> None:
    logger = set_up(fd, level="info", name="worker 1")
    try:
        json.loads("{")
    except ValueError:
        logger.exception("no answer")
    (line,) = file.read_text().splitlines()
    assert re.search(
        r": no answer: json\.decoder\.JSONDecodeError: Expecting .* \(test_an_exception_is_one_line"
        r"_with_its_way test_log\.py:\d+ > loads __init__\.py:\d+ > decode decoder\.py:\d+ > ",
        line,
    )


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("arguments", [("a", "b"), (), (Unspeakable(),)])
def test_a_wrong_call_loses_its_arguments_and_not_the_line(
    fd: int, file: Path, arguments: tuple[object, ...]
) -> None:
    set_up(fd, level="info", name="worker 1").info("%s says", *arguments)
    assert file.read_text().endswith(": %s says\n")


def test_M21_a_full_disk_loses_lines_and_raises_nothing() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        set_up(fd, level="info", name="worker 1").info("lost")
    finally:
        os.close(fd)


def test_M21_a_closed_pipe_loses_lines_and_raises_nothing() -> None:
    read, write = os.pipe()
    logger = set_up(write, level="info", name="worker 1")
    os.close(read)
    logger.info("nobody listens")
    os.close(write)
    logger.info("no descriptor")


def test_M21_a_full_pipe_loses_lines_and_says_how_many() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    try:
        logger = set_up(write, level="info", name="worker 1")
        for number in range(5000):
            logger.info("%d %s", number, "x" * 100)
        assert catch_up(100.0) == 100.0 + RETRY_PAUSE
        text = b""
        while catch_up(100.0) < math.inf:
            text += os.read(read, 1 << 16)
        text += os.read(read, 1 << 16)
    finally:
        os.close(read)
        os.close(write)
    *lines, last = text.decode().splitlines()
    assert all(line.endswith("x" * 100) for line in lines)
    lost = int(re.findall(r" warning .*: (\d+) lines lost", last)[0])
    assert len(lines) + lost == 5000


def test_no_log_at_all_is_minus_one() -> None:
    set_up(-1, level="debug", name="worker 1").error("lost")


def test_in_the_journal_a_line_has_a_priority_and_no_time(
    fd: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = os.fstat(fd)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    logger = set_up(fd, level="debug", name="master")
    for level in ("debug", "info", "warning", "error", "critical"):
        logger.log(logging.getLevelName(level.upper()), level)
    pid = os.getpid()
    assert file.read_text().splitlines() == [
        f"<7>master[{pid}]: debug",
        f"<6>master[{pid}]: info",
        f"<4>master[{pid}]: warning",
        f"<3>master[{pid}]: error",
        f"<2>master[{pid}]: critical",
    ]


def test_a_journal_that_is_not_ours_changes_nothing(
    fd: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "0:0")
    set_up(fd, level="info", name="master").info("x")
    assert re.match(STAMP, file.read_text())


@pytest.mark.parametrize(("no_color", "level"), [("", "\x1b[33mwarning\x1b[0m"), ("1", "warning")])
def test_on_a_terminal_the_level_is_coloured_unless_NO_COLOR(
    monkeypatch: pytest.MonkeyPatch, no_color: str, level: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    leader, terminal = pty.openpty()
    try:
        set_up(terminal, level="info", name="master").warning("x")
        assert f" {level} master[" in os.read(leader, 1000).decode()
    finally:
        os.close(leader)
        os.close(terminal)


def test_lines_of_several_processes_do_not_mix(file: Path) -> None:
    script = (
        "import sys, pathlib; from forkhttpd.log import *\n"
        "logger = set_up(open_log(pathlib.Path(sys.argv[1])), level='info', name=sys.argv[2])\n"
        "for _ in range(300): logger.info('%s', sys.argv[2] * 2000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, file, name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    lines = file.read_text().splitlines()
    assert len(lines) == 600
    assert all(re.search(r": (a{2000}|b{2000})$", line) for line in lines)


def test_a_new_log_is_for_its_owner_and_group_and_not_inherited(fd: int, file: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 & ~mask
    assert not os.get_inheritable(fd)


def test_a_log_is_appended_to(file: Path) -> None:
    file.write_text("before\n")
    fd = open_log(file)
    os.write(fd, b"after\n")
    os.close(fd)
    assert file.read_text() == "before\nafter\n"


@pytest.mark.parametrize(
    ("name", "why", "code"),
    [
        ("none/error.log", "No such file or directory", ExitCode.CONFIG),
        ("", "Is a directory", ExitCode.CONFIG),
        ("file/error.log", "Not a directory", ExitCode.CONFIG),
        ("x" * 300, "File name too long", ExitCode.OSERR),
    ],
)
def test_a_log_that_cannot_be_opened_says_why(
    tmp_path: Path, name: str, why: str, code: ExitCode
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(StartupError) as caught:
        open_log(path)
    assert str(caught.value) == f"cannot open the log {path}: {why}"
    assert caught.value.exit_code is code


def test_M15_reopening_keeps_the_number_and_goes_to_the_new_file(fd: int, file: Path) -> None:
    logger = set_up(fd, level="info", name="master")
    logger.info("one")
    old = file.rename(file.with_suffix(".1"))
    logger.info("two")
    reopen(file, fd)
    logger.info("three")
    assert [line[-3:] for line in old.read_text().splitlines()] == ["one", "two"]
    assert [line[-5:] for line in file.read_text().splitlines()] == ["three"]
    assert not os.get_inheritable(fd)


def test_M15_reopening_what_cannot_be_opened_changes_nothing(fd: int, file: Path) -> None:
    open_before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(StartupError):
        reopen(file.parent, fd)
    os.write(fd, b"still here\n")
    assert file.read_text() == "still here\n"
    assert sorted(os.listdir("/proc/self/fd")) == open_before


def test_M15_a_descriptor_that_was_received_takes_the_place(fd: int, file: Path) -> None:
    new = os.open(file.with_suffix(".new"), os.O_WRONLY | os.O_CREAT)
    replace(fd, new)
    os.close(new)
    os.write(fd, b"new")
    assert (file.read_text(), file.with_suffix(".new").read_text()) == ("", "new")
