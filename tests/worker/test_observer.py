"""What is observed, second by second, whatever the wall clock does."""

import os
from collections.abc import Iterator

from forkhttpd.http1.request import Request
from forkhttpd.scoreboard import Scoreboard
from forkhttpd.worker.observer import Observer

NOON = 1_800_000_000


class Watched:
    """A worker who has nothing to do, and counts how often somebody looks."""

    is_leaving = False
    looks = 0

    def site_name(self, host: str) -> str:
        return host

    def publish(self) -> None: ...

    def answering(self) -> Iterator[Request]:
        self.looks += 1
        return iter(())


def test_requests_are_noted_each_second_also_when_the_clock_is_set_back() -> None:
    scoreboard = Scoreboard.create()
    worker = Watched()
    observer = Observer(scoreboard, scoreboard.slot(0), worker)
    for time in (NOON, NOON + 0.9, NOON + 1, NOON - 3600, NOON - 3599.5, NOON - 3599):
        observer.tend(0.0, time)
    assert worker.looks == 4
    scoreboard.close()
    os.close(scoreboard.fd)
