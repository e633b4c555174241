"""The marks: what forkhttpd sets out to reach, each with the reason, and whether it does.

A mark without `against` is a bound on our own value, any other one a bound on the ratio of ours to
that peer's, or to the best peer's.  A mark whose values were not measured is neither met nor
missed, and the report says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scripts.benchmark.peers import SUBJECT, WARM
from scripts.benchmark.rounds import Sample
from scripts.benchmark.summary import (
    CONNECTION,
    CPU,
    FAILURES,
    MEMORY,
    RATE,
    SLOW_99,
    SLOWDOWN,
    START,
    WAIT_99,
)
from scripts.benchmark.tables import BEST, Row, cells_of, ratios_of


@dataclass(frozen=True, slots=True)
class Mark:
    """What `row` must not exceed (or, where more is better, not fall below)."""

    row: Row
    bound: float
    reason: str
    against: str | None = None

    @property
    def title(self) -> str:
        quantity = self.row.quantity
        sign = "≤" if quantity.less_is_better else "≥"
        unit = f"times {self.against}" if self.against else quantity.unit
        return f"{self.row.title}: {quantity.title} {sign} {self.bound:g} {unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A mark beside what was measured; both are None if nothing was."""

    mark: Mark
    measured: float | None
    met: bool | None


_WHOLE = "a request parsed by C, one recv, one send: nothing of nginx's chain of filters to pay for"
_VARIED = "no two requests alike: what may be remembered of a request is worth less"
_ALIKE = "the kernel's part is the same, and a little of ours comes on top"
_KERNEL = "the kernel moves the bytes, and both ask it for the same"
_SEALED = "the same OpenSSL does most of it, and the bytes pass through our memory once more"
_START = "starting a program costs what the kernel asks for it; a server must not add to that"
_WARM = "the interpreter and the modules are there already: a fork, not a start"
_CALM = "programs are started by another process: the one that serves files never waits for a start"
_PATIENT = "a client that waits is a coroutine that waits: it costs the others next to nothing"
_QUIET = "the old processes serve until the new ones do, and end what they have begun"
_READY = "a person who starts it, or restarts it, does not notice the wait"
_SMALL = "four interpreters, forked from one, share most of their memory"
_IDLE = "a coroutine and its socket; everything else is given back between requests"

MARKS = (
    Mark(Row("1 KB keep-alive", "1k", CPU), 0.9, _WHOLE, "nginx"),
    Mark(Row("1 KB keep-alive", "1k", CPU), 1.0, _WHOLE, "lighttpd"),
    Mark(Row("100 header sets, 1,000 files", "many", CPU), 1.3, _VARIED, "nginx"),
    Mark(Row("1 KB Connection: close", "close", CPU), 1.2, _ALIKE, "nginx"),
    Mark(Row("304", "304", CPU), 1.2, _ALIKE, "nginx"),
    Mark(Row("404", "404", CPU), 1.2, _ALIKE, "nginx"),
    Mark(Row("100 KB", "100k", CPU), 1.1, _KERNEL, "nginx"),
    Mark(Row("10 MB", "10m", CPU), 1.1, _KERNEL, "nginx"),
    Mark(Row("1 MB of 10 MB", "range", CPU), 1.1, _KERNEL, "nginx"),
    Mark(Row("1 KB over TLS", "tls-1k", CPU), 1.3, _SEALED, "nginx"),
    Mark(Row("10 MB over TLS", "tls-10m", CPU), 1.3, _SEALED, "nginx"),
    Mark(Row("Compiled program", "cgi", RATE), 1.0, _START, BEST),
    Mark(Row("Shell script", "shell", RATE), 1.0, _START, BEST),
    Mark(Row("Python script, warm", "python", RATE, WARM), 10, _WARM, BEST),
    Mark(Row("Python with sqlite3 and email, warm", "python-more", RATE, WARM), 10, _WARM, BEST),
    Mark(Row("1 KB while programs run", "busy", WAIT_99), 0.25, _CALM, "lighttpd"),
    Mark(Row("1 KB beside 2,000 slow clients", "slow", SLOW_99), 100, _PATIENT),
    Mark(Row("Reload every second", "reload", FAILURES), 0, _QUIET),
    Mark(Row("Reload every second", "reload", SLOWDOWN), 2, _QUIET),
    Mark(Row("Start", "alone", START), 400, _READY),
    Mark(Row("Idle", "alone", MEMORY), 40, _SMALL),
    Mark(Row("Idle", "alone", CONNECTION), 5, _IDLE),
)


def judge(mark: Mark, samples: Sequence[Sample], servers: Sequence[str]) -> Judgement:
    """Whether `mark` is met by the medians of a run that measured `servers`."""
    cells = cells_of(mark.row, samples, servers)
    if mark.against is None:
        values = cells.get(SUBJECT)
        measured = median(values.values()) if values else None
    else:
        ratio = ratios_of(mark.row, cells).get(mark.against)
        measured = ratio.median if ratio else None
    if measured is None:
        return Judgement(mark, None, None)
    less = mark.row.quantity.less_is_better
    return Judgement(mark, measured, measured <= mark.bound if less else measured >= mark.bound)
