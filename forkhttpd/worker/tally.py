"""What a worker has answered, on its way into the chronicle.

Counting happens for every answer and writing into shared memory is the dearer part of it (0.5 µs a
word), so what was counted waits here for a moment, as the lines of the access log do: 0.6 µs an
answer instead of 2.  A server that shows no metrics has no tally.
"""

import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from forkhttpd.chronicle import BOUNDS, KINDS, Row, Times
from forkhttpd.http1.request import Request

FLUSH_DELAY: Final = 0.2  # seconds
NO_SITE: Final = "(none)"  # of what could not be read as a request

_FILE, _PROGRAM = KINDS.index("file"), KINDS.index("program")


class Tally:
    """Counts for one row.

    site_of: the name that a host's site is known by; clock: the one of `Request.received`.
    """

    __slots__ = ("_clock", "_flush_at", "_pending", "_row", "_site_of", "_times", "streams")

    def __init__(
        self,
        row: Row,
        *,
        site_of: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._row = row
        self._site_of = site_of
        self._clock = clock
        self._flush_at = 0.0
        self._pending: dict[tuple[str | None, str, int], list[int]] = {}
        self._times = [Times() for _ in KINDS]
        self.streams: set[Request] = set()  # last as long as the client likes: no time to count

    def count(self, request: Request, status: int, sent: int) -> None:
        """Count an answer; `sent` is the bytes of its body."""
        self._add((request.section.host, request.line.method, status), sent)
        if request in self.streams:
            self.streams.discard(request)
        else:
            self._add_time(_FILE if request.account is None else _PROGRAM, request.received)

    def count_file(
        self, host: str, method: str, status: int, sent: int, *, received: float
    ) -> None:
        """Count an answer of a file, as `count` would."""
        self._add((host, method, status), sent)
        self._add_time(_FILE, received)

    def count_refused(self, status: int, sent: int) -> None:
        """Count the answer to what was no request."""
        self._add((None, "", status), sent)

    def _add_time(self, kind: int, received: float) -> None:
        seconds = self._clock() - received
        times = self._times[kind]
        times.seconds += seconds
        times.buckets[bisect_left(BOUNDS, seconds)] += 1

    def _add(self, key: tuple[str | None, str, int], sent: int) -> None:
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = [0, 0]
        pending[0] += 1
        pending[1] += sent

    def flush_when_due(self, now: float) -> None:
        """Write if it is time; asked every few milliseconds while there is work."""
        if now >= self._flush_at and self._pending:
            self._flush_at = now + FLUSH_DELAY
            self.flush()

    def flush(self) -> None:
        """Write what was counted into the chronicle."""
        pending, self._pending = self._pending, {}
        for (host, method, status), (count, size) in pending.items():
            site = NO_SITE if host is None else self._site_of(host)
            self._row.add(site, method, status, count=count, size=size)
        times, self._times = self._times, [Times() for _ in KINDS]
        for kind, one in enumerate(times):
            self._row.add_times(kind, one)
