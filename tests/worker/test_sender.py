"""Responses as bytes on a socket, and how much of each was body."""

import itertools
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Items
from forkhttpd.http1.request import RequestLine
from forkhttpd.http1.response import EMPTY, Body, Bytes, Chunks, FileSlice, Raw, Response
from forkhttpd.loop import DeadlineExceeded, Disconnected
from forkhttpd.worker.sender import CutShort, Sender
from tests.worker.making import Line, get, open_line

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
LOG = logging.getLogger("test")
GET, HEAD = get().line, get(method="HEAD").line
OLD = get(version="1.0").line


@pytest.fixture
def line() -> Iterator[Line]:
    with open_line() as line:
        yield line


def sender(line: Line, *, patience: float = 5.0) -> Sender:
    return Sender(line.stream, patience=patience, server="", log=LOG)


async def each(pieces: Iterable[bytes | Exception]) -> AsyncIterator[bytes]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def sent(
    line: Line, response: Response, asked: RequestLine = GET, *, keep_alive: bool = True
) -> tuple[bytes, int, bool]:
    """Return what goes out, the bytes of the body, and whether the connection stays."""
    sends = sender(line)
    stays = line.run(sends.send(response, asked, DATE, keep_alive=keep_alive))
    return line.received(), sends.sent, stays


def head(*fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Date: {DATE}", *fields, "", ""]).encode()


LENGTH = "Content-Length: 5"
CHUNKED = "Transfer-Encoding: chunked"
CLOSE, KEEP = "Connection: close", "Connection: keep-alive"


def pieces(length: int | None = None) -> Body:
    return Chunks(each([b"he", b"", b"llo"]), length)


@pytest.mark.parametrize(
    ("body", "asked", "keep_alive", "wire", "size", "stays"),
    [
        (Bytes(b"hello"), GET, True, head(LENGTH) + b"hello", 5, True),
        (Bytes(b"hello"), GET, False, head(LENGTH, CLOSE) + b"hello", 5, False),
        (Bytes(b"hello"), OLD, True, head(LENGTH, KEEP) + b"hello", 5, True),
        (Bytes(b"hello"), HEAD, True, head(LENGTH), 0, True),
        (EMPTY, GET, True, head("Content-Length: 0"), 0, True),
        (pieces(), GET, True, head(CHUNKED) + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 5, True),
        (pieces(5), GET, True, head(LENGTH) + b"hello", 5, True),
        (pieces(4), GET, True, head("Content-Length: 4") + b"hell", 4, True),
        (pieces(), OLD, True, head() + b"hello", 5, False),
        (pieces(), HEAD, True, head(CHUNKED), 0, True),
        (pieces(5), HEAD, True, head(LENGTH), 0, True),
        (Raw(each([b"HTTP/1.1 200 ", b"Mine\r\n\r\n"])), GET, True,
         b"HTTP/1.1 200 Mine\r\n\r\n", 21, False),
    ],
)  # fmt: skip
def test_what_goes_out(
    line: Line,
    body: Body,
    asked: RequestLine,
    keep_alive: bool,
    wire: bytes,
    size: int,
    stays: bool,
) -> None:
    assert sent(line, Response(200, body=body), asked, keep_alive=keep_alive) == (wire, size, stays)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_what_has_no_body_sends_none_whatever_it_was_given(line: Line, status: str) -> None:
    response = Response(int(status[:3]), body=pieces())
    assert sent(line, response) == (head(status=status), 0, True)


@pytest.mark.parametrize(("start", "length"), [(0, 5), (2, 3), (0, 0)])
def test_a_part_of_a_file(line: Line, tmp_path: Path, start: int, length: int) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    response = Response(206, body=FileSlice(fd, start, length))
    wire, size, _ = sent(line, response)
    assert wire.endswith(b"\r\n\r\n" + b"hello"[start : start + length])
    assert size == length
    assert sent(line, Response(206, body=FileSlice(fd, start, length)), HEAD)[1] == 0
    line.run(response.close())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


WAYS = (
    (GET, True, (LENGTH,), b"hello"),
    (GET, False, (LENGTH, CLOSE), b"hello"),
    (HEAD, True, (LENGTH,), b""),
    (HEAD, False, (LENGTH, CLOSE), b""),
    (OLD, True, (LENGTH, KEEP), b"hello"),
    (OLD, False, (LENGTH,), b"hello"),
)


@pytest.mark.parametrize("dates", [(DATE, DATE), (DATE, LATER)])
def test_a_shared_response_is_right_for_each_request(line: Line, dates: tuple[str, str]) -> None:
    """It remembers how it last went out, which must not reach a request that differs."""
    response = Response(200, (("X-A", "b"),), Bytes(b"hello"))
    sends = sender(line)
    for ways in itertools.product(WAYS, repeat=2):
        for (asked, keep_alive, fields, body), date in zip(ways, dates, strict=True):
            stays = line.run(sends.send(response, asked, date, keep_alive=keep_alive))
            expected = head("X-A: b", *fields).replace(DATE.encode(), date.encode()) + body
            assert (line.received(), sends.sent, stays) == (expected, len(body), keep_alive)


def test_server_is_named_when_it_has_a_name(line: Line) -> None:
    named = Sender(line.stream, patience=5.0, server="x/1", log=LOG)
    line.run(named.send(Response(204), GET, DATE, keep_alive=True))
    assert b"\r\nServer: x/1\r\n" in line.received()


@pytest.mark.parametrize("fields", [(("X-A", "b\r\nc: d"),), (("X\n", "b"),), (("X", "\0"),)])
def test_H12_no_field_gets_a_line_end_on_the_wire(line: Line, fields: Items) -> None:
    for body in (Bytes(b""), pieces()):
        with pytest.raises(ValueError, match="field"):
            sent(line, Response(200, fields, body))
        assert line.received() == b""


# What goes wrong on the way


def test_C9_too_few_pieces_cut_the_answer_short(line: Line) -> None:
    sends = sender(line)
    with pytest.raises(CutShort):
        line.run(sends.send(Response(200, body=pieces(6)), GET, DATE, keep_alive=True))
    assert sends.sent == 5


def test_a_failure_in_the_middle_cuts_the_answer_short_without_its_end(line: Line) -> None:
    sends = sender(line)
    response = Response(200, body=Chunks(each([b"he", HTTPError(504, "late")])))
    with pytest.raises(CutShort):
        line.run(sends.send(response, GET, DATE, keep_alive=True))
    assert sends.sent == 2
    assert line.received().endswith(b"2\r\nhe\r\n")


def test_S9_a_file_that_has_become_shorter_cuts_the_answer_short(
    line: Line, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    response = Response(200, body=FileSlice(fd, 0, 6))
    with pytest.raises(CutShort):
        line.run(sender(line).send(response, GET, DATE, keep_alive=True))
    line.run(response.close())
    assert line.received().endswith(b"\r\n\r\nhello")


def test_a_file_that_fails_cuts_the_answer_short_and_is_told_of(
    line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory stands for a file on a broken disk: it opens, and read(2) fails."""
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(CutShort):
        sent(line, Response(200, (), FileSlice(fd, 0, 10)))
    os.close(fd)
    assert "a file failed while it was sent: Is a directory" in caplog.text


@pytest.mark.parametrize("body", ["bytes", "pieces", "file"])
def test_a_client_that_takes_nothing_exceeds_the_deadline(
    line: Line, tmp_path: Path, body: str
) -> None:
    size = 4 << 20
    (tmp_path / "file").write_bytes(bytes(size))
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    bodies: dict[str, Body] = {
        "bytes": Bytes(bytes(size)),
        "pieces": Chunks(each([bytes(1 << 16)] * 64)),
        "file": FileSlice(fd, 0, size),
    }
    response = Response(200, body=bodies[body])
    with pytest.raises(DeadlineExceeded):
        line.run(sender(line, patience=0.05).send(response, GET, DATE, keep_alive=True))
    line.run(response.close())
    if body != "file":
        os.close(fd)


@pytest.mark.parametrize("kind", [Chunks, Raw])
def test_C20_only_a_client_that_lags_has_what_follows_kept(
    line: Line, kind: type[Chunks] | type[Raw]
) -> None:
    lags: list[str] = []

    def body(*sizes: int) -> Body:
        return kind(each(map(bytes, sizes)), on_lag=lambda: lags.append("lag"))

    sent(line, Response(200, body=body(5, 1 << 12)))
    assert lags == []
    with pytest.raises(DeadlineExceeded):
        line.run(
            sender(line, patience=0.05).send(
                Response(200, body=body(5, 4 << 20)), GET, DATE, keep_alive=True
            )
        )
    assert lags == ["lag"]


@pytest.mark.parametrize("body", [Bytes(b"x"), pieces(), pieces(5)])
def test_a_client_that_has_gone_is_noticed(line: Line, body: Body) -> None:
    line.client.shutdown(socket.SHUT_RDWR)
    line.client.close()
    with pytest.raises(Disconnected):
        sent(line, Response(200, body=body))
