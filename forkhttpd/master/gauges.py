"""What can be seen of a child from outside: its slot of the scoreboard, and the kernel's books."""

from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from forkhttpd.config import Config
from forkhttpd.inheritance import Role
from forkhttpd.master.child import Child
from forkhttpd.master.generation import Generation
from forkhttpd.master.scaling import Reading
from forkhttpd.scoreboard import Cell, Scoreboard, Slot


@dataclass(frozen=True, slots=True)
class Usage:
    """memory: resident bytes, pages shared with others included; cpu: seconds since its start."""

    memory: int
    cpu: float


def usage(pid: int) -> Usage:
    """Return what a process uses; nothing if it is gone, or if it cannot be looked up (EMFILE)."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Usage(process.memory_info().rss, times.user + times.system)
    except (psutil.Error, OSError):
        return Usage(0, 0.0)


def look(
    children: Iterable[Child], scoreboard: Scoreboard, serving: Generation | None
) -> dict[int, Reading]:
    """Return a reading for each worker of the serving generation, by slot."""
    if serving is None:
        return {}
    config = serving.config
    return {
        child.slot: _reading(child, scoreboard.slot(child.slot), config)
        for child in children
        if child.role is Role.WORKER and child.generation == serving.number and child.is_running
    }


def _reading(child: Child, slot: Slot, config: Config) -> Reading:
    return Reading(
        worked=slot.get(Cell.WORKED) / 1e9,
        connections=slot.get(Cell.CONNECTIONS) / config.limits.connections,
        memory=usage(child.pid).memory if config.worker_memory else 0,
    )
