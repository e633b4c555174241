"""The scoreboard: a shared memory with one slot per process, where master and children meet.

It is a memfd, mapped by everybody and inherited over fork and exec, so nothing of it is in a file
system that could be full, slow or read-only (M4).  A slot belongs to the one process that writes
it; the master only reads, except that it clears a slot before it gives it to a new child.

Every cell is an aligned 64-bit word and is written by a single store, so a reader sees the old or
the new value, never half of one, and no lock is needed.

In an upgrade two masters meet here, too, so that the new one can tell of those who still drain
for the old one.  They cannot agree on every slot, so each has a half of its own: the new one takes
the half that the serving one has not.  There are never three of them, but a child may outlive its
master while it drains; the slot of a process that lives is not given out again.  The head says
which half serves, and in which layout all this is; a master that knows another one makes a
scoreboard of its own.

What a process has counted does not go with it: the master adds it to a *grave*, a slot for all of
one name that have ended.  That takes several stores, so the half has a version that is odd
meanwhile, and who adds up slots and graves looks at it before and after (`steady`).

Behind all this, in the same memfd, is the chronicle (`forkhttpd.chronicle`); only who counts there,
or shows it, touches it.

Liveness and readiness are different things (M3): `HEARTBEAT` is written by the process's own loop
at every turn, `STATE` becomes READY once, after the loop's first turn.

Standard library only, CPython 3.9 syntax: part of the spawner's bundle.
"""

import mmap
import os
import time
from contextlib import suppress
from enum import IntEnum
from typing import Callable, Iterator, List, Tuple, TypeVar

LAYOUT = 2  # another number whenever the old code would misread what the new code writes
CELLS = 32  # words per slot
SLOTS = 512  # slots for one master; the file is sparse, an unused slot costs nothing
GRAVES = 64  # names, for one master: the workers' and those of pools
HALVES = 2
PAGE = 4096  # bytes

_MAGIC = int.from_bytes(b"forkhttp", "little")
_HEAD = CELLS  # words before the first slot
_LIVING = HALVES * SLOTS
_SIZE = (_HEAD + (_LIVING + HALVES * GRAVES) * CELLS) * 8  # bytes
CHRONICLE = -(-_SIZE // PAGE) * PAGE  # where the chronicle begins
CHRONICLE_SIZE = 1 << 28  # bytes; sparse, too
_NAME_WORDS = 4  # of 8 bytes: 32 characters of ASCII, the longest name of a pool
_PATIENCE = 1000  # looks, then a master has died in the middle of a burial

T = TypeVar("T")


class _Head(IntEnum):
    """What stands where before the first slot."""

    MAGIC = 0
    LAYOUT = 1
    SERVING = 2  # the half of the master that serves
    SINCE = 3  # CLOCK_REALTIME in nanoseconds, when all counting began
    TAKEN = 4  # reloads that were taken up
    REFUSED = 5  # reloads that were refused
    VERSION = 6  # of the first half, odd while counts move to a grave; then that of the second


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
    REFUSED = 9  # turned away: by a spawner requests, by a worker connections
    WORKED = 10  # a worker: nanoseconds since its start in which its loop had something to do
    WORN = 11  # a worker: 1 once it has answered as many requests as it should
    # What became of a spawner's programs, of those that have ended (see spawner/ledger.py).
    FAILED = 12  # exited with another code than 0
    KILLED = 13  # ended by a signal, whoever sent it
    OVERDUE = 14  # told to end because their time was up
    USER = 15  # microseconds of CPU
    SYSTEM = 16  # microseconds of CPU in the kernel
    WALL = 17  # microseconds from start to end
    WAITED = 18  # microseconds in the queue, of all that were started
    PEAK = 19  # KiB: the largest that one of them was
    COMPLAINED = 20  # a worker: bytes of its programs' standard error, of requests in the log
    STARVED = 21  # a spawner: ended for needing more memory than their cgroup may have
    NUMBER = 24  # what the process calls itself among its like
    BORN = 25  # CLOCK_MONOTONIC in nanoseconds
    ENDED = 26  # a grave: how many are in it
    NAME = 28  # of its pool, in four words; nothing for a worker


# What only grows, and therefore outlives who counted it.
COUNTERS = (
    *(Cell.REQUESTS, Cell.BYTES, Cell.REFUSED, Cell.WORKED, Cell.FAILED, Cell.KILLED),
    *(Cell.OVERDUE, Cell.USER, Cell.SYSTEM, Cell.WALL, Cell.WAITED, Cell.COMPLAINED),
    Cell.STARVED,
)


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
        self._base = _HEAD + index * CELLS

    def get(self, cell: Cell) -> int:
        """Return a cell's value."""
        value: int = self._words[self._base + cell]
        return value

    def set(self, cell: Cell, value: int) -> None:
        """Store a value, at once and whole."""
        self._words[self._base + cell] = value

    def raise_to(self, cell: Cell, value: int) -> None:
        """Store a value if it is the largest so far."""
        if value > self._words[self._base + cell]:
            self._words[self._base + cell] = value

    def add(self, cell: Cell, amount: int) -> None:
        """Add to a counter of the calling process."""
        self._words[self._base + cell] += amount

    def beat(self) -> None:
        """Say: the loop is turning."""
        self._words[self._base + Cell.HEARTBEAT] = time.monotonic_ns()

    @property
    def name(self) -> str:
        """The pool whose spawner it is, "" for a worker's."""
        words = [self._words[self._base + Cell.NAME + i] for i in range(_NAME_WORDS)]
        text = b"".join(word.to_bytes(8, "little") for word in words)
        return text.rstrip(b"\0").decode("ascii", "replace")

    def set_name(self, name: str) -> None:
        """Say whose slot it is; what does not fit is cut off."""
        text = name.encode("ascii", "replace")[: _NAME_WORDS * 8].ljust(_NAME_WORDS * 8, b"\0")
        for i in range(_NAME_WORDS):
            word = int.from_bytes(text[i * 8 : i * 8 + 8], "little")
            self._words[self._base + Cell.NAME + i] = word

    def clear(self) -> None:
        """Empty the slot for a new process."""
        for cell in range(CELLS):
            self._words[self._base + cell] = 0


class Scoreboard:
    """The whole table.  `fd` stays open for as long as the object lives, to be inherited.

    half: the one of our master.
    """

    __slots__ = ("_map", "_words", "fd", "half")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, _SIZE)
        self._words = memoryview(self._map).cast("Q")
        self.half = self._words[_Head.SERVING]

    def keep_from_forks(self) -> None:
        """Have a fork of this process not find it in its memory, where it must not be used.

        Where a kernel does not know how, it is found there, and must not be used all the same.
        """
        with suppress(OSError):
            self._map.madvise(mmap.MADV_DONTFORK)

    def close(self) -> None:
        """Unmap it, for all slots as well; `fd` is not closed."""
        self._words.release()
        self._map.close()

    @classmethod
    def create(cls) -> "Scoreboard":
        """Make an empty scoreboard."""
        fd = os.memfd_create("forkhttpd-scoreboard", os.MFD_CLOEXEC)
        os.ftruncate(fd, CHRONICLE + CHRONICLE_SIZE)
        scoreboard = cls(fd)
        scoreboard._words[_Head.SINCE] = time.time_ns()
        scoreboard._words[_Head.LAYOUT] = LAYOUT
        scoreboard._words[_Head.MAGIC] = _MAGIC
        return scoreboard

    @classmethod
    def follow(cls, fd: int) -> "Scoreboard":
        """Take the half of another master's scoreboard that is not in use.

        Raises ValueError for one in another layout; `fd` is then still the caller's.
        """
        if os.fstat(fd).st_size != CHRONICLE + CHRONICLE_SIZE:
            raise ValueError("a scoreboard of another size")
        scoreboard = cls(fd)
        if (scoreboard._words[_Head.MAGIC], scoreboard._words[_Head.LAYOUT]) != (_MAGIC, LAYOUT):
            raise ValueError("a scoreboard in another layout")
        scoreboard.half = (scoreboard.half + 1) % HALVES
        return scoreboard

    def serve(self) -> None:
        """Say that our half is now the one of the master that serves."""
        self._words[_Head.SERVING] = self.half

    def free_slots(self) -> List[int]:
        """Return the slots of our half that no living process has; they are empty."""
        first = self.half * SLOTS
        slots = [self.slot(index) for index in range(first, first + SLOTS)]
        free = [slot for slot in slots if not _lives(slot.get(Cell.PID))]
        for slot in free:
            if slot.get(Cell.PID):
                slot.clear()
        return [slot.index for slot in free]

    def slot(self, index: int) -> Slot:
        """Return the slot at `index`, in whichever half."""
        if not 0 <= index < _LIVING:
            raise IndexError(f"slot {index}")
        return Slot(self._words, index)

    # What all have done, the living and the dead.

    @property
    def since(self) -> float:
        """When counting began, in seconds since the epoch; an upgrade does not begin anew."""
        return self._words[_Head.SINCE] / 1e9

    @property
    def reloads(self) -> Tuple[int, int]:
        """How many reloads were taken up, and how many refused."""
        return self._words[_Head.TAKEN], self._words[_Head.REFUSED]

    def judge(self, *, taken: bool) -> None:
        """Count a reload; for the master that serves."""
        self._words[_Head.TAKEN if taken else _Head.REFUSED] += 1

    def bury(self, index: int) -> None:
        """Empty the slot of a process that has ended, and keep what it has counted."""
        slot = self.slot(index)
        grave = self._grave(slot.name)
        version = _Head.VERSION + self.half
        self._words[version] += 1
        for cell in COUNTERS:
            grave.add(cell, slot.get(cell))
        grave.add(Cell.ENDED, 1)
        slot.clear()
        self._words[version] += 1

    def living(self) -> Iterator[Slot]:
        """Yield the slots of both halves that a process has."""
        pids = self._words[_HEAD + Cell.PID : _HEAD + _LIVING * CELLS : CELLS].tolist()
        return (Slot(self._words, index) for index, pid in enumerate(pids) if pid)

    def graves(self) -> Iterator[Slot]:
        """Yield the graves of both halves that somebody is in."""
        for index in range(_LIVING, _LIVING + HALVES * GRAVES):
            grave = Slot(self._words, index)
            if grave.get(Cell.ENDED):
                yield grave

    def steady(self, look: Callable[[], T]) -> T:
        """Return what `look` sees while nothing moves from a slot to a grave."""
        for _ in range(_PATIENCE):
            before = self._versions()
            seen = look()
            if before == self._versions() and not any(version % 2 for version in before):
                break
        return seen

    def _versions(self) -> List[int]:
        return [self._words[_Head.VERSION + half] for half in range(HALVES)]

    def _grave(self, name: str) -> Slot:
        """Return the grave for a name in our half; when there is none left, the last for all."""
        first = _LIVING + self.half * GRAVES
        for index in range(first, first + GRAVES):
            grave = Slot(self._words, index)
            if grave.get(Cell.ENDED) == 0:
                grave.set_name(name)
                break
            if grave.name == name:
                break
        return grave


def _lives(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, and so it lives
        return True
    return True
