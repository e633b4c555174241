"""A request's body: pulled, limited, and thrown away when nobody wants it."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.parser import Parser
from forkhttpd.http1.writer import CONTINUE
from forkhttpd.loop import Disconnected
from forkhttpd.worker.body import Body
from tests.worker.making import LIMITS, Line, open_line

CHUNKED = b"Transfer-Encoding: chunked"
LARGE = 1 << 20  # more than is worth throwing away


@pytest.fixture
def line() -> Iterator[Line]:
    with open_line() as line:
        yield line


class Received:
    """A body whose head has been read, and the parser that goes on behind it."""

    def __init__(
        self,
        line: Line,
        *fields: bytes,
        limit: int = 1 << 30,
        patience: float = 5.0,
        rate: int = 0,
    ) -> None:
        self.parser = Parser(LIMITS)
        self.parser.feed(b"\r\n".join([b"POST / HTTP/1.1", b"Host: x", *fields, b"", b""]))
        head = self.parser.next_request()
        assert head is not None
        self.body = Body(
            head[1],
            parser=self.parser,
            stream=line.stream,
            loop=line.loop,
            limit=limit,
            patience=patience,
            rate=rate,
        )


async def read_all(body: Body) -> bytes:
    data = b""
    while piece := await body.read():
        data += piece
    return data


def next_path(line: Line, received: Received) -> str:
    """Return the path of the request behind the body."""

    async def read() -> str:
        while (head := received.parser.next_request()) is None:
            received.parser.feed(await line.stream.receive(line.loop.now + 5.0))
        return head[0].target.path

    return line.run(read())


NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("framing", "wire", "expected"),
    [
        (b"Content-Length: 5", b"hello", b"hello"),
        (b"Content-Length: 0", b"", b""),
        (CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (CHUNKED, b"0\r\n\r\n", b""),
    ],
)
def test_it_ends_where_it_says(line: Line, framing: bytes, wire: bytes, expected: bytes) -> None:
    received = Received(line, framing)
    line.client.sendall(wire + NEXT)
    assert line.run(read_all(received.body)) == expected
    assert line.run(received.body.read()) == b""
    assert next_path(line, received) == "/next"


def test_its_length_is_what_was_announced(line: Line) -> None:
    assert Received(line, b"Content-Length: 5").body.length == 5
    assert Received(line, CHUNKED).body.length is None


# 100


def test_the_first_pull_sends_100_and_no_other_does(line: Line) -> None:
    received = Received(line, b"Content-Length: 5", b"Expect: 100-continue")
    assert line.received() == b""
    assert not received.body.can_be_discarded  # whether it comes at all is not known
    line.client.sendall(b"hello")
    assert line.run(read_all(received.body)) == b"hello"
    assert line.received() == CONTINUE
    assert received.body.can_be_discarded


def test_an_invitation_is_sent_once_and_instead_of_the_first_pull_s(line: Line) -> None:
    received = Received(line, b"Content-Length: 5", b"Expect: 100-continue")
    line.run(received.body.invite())
    line.run(received.body.invite())
    line.client.sendall(b"hello")
    assert line.run(read_all(received.body)) == b"hello"
    assert line.received() == CONTINUE


def test_without_an_expectation_there_is_no_100(line: Line) -> None:
    received = Received(line, b"Content-Length: 5")
    line.run(received.body.invite())
    line.client.sendall(b"hello")
    line.run(read_all(received.body))
    assert line.received() == b""


# What is refused


@pytest.mark.parametrize(
    ("framing", "wire", "status"),
    [
        (CHUNKED, b"xyz\r\n", 400),
        (CHUNKED, b"5\r\nhelloworld\r\n", 400),
        (CHUNKED, b"fffffffffffffffff\r\n", 400),
        (CHUNKED, b"6\r\nhello!\r\n0\r\n\r\n", 413),
        (CHUNKED, b"3\r\nhel\r\n3\r\nlo!\r\n", 413),
        (b"Content-Length: 6", b"hello!", 413),
    ],
)
def test_H7_what_is_broken_or_too_much(
    line: Line, framing: bytes, wire: bytes, status: int
) -> None:
    received = Received(line, framing, limit=5)
    line.client.sendall(wire)
    with pytest.raises(HTTPError) as refusal:
        line.run(read_all(received.body))
    assert (refusal.value.status, refusal.value.close) == (status, True)


def test_what_stops_is_408(line: Line) -> None:
    received = Received(line, b"Content-Length: 5", patience=0.05)
    line.client.sendall(b"he")
    with pytest.raises(HTTPError) as refusal:
        line.run(read_all(received.body))
    assert (refusal.value.status, refusal.value.close) == (408, True)


def test_a_client_that_finishes_early_is_gone(line: Line) -> None:
    received = Received(line, b"Content-Length: 5")
    line.client.sendall(b"he")
    line.client.shutdown(socket.SHUT_WR)
    with pytest.raises(Disconnected):
        line.run(read_all(received.body))


# Discarding


@pytest.mark.parametrize(
    ("framing", "wire"),
    [
        (b"Content-Length: 100000", bytes(100_000)),
        (CHUNKED, b"3e8\r\n%b\r\n" % bytes(1000) * 100 + b"0\r\n\r\n"),
    ],
)
def test_what_is_left_is_thrown_away(line: Line, framing: bytes, wire: bytes) -> None:
    received = Received(line, framing)
    assert received.body.can_be_discarded
    line.client.sendall(wire[: 1 << 16])

    async def discard() -> bool:
        await received.body.read()
        line.client.sendall(wire[1 << 16 :] + NEXT)
        return await received.body.discard()

    assert line.run(discard()) is True
    assert next_path(line, received) == "/next"


def test_what_is_too_much_to_throw_away_is_known_beforehand(line: Line) -> None:
    assert not Received(line, b"Content-Length: %d" % LARGE).body.can_be_discarded


def test_what_turns_out_to_be_too_much_is_given_up(line: Line) -> None:
    received = Received(line, CHUNKED, patience=60.0)
    assert received.body.can_be_discarded
    line.client.setblocking(False)

    async def feed() -> None:
        rest = memoryview(b"8000\r\n%b\r\n" % bytes(0x8000) * (LARGE // 0x8000))
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[line.client.send(rest) :]
            await line.loop.yield_turn()

    line.loop.spawn(feed())
    assert line.run(received.body.discard()) is False


@pytest.mark.parametrize("wire", [b"xyz\r\n", b"5\r\nhel"])
def test_what_is_broken_is_given_up_without_a_word(line: Line, wire: bytes) -> None:
    """Its request has been answered: there is nobody left to tell."""
    received = Received(line, CHUNKED, patience=0.05)
    line.client.sendall(wire)
    assert line.run(received.body.discard()) is False


async def drip(line: Line, *, every: float) -> None:
    """Send a byte of the body time and again, as long as somebody takes it."""
    with contextlib.suppress(OSError):
        while True:
            line.client.send(b"x")
            await line.loop.sleep(line.loop.now + every)


def test_H9_a_body_that_never_stops_coming_and_never_comes_is_408(line: Line) -> None:
    received = Received(line, b"Content-Length: 1000000", patience=0.4, rate=1 << 20)
    line.loop.spawn(drip(line, every=0.02))
    with pytest.raises(HTTPError) as refused:
        line.run(read_all(received.body))
    assert (refused.value.status, refused.value.close) == (408, True)


def test_H9_without_a_rate_the_same_client_is_waited_for(line: Line) -> None:
    received = Received(line, b"Content-Length: 40", patience=0.4)
    line.loop.spawn(drip(line, every=0.02))
    assert line.run(read_all(received.body)) == b"x" * 40


def test_H9_a_slow_handler_makes_no_slow_client(line: Line) -> None:
    received = Received(line, b"Content-Length: 4", patience=0.2, rate=1000)

    async def dawdle() -> bytes:
        data = b""
        for _ in range(4):
            line.client.send(b"x")
            await line.loop.sleep(line.loop.now + 0.15)
            data += await received.body.read()
        return data

    assert line.run(dawdle()) == b"xxxx"
