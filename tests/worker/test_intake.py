"""When a worker takes connections, and when it leaves them to others."""

import logging
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from forkhttpd.loop import Loop
from forkhttpd.scoreboard import Cell, Scoreboard, SlotState
from forkhttpd.worker.intake import Intake
from forkhttpd.worker.share import MOMENT, Share

LIMIT = 60
LONG = 60.0  # seconds; no turn of these tests may take as long
A_SHARE = 40  # connections that one of two may have while the other one has none


class Hall:
    """A listener, an intake for it, and a second worker, who takes nothing."""

    def __init__(self, stack: ExitStack) -> None:
        self.failures: list[Exception] = []
        self.taken: list[socket.SocketType] = []
        self._stack = stack
        self.loop = Loop(report=self.failures.append)
        stack.callback(self.loop.close)
        self._scoreboard = Scoreboard.create()
        stack.callback(os.close, self._scoreboard.fd)
        stack.callback(self._scoreboard.close)
        slot, other = map(self._scoreboard.slot, self._scoreboard.free_slots()[:2])
        for each in (slot, other):
            each.set(Cell.PID, os.getpid())
            each.set(Cell.STATE, SlotState.READY)
        self.intake = Intake(
            self.loop,
            held=self.taken.__len__,
            limit=LIMIT,
            share=Share(self._scoreboard, slot),
            log=logging.getLogger("forkhttpd"),
        )
        self._listener = socket.socket(socket.AF_UNIX)  # where connect has nothing to wait for
        self._listener.setblocking(False)
        self._listener.bind("")  # a free name in the abstract name space, unix(7)
        self._listener.listen(LIMIT)
        self.intake.add(self._listener, lambda connected, _client: self.taken.append(connected))
        stack.callback(self._close_taken)
        stack.callback(self.intake.close)

    def _close_taken(self) -> None:
        for connected in self.taken:
            connected.close()

    def invite(self, count: int) -> None:
        """Let so many clients connect."""
        for _ in range(count):
            client = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(self._listener.getsockname())

    def turn_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            if condition():
                return
            self.loop.turn(LONG)
        raise AssertionError(f"not in 1000 turns, with {len(self.taken)}")


@contextmanager
def hall() -> Iterator[Hall]:
    with ExitStack() as stack:
        made = Hall(stack)
        yield made
        assert made.failures == []


def test_nothing_is_taken_before_it_is_open_and_what_waits_stays_in_the_backlog() -> None:
    with hall() as made:
        made.invite(1)
        made.intake.tend()
        made.loop.turn(0.0)
        made.intake.close()
        assert made.taken == []


def test_what_has_come_is_taken_when_it_closes() -> None:
    with hall() as made:
        made.intake.open()
        made.invite(5)
        made.intake.close()
        assert len(made.taken) == 5


def test_who_is_full_waits_until_there_is_room() -> None:
    with hall() as made:
        made.intake.open()
        made.invite(1)
        made.turn_until(lambda: len(made.taken) == 1)
        made.taken.extend([made.taken[0]] * (LIMIT - 1))
        made.intake.tend()
        made.invite(1)
        made.loop.turn(0.0)
        assert len(made.taken) == LIMIT
        del made.taken[1:]
        made.intake.tend()
        made.turn_until(lambda: len(made.taken) == 2)


def test_M17_who_has_its_share_comes_back_by_itself_after_a_moment() -> None:
    """The loop may wait for a minute, and yet takes one more after each pause."""
    with hall() as made:
        made.intake.open()
        made.invite(A_SHARE + 3)
        made.turn_until(lambda: len(made.taken) == A_SHARE)
        began = made.loop.now
        made.turn_until(lambda: len(made.taken) == A_SHARE + 3)  # two pauses before that
        assert 2 * MOMENT <= made.loop.now - began < LONG / 2


def test_a_shortage_of_descriptors_is_told_once_and_passes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hall() as made:
        made.intake.open()
        made.invite(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            made.loop.turn(LONG)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert made.taken == []
        made.intake.tend()  # too early
        made.turn_until(lambda: len(made.taken) == 1)
        (line,) = caplog.messages
        assert line.startswith("cannot accept connections: Too many open files")
