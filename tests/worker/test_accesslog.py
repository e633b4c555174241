"""Lines as they are written, and when (O1)."""

import json
import os
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.request import Endpoint, Request
from forkhttpd.worker.accesslog import BATCH_SIZE, FLUSH_DELAY, AccessLog, quoted
from tests.worker.making import get, request

LATIN_1 = st.text(st.characters(max_codepoint=255))
STAMP = re.compile(r"\[[^\]]*\]")
NOW = 100.25


class File:
    """An access log in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def log(self, form: str = "combined") -> AccessLog:
        log = AccessLog(self.fd, format=form)
        log.set_time(1_700_000_000)
        return log

    @property
    def text(self) -> str:
        return self.path.read_text()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "access.log")
    yield file
    os.close(file.fd)


def line_of(file: File, form: str, asked: Request, *, status: int = 200, sent: int = 5) -> str:
    """Return the line of one answer, with its time of day cut out."""
    log = file.log(form)
    log.add(asked, status, sent, now=NOW)
    log.flush()
    return STAMP.sub("[]", file.text)


ASKED = get("/a?b", "User-Agent: curl/8", "Referer: http://x/")


def test_the_common_format(file: File) -> None:
    assert line_of(file, "common", ASKED) == '192.0.2.7 - - [] "GET /a?b HTTP/1.1" 200 5\n'


def test_the_combined_format(file: File) -> None:
    line = line_of(file, "combined", ASKED)
    assert line == '192.0.2.7 - - [] "GET /a?b HTTP/1.1" 200 5 "http://x/" "curl/8"\n'


def test_the_json_format(file: File) -> None:
    record = json.loads(line_of(file, "json", ASKED))
    assert record.pop("time")
    assert record == {
        "id": ASKED.id,
        "client": "192.0.2.7",
        "host": "example.org",
        "request": "GET /a?b HTTP/1.1",
        "status": 200,
        "bytes": 5,
        "seconds": 0.25,
        "referer": "http://x/",
        "agent": "curl/8",
    }


def test_the_time_is_local_with_its_offset(file: File) -> None:
    log = file.log()
    log.add(ASKED, 200, 5, now=NOW)
    log.flush()
    time = re.search(r"\[(\d\d)/(Nov)/(2023):\d\d:\d\d:20 [+-]\d{4}\]", file.text)
    assert time is not None
    assert time[1] in ("14", "15")


def test_what_is_not_there_is_a_dash(file: File) -> None:
    line = line_of(file, "combined", get("/"), status=304, sent=0)
    assert line == '192.0.2.7 - - [] "GET / HTTP/1.1" 304 - "-" "-"\n'


def test_a_client_of_a_unix_socket_is_a_dash(file: File) -> None:
    asked = request(b"GET / HTTP/1.0\r\n\r\n", client=Endpoint("", 0))
    assert line_of(file, "common", asked).startswith("- - - [")


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("common", '192.0.2.7 - - [] "-" 400 9\n'),
        ("combined", '192.0.2.7 - - [] "-" 400 9 "-" "-"\n'),
    ],
)
def test_what_was_no_request_has_a_line(file: File, form: str, line: str) -> None:
    log = file.log(form)
    log.add_refused(Endpoint("192.0.2.7", 1), 400, 9, now=NOW)
    log.flush()
    assert STAMP.sub("[]", file.text) == line


def test_what_was_no_request_in_json(file: File) -> None:
    log = file.log("json")
    log.add_refused(Endpoint("192.0.2.7", 1), 400, 9, now=NOW)
    log.flush()
    record = json.loads(file.text)
    assert (record["client"], record["status"], record["bytes"]) == ("192.0.2.7", 400, 9)


# O1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "-"),
        ("", "-"),
        ("plain text ~", "plain text ~"),
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("a\nb\r\tc\0", r"a\x0ab\x0d\x09c\x00"),
        ("\x1b[31m\x7f", r"\x1b[31m\x7f"),
        ("\x80\xff", r"\x80\xff"),
        ("Ã¼", r"\xc3\xbc"),
    ],
)
def test_O1_quoted(text: str | None, expected: str) -> None:
    assert quoted(text) == expected
    assert quoted(text) == expected


@given(LATIN_1)
def test_O1_quoted_text_is_printable_cannot_end_its_quotes_and_says_what_it_was(text: str) -> None:
    said = quoted(text)
    assert re.fullmatch(r"(?:[ !#-\[\]-~]|\\[\"\\]|\\x[0-9a-f]{2})+", said)
    if text:
        back = re.sub(r"\\(?:x(..)|(.))", lambda m: chr(int(m[1], 16)) if m[1] else m[2], said)
        assert back == text


def test_what_clients_invent_is_not_remembered_without_bounds() -> None:
    tracemalloc.start()
    try:
        for number in range(5000):
            assert quoted(f"{number}\n" + "x" * 8000) == f"{number}\\x0a" + "x" * 8000
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4 << 20


@given(agent=st.binary(max_size=50), referer=st.binary(max_size=50))
def test_O1_json_is_valid_and_exact_for_any_bytes(agent: bytes, referer: bytes) -> None:
    fields = {b"User-Agent": agent, b"Referer": referer}
    clean = {name: re.sub(rb"[\x00-\x1f\x7f]", b"", value) for name, value in fields.items()}
    head = b"".join(b"%b: %b\r\n" % item for item in clean.items())
    asked = request(b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
    near, far = os.pipe()
    try:
        log = AccessLog(far, format="json")
        log.add(asked, 200, 5, now=NOW)
        log.flush()
        line = os.read(near, 65536)
    finally:
        os.close(near)
        os.close(far)
    assert re.fullmatch(rb"[ -~]+\n", line)
    record = json.loads(line)
    assert record["agent"].encode("latin-1") == clean[b"User-Agent"].strip(b" ")
    assert record["referer"].encode("latin-1") == clean[b"Referer"].strip(b" ")


# Batches


def test_lines_wait_for_the_delay_and_are_then_written_together(file: File) -> None:
    log = file.log("common")
    assert log.patience(NOW, 0.5) == 0.5
    log.add(ASKED, 200, 5, now=NOW)
    log.add(ASKED, 200, 5, now=NOW + 0.1)
    assert log.patience(NOW + 0.1, 0.5) == pytest.approx(FLUSH_DELAY - 0.1)
    log.flush_when_due(NOW + FLUSH_DELAY - 0.01)
    assert file.text == ""
    log.flush_when_due(NOW + FLUSH_DELAY)
    assert file.text.count("\n") == 2
    log.flush_when_due(NOW + 99)
    assert file.text.count("\n") == 2
    assert log.patience(NOW + 99, 0.5) == 0.5


def test_many_lines_do_not_wait(file: File) -> None:
    log = file.log("common")
    for _ in range(BATCH_SIZE):
        log.flush_when_due(NOW)
        log.add(ASKED, 200, 5, now=NOW)
    assert file.text == ""
    log.flush_when_due(NOW)
    assert file.text.count("\n") == BATCH_SIZE


def test_without_a_log_nothing_is_written_or_waits() -> None:
    log = AccessLog(-1, format="combined")
    log.add(ASKED, 200, 5, now=NOW)
    log.add_refused(Endpoint("x", 1), 400, 5, now=NOW)
    assert log.patience(NOW, 0.5) == 0.5
    log.flush_when_due(NOW + 99)
    log.flush()
    assert log.dropped == 0


def test_a_full_disk_costs_lines_and_counts_them() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        log = AccessLog(fd, format="common")
        for _ in range(3):
            log.add(ASKED, 200, 5, now=NOW)
        log.flush()
        log.finish()
        assert log.dropped == 3
    finally:
        os.close(fd)


def test_M21_a_pipe_that_nobody_reads_costs_lines_not_time() -> None:
    """Each line is written whole, once, or counted as lost."""
    near, far = os.pipe()
    os.set_blocking(near, False)
    count = 30_000
    try:
        log = AccessLog(far, format="common")
        for _ in range(count):
            log.add(ASKED, 200, 5, now=NOW)
            log.flush_when_due(NOW)
        log.finish()
        assert 0 < log.dropped < count
        assert log.patience(NOW + 1, 0.5) == 0
        text = b""
        while log.patience(NOW + 1, 0.5) == 0:
            text += os.read(near, 1 << 20)
            log.flush()
        text += os.read(near, 1 << 20)
    finally:
        os.close(near)
        os.close(far)
    (line,) = set(text.splitlines())
    assert line.startswith(b'192.0.2.7 - - [] "GET /a?b HTTP/1.1" 200')
    assert text.count(b"\n") + log.dropped == count
