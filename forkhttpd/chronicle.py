"""The chronicle: what all workers have counted since counting began, in shared memory.

The scoreboard tells how it is; the chronicle tells how much there has been, by site, method, status
and time.  It lies behind the scoreboard in the same memfd, so it is inherited in the same way.

A row belongs to a slot of the scoreboard and is written by the worker that has the slot.  *A row is
never cleared*: who gets the slot next counts on from where the one before has stopped.  So the sums
over all rows only ever grow, over respawns, reloads and upgrades, and nobody has to gather what the
dead have counted.  Sites are known by name, not by number, for a reload may change their order.

    row:  head       histograms of how long answers took
          notes      what the worker does just now, as JSON; it is replaced, not added to
          sections   one for each site's name that the row has met; the last is for all others

    before the rows: a ring of samples, the last minutes of all workers together

The file is sparse: a row that nobody counts in takes no memory, and when nothing is shown none
does.  A worker maps its own row; others are read with pread(2), so nothing more is mapped.  Every
cell is an aligned 64-bit word and only grows, so a reader needs no lock.
"""

import json
import mmap
import os
import struct
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from forkhttpd.scoreboard import CHRONICLE, HALVES, PAGE, SLOTS

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other")
# Those that answers usually have; of the rest the class is counted.
_COMMON: Final = (
    *(200, 201, 202, 204, 206, 207, 301, 302, 303, 304, 307, 308),
    *(
        400,
        401,
        403,
        404,
        405,
        408,
        409,
        411,
        412,
        413,
        414,
        415,
        416,
        417,
        421,
        422,
        429,
        431,
        499,
    ),
    *(500, 501, 502, 503, 504, 505),
)
STATUSES: Final = (*map(str, _COMMON), "1xx", "2xx", "3xx", "4xx", "5xx")
KINDS: Final = ("file", "program")
# Upper bounds in seconds, each included, of how long an answer took; there is one more, infinity.
BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
OTHERS: Final = "(others)"  # sites that found no section of their own
SECTIONS: Final = 64

_METHOD: Final = {name: index for index, name in enumerate(METHODS)}
_STATUS: Final = {int(name): index for index, name in enumerate(STATUSES) if name.isdigit()}
_CLASS: Final = STATUSES.index("1xx") - 1  # of a status is this plus its first digit

# In words.
_PER_PAGE: Final = PAGE // 8
_NAME: Final = 16
_BYTES: Final = _NAME  # where in a section the bytes are counted
_FIRST: Final = _NAME + 8  # where its counts of answers begin
_SECTION: Final = _FIRST + len(METHODS) * len(STATUSES)
_USED: Final = 0  # where in the head the number of sections is
_TIMES: Final = 16  # where its histograms begin: for each kind the nanoseconds, then the buckets
_TIME: Final = 1 + len(BOUNDS) + 1
_NOTES: Final = _PER_PAGE
_SECTIONS: Final = 2 * _PER_PAGE
_ROW: Final = _SECTIONS + -(-SECTIONS * _SECTION // _PER_PAGE) * _PER_PAGE
_ROW_SIZE: Final = _ROW * 8

_SAMPLE: Final = struct.Struct("=9Q")
SAMPLES: Final = 300
_RING_SIZE: Final = -(-SAMPLES * _SAMPLE.size // PAGE) * PAGE
_ROWS: Final = CHRONICLE + _RING_SIZE
_END: Final = _ROWS + HALVES * SLOTS * _ROW_SIZE  # no more than CHRONICLE_SIZE behind CHRONICLE


class Row:
    """A worker's own row.  Not to be used by two processes at once."""

    __slots__ = ("_map", "_places", "_words")

    def __init__(self, fd: int, slot: int) -> None:
        self._map = mmap.mmap(fd, _ROW_SIZE, offset=_ROWS + slot * _ROW_SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._places: dict[str, int] = {}
        for index in range(self._words[_USED]):
            place = _SECTIONS + index * _SECTION
            self._places[_text(self._words[place : place + _NAME].tobytes())] = place

    def close(self) -> None:
        """Unmap it."""
        self._words.release()
        self._map.close()

    def add(self, site: str, method: str, status: int, *, count: int, size: int) -> None:
        """Count answers, and the bytes of their bodies together."""
        words, section = self._words, self._section(_text(_padded(site)))
        words[section + _BYTES] += size
        words[section + _FIRST + _column(method, status)] += count

    def add_times(self, kind: int, times: "Times") -> None:
        """Count how long answers took; `kind` is an index of KINDS."""
        words, place = self._words, _TIMES + kind * _TIME
        words[place] += int(times.seconds * 1e9)
        for bucket, count in enumerate(times.buckets, place + 1):
            if count:
                words[bucket] += count

    def _section(self, name: str) -> int:
        """Return where a site is counted; one that is new gets a section if there is one left."""
        place = self._places.get(name)
        if place is None:
            used = self._words[_USED]
            if used >= SECTIONS - 1 and name != OTHERS:
                return self._section(OTHERS)
            place = self._places[name] = _SECTIONS + used * _SECTION
            self._words[place : place + _NAME] = memoryview(_padded(name)).cast("Q")
            self._words[_USED] = used + 1
        return place

    def note(self, notes: object) -> None:
        """Say what is going on, as far as a page holds it; for `Chronicle.notes`."""
        text = json.dumps(notes, separators=(",", ":")).encode()
        if len(text) < PAGE:
            at = _NOTES * 8
            self._map[at : at + PAGE] = text.ljust(PAGE, b"\0")


@dataclass(frozen=True, slots=True)
class Sample:
    """How it was at a moment: what had been counted by then, and what was going on."""

    time: int  # seconds since the epoch
    requests: int
    bytes: int
    failures: int  # answers of 5xx
    active: int
    connections: int
    running: int
    queued: int
    worked: int  # nanoseconds


@dataclass(slots=True)
class Times:
    """How long answers took: in all, and how many in each bucket, the last without a bound."""

    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


@dataclass(slots=True)
class Totals:
    """Everything that has been counted.  answers: by (site, method, status); sent: by site."""

    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    times: Mapping[str, Times] = field(default_factory=lambda: {kind: Times() for kind in KINDS})


class Chronicle:
    """All of it, to read, and the ring of samples.  The descriptor is the scoreboard's."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def totals(self) -> Totals:
        """Add up all rows."""
        totals = Totals()
        for at in self._rows():
            head = self._words(at, _PER_PAGE)
            for index, kind in enumerate(KINDS):
                place = _TIMES + index * _TIME
                times = totals.times[kind]
                times.seconds += head[place] / 1e9
                for bucket in range(len(BOUNDS) + 1):
                    times.buckets[bucket] += head[place + 1 + bucket]
            self._add_sections(totals, at, head[_USED])
        return totals

    def _add_sections(self, totals: Totals, at: int, used: int) -> None:
        words = self._words(at + _SECTIONS * 8, used * _SECTION)
        for start in range(0, len(words), _SECTION):
            site = _text(words[start : start + _NAME].tobytes())
            totals.sent[site] += words[start + _BYTES]
            counts = words[start + _FIRST : start + _SECTION]
            for place, count in enumerate(counts):
                if count:
                    method, status = divmod(place, len(STATUSES))
                    totals.answers[site, METHODS[method], STATUSES[status]] += count

    def notes(self, slot: int) -> Any:
        """Return what the worker with this slot has noted last; None if that makes no sense."""
        at = _ROWS + slot * _ROW_SIZE + _NOTES * 8
        text = os.pread(self._fd, PAGE, at).rstrip(b"\0")
        try:
            return json.loads(text) if text else None
        except ValueError:  # it was being replaced
            return None

    def remember(self, sample: Sample) -> None:
        """Put a sample into the ring, in the place of one that is too old.

        Workers may do so at once: what they have to say of one moment is the same.
        """
        values = [getattr(sample, name) for name in _SAMPLE_FIELDS]
        os.pwrite(self._fd, _SAMPLE.pack(*values), self._place(sample.time))

    def samples(self, now: int) -> list[Sample]:
        """Return what the ring has of the last SAMPLES seconds, oldest first."""
        ring = os.pread(self._fd, SAMPLES * _SAMPLE.size, CHRONICLE)
        found = [Sample(*values) for values in _SAMPLE.iter_unpack(ring)]
        recent = [one for one in found if now - SAMPLES < one.time <= now]
        return sorted(recent, key=lambda one: one.time)

    def has_sample(self, time: int) -> bool:
        """Whether somebody has put a sample of this second into the ring."""
        found = os.pread(self._fd, 8, self._place(time))
        return int.from_bytes(found, _ORDER) == time

    def _place(self, time: int) -> int:
        return CHRONICLE + time % SAMPLES * _SAMPLE.size

    def _rows(self) -> Iterator[int]:
        """Yield where the rows are that anything was ever written to."""
        at = _ROWS
        while at < _END:
            try:
                at = os.lseek(self._fd, at, os.SEEK_DATA)
            except OSError:  # ENXIO: there is no more
                return
            at -= (at - _ROWS) % _ROW_SIZE
            yield at
            at += _ROW_SIZE

    def _words(self, at: int, count: int) -> "array[int]":
        words = array("Q")
        words.frombytes(os.pread(self._fd, count * 8, at))
        return words


def _column(method: str, status: int) -> int:
    column = _STATUS.get(status)
    if column is None:
        column = _CLASS + min(max(status // 100, 1), 5)
    return _METHOD.get(method, len(METHODS) - 1) * len(STATUSES) + column


_SAMPLE_FIELDS: Final = tuple(Sample.__dataclass_fields__)
_ORDER: Final = "little" if struct.pack("=H", 1) == b"\1\0" else "big"


def _padded(site: str) -> bytes:
    return site.encode("utf-8", "replace")[: _NAME * 8].ljust(_NAME * 8, b"\0")


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode("utf-8", "replace")
