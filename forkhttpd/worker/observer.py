"""What a worker does so that the server can be seen, and what it sees of the server.

It is there when a mount shows the metrics or the status, and else nothing of it is.  Once a second
the first worker that comes by puts a sample of all into the ring, and each worker notes what it is
answering: an idle worker turns twice a second, so a second is seldom missed.
"""

from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Protocol

from forkhttpd.chronicle import Chronicle, Row, Sample
from forkhttpd.config import Config
from forkhttpd.http1.request import Request
from forkhttpd.overview import Overview, look
from forkhttpd.scoreboard import Scoreboard, Slot
from forkhttpd.worker.tally import Tally

_LONGEST_TEXT: Final = 120  # characters of a path in the notes
_MOST_NOTES: Final = 12  # requests; more do not fit into a page
_UNHURRIED: Final = 0.1  # seconds of age before a request is worth a note


class Worker(Protocol):
    """The worker, as far as it is observed."""

    @property
    def is_leaving(self) -> bool:
        """Whether it drains."""

    def site_name(self, host: str) -> str:
        """Return what the site of a host is called."""

    def publish(self) -> None:
        """Bring our slot of the scoreboard up to date."""

    def answering(self) -> Iterator[Request]:
        """Yield the requests that are being answered."""


class Observer:
    """One per worker."""

    __slots__ = ("_chronicle", "_has_notes", "_row", "_scoreboard", "_second", "_worker", "tally")

    def __init__(self, scoreboard: Scoreboard, slot: Slot, worker: Worker) -> None:
        self._scoreboard = scoreboard
        self._chronicle = Chronicle(scoreboard.fd)
        self._row = Row(scoreboard.fd, slot.index)
        self._worker = worker
        self._has_notes = False
        self._second = 0
        self.tally = Tally(self._row, site_of=worker.site_name)

    @property
    def is_leaving(self) -> bool:
        """Whether the worker drains, so that nobody should stay."""
        return self._worker.is_leaving

    def overview(self) -> Overview:
        """Return how the server is, with all that this worker has counted."""
        self.tally.flush()
        self._worker.publish()
        return look(self._scoreboard, self._chronicle)

    def samples(self, now: float) -> list[Sample]:
        """Return the last minutes; `now` is in seconds since the epoch."""
        return self._chronicle.samples(int(now))

    def stream(self, request: Request) -> None:
        """Take note that the answer lasts as long as the client likes."""
        self.tally.streams.add(request)

    def tend(self, now: float, time: float) -> None:
        """Do what is due, once per turn; `now` is the loop's clock, `time` the wall's."""
        self.tally.flush_when_due(now)
        if int(time) != self._second:  # which may be an earlier one: clocks are set back, too
            self._second = int(time)
            if not self._chronicle.has_sample(int(time)):
                self._chronicle.remember(self.overview().sample())
            self._note(now)

    def _note(self, now: float) -> None:
        old = (one for one in self._worker.answering() if now - one.received > _UNHURRIED)
        oldest = sorted(islice(old, 1000), key=attrgetter("received"))[:_MOST_NOTES]
        if oldest or self._has_notes:
            self._row.note([_note(request, now) for request in oldest])
        self._has_notes = bool(oldest)


def _note(request: Request, now: float) -> dict[str, Any]:
    """Return what others may know of a request: not its query, which may hold a secret."""
    return {
        "id": request.id,
        "client": request.hop.client.host,
        "host": request.section.host[:_LONGEST_TEXT],
        "method": request.method[:16],
        "path": request.path.encode("ascii", "backslashreplace").decode()[:_LONGEST_TEXT],
        "seconds": round(now - request.received, 1),
    }


def is_wanted(config: Config) -> bool:
    """Whether anything is shown that has to be observed."""
    return any(mount.show in ("metrics", "status") for _, mount in config.mounts())
