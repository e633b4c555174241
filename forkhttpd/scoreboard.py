"""The scoreboard: a shared memory with one slot per process, where master and children meet.

It is a memfd, mapped by everybody and inherited over fork and exec, so nothing of it is in a file
system that could be full, slow or read-only (M4).  A slot belongs to the one process that writes
it; the master only reads, except that it clears a slot before it gives it to a new child.

Every cell is an aligned 64-bit word and is written by a single store, so a reader sees the old or
the new value, never half of one, and no lock is needed.

Liveness and readiness are different things (M3): `HEARTBEAT` is written by the process's own loop
at every turn, `STATE` becomes READY once, after the loop's first turn.

Standard library only, CPython 3.9 syntax: part of the spawner's bundle.
"""

import mmap
import os
import time
from enum import IntEnum

CELLS = 32  # words per slot
SLOTS = 512  # slots in a scoreboard; the file is sparse, an unused slot costs nothing


class Cell(IntEnum):
    """What stands where in a slot.  New cells go to the end: an upgrade reads the old layout."""

    PID = 0
    STATE = 1
    HEARTBEAT = 2  # CLOCK_MONOTONIC in nanoseconds; one clock for all processes of a machine
    GENERATION = 3
    CONNECTIONS = 4  # open now
    ACTIVE = 5  # requests being answered now (a spawner: programs running now)
    REQUESTS = 6  # answered since start (a spawner: programs started)
    BYTES = 7  # sent in answers since start
    QUEUED = 8  # a spawner: requests that wait for a place
    REFUSED = 9  # a spawner: requests turned away


class SlotState(IntEnum):
    """The life of a process as it reports it itself."""

    EMPTY = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


class Slot:
    """One process's row.  `add` and `set` are for its owner only."""

    __slots__ = ("_base", "_words", "index")

    def __init__(self, words: memoryview, index: int) -> None:
        self.index = index
        self._words = words
        self._base = index * CELLS

    def get(self, cell: Cell) -> int:
        """Return a cell's value."""
        value: int = self._words[self._base + cell]
        return value

    def set(self, cell: Cell, value: int) -> None:
        """Store a value, at once and whole."""
        self._words[self._base + cell] = value

    def add(self, cell: Cell, amount: int) -> None:
        """Add to a counter of the calling process."""
        self._words[self._base + cell] += amount

    def beat(self) -> None:
        """Say: the loop is turning."""
        self._words[self._base + Cell.HEARTBEAT] = time.monotonic_ns()

    def clear(self) -> None:
        """Empty the slot for a new process."""
        for cell in range(CELLS):
            self._words[self._base + cell] = 0


class Scoreboard:
    """The whole table.  `fd` stays open for as long as the object lives, to be inherited."""

    __slots__ = ("_map", "_words", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, SLOTS * CELLS * 8)
        self._words = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls) -> "Scoreboard":
        """Make an empty scoreboard."""
        fd = os.memfd_create("forkhttpd-scoreboard", os.MFD_CLOEXEC)
        os.ftruncate(fd, SLOTS * CELLS * 8)
        return cls(fd)

    def slot(self, index: int) -> Slot:
        """Return the slot at `index`, 0 to SLOTS - 1."""
        if not 0 <= index < SLOTS:
            raise IndexError(f"slot {index}")
        return Slot(self._words, index)
