"""What a slow client is behind with: kept while it may be, in order and to its end (C20)."""

from collections.abc import Iterator

import pytest

from forkhttpd.handlers.cgi.backlog import Backlog
from forkhttpd.loop import DeadlineExceeded
from tests.worker.making import Line, open_line


@pytest.fixture
def line() -> Iterator[Line]:
    with open_line() as line:
        yield line


class Source:
    """A program's output, piece by piece, and how much of it was received."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.received = 0

    async def receive(self) -> bytes:
        if self.received == len(self.pieces):
            return b""
        self.received += 1
        return self.pieces[self.received - 1]


async def all_of(backlog: Backlog) -> list[bytes]:
    pieces = []
    while piece := await backlog.take():
        pieces.append(piece)
    return pieces


def test_it_reads_on_without_being_asked_and_returns_all_in_order(line: Line) -> None:
    source = Source(b"one", b"two", b"three")
    backlog = Backlog(line.loop, source.receive, limit=100, ends=line.loop.now + 5)
    line.loop.turn(0)
    assert source.received == 3
    assert line.run(all_of(backlog)) == [b"one", b"two", b"three"]


def test_past_the_limit_it_waits_until_something_is_taken(line: Line) -> None:
    source = Source(b"one", b"two", b"three")
    backlog = Backlog(line.loop, source.receive, limit=3, ends=line.loop.now + 5)
    line.loop.turn(0)
    assert source.received == 1
    assert line.run(all_of(backlog)) == [b"one", b"two", b"three"]


def test_without_room_until_the_end_it_is_no_end(line: Line) -> None:
    source = Source(b"one", b"two")
    backlog = Backlog(line.loop, source.receive, limit=3, ends=line.loop.now)
    line.loop.turn(0)
    with pytest.raises(DeadlineExceeded):
        line.run(all_of(backlog))
    assert source.received == 1


def test_closed_it_reads_no_more(line: Line) -> None:
    source = Source(b"one", b"two")
    backlog = Backlog(line.loop, source.receive, limit=3, ends=line.loop.now + 5)
    line.loop.turn(0)
    backlog.close()
    line.loop.turn(0)
    line.loop.turn(0)
    assert source.received == 1
    assert not line.loop.tasks


def test_closed_before_it_has_begun_it_reads_nothing(line: Line) -> None:
    """As when the client is reset in the turn in which it falls behind."""
    source = Source(b"one")
    backlog = Backlog(line.loop, source.receive, limit=3, ends=line.loop.now + 5)
    backlog.close()
    line.loop.turn(0)
    assert source.received == 0
    assert not line.loop.tasks


def test_closed_when_it_has_just_got_room_it_reads_no_more(line: Line) -> None:
    source = Source(b"one", b"two")
    backlog = Backlog(line.loop, source.receive, limit=3, ends=line.loop.now + 5)
    line.loop.turn(0)

    async def take_and_leave() -> None:
        await backlog.take()
        backlog.close()

    line.run(take_and_leave())
    assert source.received == 1
    assert not line.loop.tasks
