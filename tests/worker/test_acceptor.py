"""How many connections a worker takes in a turn of its loop (M17), and how long newcomers wait."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from forkhttpd.loop import Loop
from forkhttpd.worker.acceptor import Acceptor

NEWCOMERS = 16
MOST_AT_ONCE = 8


class Crowd:
    """A loop with descriptors that are always ready, and an acceptor that takes everything.

    served: how often one of them had its turn; limit: how many connections it may have.
    """

    def __init__(self, stack: ExitStack, size: int) -> None:
        self.failures: list[Exception] = []
        self.sizes: list[int] = []
        self.loop = Loop(report=self.failures.append)
        stack.callback(self.loop.close)
        self.served, self.limit = 0, NEWCOMERS
        for _ in range(size):
            fd = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            stack.callback(os.close, fd)
            self.loop.watch(fd, self._serve)
        self.taken: list[socket.SocketType] = []
        self._stack = stack
        self._listener = socket.socket(socket.AF_UNIX)  # where connect has nothing to wait for
        self._listener.setblocking(False)
        self._listener.bind("")  # a free name in the abstract name space, unix(7)
        self._listener.listen(NEWCOMERS)
        self.acceptor = Acceptor(
            self.loop,
            self._listener,
            on_connection=self._take,
            on_shortage=self.failures.append,
            on_growth=self.sizes.append,
            held=lambda: len(self.taken),
        )
        stack.callback(self.acceptor.close)
        self.acceptor.resume()

    def _serve(self, _events: int) -> None:
        self.served += 1

    def _take(self, connected: socket.SocketType, _client: object) -> None:
        self._stack.callback(connected.close)
        self.taken.append(connected)
        if len(self.taken) == self.limit:
            self.acceptor.pause()

    def invite(self) -> None:
        """Let all newcomers connect."""
        for _ in range(NEWCOMERS):
            client = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(self._listener.getsockname())

    def admit(self) -> list[int]:
        """Return how many newcomers were taken in each turn until all were."""
        self.invite()
        self.served = 0
        turns = []
        while len(self.taken) < NEWCOMERS:
            before = len(self.taken)
            self.loop.turn(1.0)
            turns.append(len(self.taken) - before)
            assert len(turns) < 1000
        assert self.failures == []
        return turns


@contextmanager
def crowd(size: int) -> Iterator[Crowd]:
    with ExitStack() as stack:
        made = Crowd(stack, size)
        for _ in range(50):  # nobody came for a long time
            made.loop.turn(0.0)
        yield made


@pytest.mark.parametrize("size", [0, 100])
def test_M17_in_a_turn_that_has_time_for_all_one_is_taken(size: int) -> None:
    with crowd(size) as made:
        assert made.admit() == [1] * NEWCOMERS


def test_newcomers_do_not_wait_for_a_crowd_one_by_one() -> None:
    """In each turn they may be passed by; 16 times 600 would be 9600."""
    with crowd(600) as made:
        turns = made.admit()
        assert max(turns) == MOST_AT_ONCE
        assert made.served < 6 * 600


def test_who_may_have_no_more_takes_no_more_in_the_turn_either() -> None:
    with crowd(600) as made:
        made.limit = 3
        made.invite()
        for _ in range(20):
            made.loop.turn(0.0)
        assert len(made.taken) == 3
