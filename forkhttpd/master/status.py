"""What the master has to say about itself and its children: the answer to `status`.

Times are seconds, sizes bytes.  What a child has counted is lost with its slot, so a `History`
takes it in when the child ends: totals only ever grow.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forkhttpd.inheritance import Role
from forkhttpd.master.actions import Verdict
from forkhttpd.master.child import Child
from forkhttpd.master.gauges import usage
from forkhttpd.master.policy import Policy
from forkhttpd.master.roster import Stage
from forkhttpd.scoreboard import Cell, Scoreboard, Slot

_NOW = {
    Role.WORKER: {"in_flight": Cell.ACTIVE, "connections": Cell.CONNECTIONS},
    Role.SPAWNER: {"running": Cell.ACTIVE, "queued": Cell.QUEUED},
}
_EVER = {
    Role.WORKER: {
        "requests": Cell.REQUESTS,
        "bytes": Cell.BYTES,
        "complained": Cell.COMPLAINED,
        "turned_away": Cell.REFUSED,
    },
    Role.SPAWNER: {
        "started": Cell.REQUESTS,
        "refused": Cell.REFUSED,
        "failed": Cell.FAILED,
        "killed": Cell.KILLED,
        "overdue": Cell.OVERDUE,
        "starved": Cell.STARVED,
        "user": Cell.USER,
        "system": Cell.SYSTEM,
        "wall": Cell.WALL,
        "waited": Cell.WAITED,
    },
}
_MICROSECONDS = frozenset({Cell.USER, Cell.SYSTEM, Cell.WALL, Cell.WAITED})


def _nothing() -> dict[str, float]:
    counts = {
        name: 0.0 if cell in _MICROSECONDS else 0
        for cells in _EVER.values()
        for name, cell in cells.items()
    }
    return {**counts, "ended_workers": 0, "ended_spawners": 0}


@dataclass(slots=True)
class History:
    """What was: the reloads, and what children that are gone have done.

    The scoreboard has its part of it, for those who may not ask the master.
    """

    scoreboard: Scoreboard
    began: float = field(default_factory=time.monotonic)
    taken: int = 0
    refused: int = 0
    verdict: Verdict | None = None
    judged_at: float = 0.0
    ended: dict[str, float] = field(default_factory=_nothing)

    def judge(self, verdict: Verdict) -> None:
        """Remember the verdict on a reload."""
        self.taken += verdict.code == 0
        self.refused += verdict.code != 0
        self.verdict, self.judged_at = verdict, time.monotonic()
        self.scoreboard.judge(taken=verdict.code == 0)

    def bury(self, child: Child) -> None:
        """Take in what a child that is gone has counted; its slot is empty afterwards."""
        slot = self.scoreboard.slot(child.slot)
        for name, cell in _EVER[child.role].items():
            self.ended[name] += _value(slot, cell)
        self.ended[f"ended_{child.role.value}s"] += 1
        self.scoreboard.bury(child.slot)


def status(policy: Policy, scoreboard: Scoreboard, history: History) -> Mapping[str, object]:
    """Return the whole answer, as JSON knows it."""
    now = time.monotonic()
    children = sorted(
        (child for child in policy.children.values() if child.pid),
        key=lambda child: (-child.generation, child.name, child.number),
    )
    workers = [
        {"number": child.number, **_child(child, scoreboard.slot(child.slot), now)}
        for child in children
        if child.role is Role.WORKER
    ]
    pools = [
        {"name": child.name, **_child(child, scoreboard.slot(child.slot), now)}
        for child in children
        if child.role is Role.SPAWNER
    ]
    return {
        "master": {
            "pid": os.getpid(),
            "state": policy.phase.value,
            "generation": _serving(policy),
            "uptime": round(now - history.began, 3),
            **_usage(os.getpid()),
        },
        "reloads": _reloads(history, now),
        "totals": _totals(history, [*workers, *pools]),
        "workers": workers,
        "pools": pools,
    }


def _serving(policy: Policy) -> int:
    """Return the number of the generation that serves, 0 if none does."""
    serving = [number for number, one in policy.rosters.items() if one.stage is Stage.SERVING]
    return max(serving, default=0)


def _reloads(history: History, now: float) -> dict[str, object]:
    last = history.verdict
    return {
        "taken": history.taken,
        "refused": history.refused,
        "code": None if last is None else int(last.code),
        "verdict": None if last is None else last.text,
        "ago": None if last is None else round(now - history.judged_at, 3),
    }


def _totals(history: History, living: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Add up what these have counted: the very numbers that stand beside them, read once."""
    sums = {
        name: ended + sum(one.get(name, 0) for one in living)
        for name, ended in history.ended.items()
    }
    return {name: round(sum_, 6) for name, sum_ in sums.items()}


def _value(slot: Slot, cell: Cell) -> float:
    value = slot.get(cell)
    return round(value / 1e6, 6) if cell in _MICROSECONDS else value


def _child(child: Child, slot: Slot, now: float) -> dict[str, Any]:
    """Return what workers and spawners have in common, and their cells.

    What is going on is read before what is done: who looks idle has counted everything.
    """
    cells = {**_NOW[child.role], **_EVER[child.role]}
    return {
        "pid": child.pid,
        "state": child.state.value,
        "generation": child.generation,
        "uptime": round(now - child.ready_at, 3) if child.ready_at is not None else 0.0,
        **{name: _value(slot, cell) for name, cell in cells.items()},
        **_marks(child.role, slot),
        **_usage(child.pid),
    }


def _marks(role: Role, slot: Slot) -> dict[str, float]:
    """Return what is of this child alone, and is not added up."""
    if role is Role.WORKER:
        return {"worked": round(slot.get(Cell.WORKED) / 1e9, 3)}
    return {"peak": slot.get(Cell.PEAK) << 10}


def _usage(pid: int) -> dict[str, object]:
    used = usage(pid)
    return {"memory": used.memory, "cpu": round(used.cpu, 2)}
