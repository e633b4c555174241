"""How the whole server is, as any of its processes can tell: from shared memory and /proc.

The master's own answer to `forkhttpd status` knows more of its children; this is for those who may
not ask the master, and so any worker can answer a scrape, always with the same numbers.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from forkhttpd import __version__
from forkhttpd.chronicle import Chronicle, Sample, Totals
from forkhttpd.scoreboard import Cell, Scoreboard, Slot, SlotState


@dataclass(frozen=True, slots=True)
class Process:
    """What workers and spawners have in common; uptime and cpu in seconds, memory in bytes."""

    pid: int
    number: int
    state: str
    generation: int
    uptime: float
    memory: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Worker(Process):
    """requests, bytes: since its start; worked: seconds in which its loop had something to do;
    answering: the requests that it answers now, the oldest first, as its own notes have them.
    """

    in_flight: int
    connections: int
    requests: int
    bytes: int
    worked: float
    answering: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Spawner(Process):
    """One spawner of the pool `name`; more than one lives only while one of them drains."""

    name: str
    running: int
    queued: int
    started: int
    refused: int


@dataclass(slots=True)
class Pool:
    """What all spawners of a pool together do, and have done since counting began; in seconds.

    failed, killed, overdue, starved: of the programs that have ended, see `Cell`.
    """

    running: int = 0
    queued: int = 0
    started: int = 0
    refused: int = 0
    failed: int = 0
    killed: int = 0
    overdue: int = 0
    starved: int = 0
    user: float = 0.0
    system: float = 0.0
    wall: float = 0.0
    waited: float = 0.0

    def add(self, slot: Slot) -> None:
        """Add what one spawner does and has done, or what those in a grave have done."""
        for name, cell in _COUNTS.items():
            setattr(self, name, getattr(self, name) + slot.get(cell))
        for name, cell in _MICROSECONDS.items():
            setattr(self, name, getattr(self, name) + slot.get(cell) / 1e6)


_COUNTS: Final = {
    "running": Cell.ACTIVE,
    "queued": Cell.QUEUED,
    "started": Cell.REQUESTS,
    "refused": Cell.REFUSED,
    "failed": Cell.FAILED,
    "killed": Cell.KILLED,
    "overdue": Cell.OVERDUE,
    "starved": Cell.STARVED,
}
_MICROSECONDS: Final = {
    "user": Cell.USER,
    "system": Cell.SYSTEM,
    "wall": Cell.WALL,
    "waited": Cell.WAITED,
}


@dataclass(frozen=True, slots=True)
class Overview:
    """time, since: seconds since the epoch; reloads: by verdict; ended: processes, by role; busy:
    seconds in which the loops of all workers that ever were had something to do; turned_away:
    connections that a limit kept out.
    """

    time: float
    since: float
    generation: int
    reloads: dict[str, int]
    workers: list[Worker]
    spawners: list[Spawner]
    pools: dict[str, Pool]
    ended: dict[str, int]
    busy: float
    turned_away: int
    totals: Totals
    version: str = field(default=__version__)

    def sample(self) -> Sample:
        """Return what the ring of samples keeps of it."""
        answers = self.totals.answers
        return Sample(
            time=int(self.time),
            requests=answers.total(),
            bytes=self.totals.sent.total(),
            failures=sum(n for (_, _, status), n in answers.items() if status.startswith("5")),
            active=sum(one.in_flight for one in self.workers),
            connections=sum(one.connections for one in self.workers),
            running=sum(one.running for one in self.spawners),
            queued=sum(one.queued for one in self.spawners),
            worked=int(self.busy * 1e9),
        )


_STATES: Final = {state: state.name.lower() for state in SlotState}


def look(scoreboard: Scoreboard, chronicle: Chronicle) -> Overview:
    """Return how it is now."""
    counted = scoreboard.steady(lambda: _count(scoreboard))
    workers = [_worker(slot, chronicle) for slot in counted.living if not slot.name]
    spawners = [_spawner(slot) for slot in counted.living if slot.name]
    taken, refused = scoreboard.reloads
    return Overview(
        time=time.time(),
        since=scoreboard.since,
        generation=max((one.generation for one in workers if one.state == "ready"), default=0),
        reloads={"taken": taken, "refused": refused},
        workers=sorted(workers, key=lambda one: (-one.generation, one.number)),
        spawners=sorted(spawners, key=lambda one: (-one.generation, one.name)),
        pools=dict(sorted(counted.pools.items())),
        ended=dict(counted.ended),
        busy=counted.worked / 1e9,
        turned_away=counted.turned_away,
        totals=chronicle.totals(),
    )


@dataclass(slots=True)
class _Count:
    """What moves from the living to the dead; it is taken at a moment when nothing does."""

    living: list[Slot]
    pools: dict[str, Pool] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=lambda: Counter(worker=0, spawner=0))
    worked: int = 0
    turned_away: int = 0


def _count(scoreboard: Scoreboard) -> _Count:
    counted = _Count(list(scoreboard.living()))
    for slot in (*counted.living, *scoreboard.graves()):
        name = slot.name
        counted.ended["spawner" if name else "worker"] += slot.get(Cell.ENDED)
        if not name:
            counted.worked += slot.get(Cell.WORKED)
            counted.turned_away += slot.get(Cell.REFUSED)
        else:
            counted.pools.setdefault(name, Pool()).add(slot)
    return counted


def _worker(slot: Slot, chronicle: Chronicle) -> Worker:
    return Worker(
        **_process(slot),
        in_flight=slot.get(Cell.ACTIVE),
        connections=slot.get(Cell.CONNECTIONS),
        requests=slot.get(Cell.REQUESTS),
        bytes=slot.get(Cell.BYTES),
        worked=slot.get(Cell.WORKED) / 1e9,
        answering=chronicle.notes(slot.index) or [] if slot.get(Cell.ACTIVE) else [],
    )


def _spawner(slot: Slot) -> Spawner:
    return Spawner(
        **_process(slot),
        name=slot.name,
        running=slot.get(Cell.ACTIVE),
        queued=slot.get(Cell.QUEUED),
        started=slot.get(Cell.REQUESTS),
        refused=slot.get(Cell.REFUSED),
    )


def _process(slot: Slot) -> dict[str, Any]:
    pid = slot.get(Cell.PID)
    memory, cpu = _used(pid)
    return {
        "pid": pid,
        "number": slot.get(Cell.NUMBER),
        "state": _STATES.get(SlotState(slot.get(Cell.STATE)), ""),
        "generation": slot.get(Cell.GENERATION),
        "uptime": max(time.monotonic_ns() - slot.get(Cell.BORN), 0) / 1e9,
        "memory": memory,
        "cpu": cpu,
    }


def _used(pid: int) -> tuple[int, float]:
    """Return resident bytes and seconds of CPU; nothing for who is gone or cannot be looked up."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return process.memory_info().rss, times.user + times.system
    except (psutil.Error, OSError):  # hidden from us, or no descriptor is left
        return 0, 0.0
