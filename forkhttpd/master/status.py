"""What the master has to say about itself and its children: the answer to `status`.

Times are seconds, sizes bytes.  Totals are those of the scoreboard, as in the metrics: they only
ever grow, and outlive children, reloads and upgrades.
"""

import os
import time
from collections.abc import Container, Mapping, Sequence
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
    """What was of this master: its start, and the last reload."""

    scoreboard: Scoreboard
    began: float = field(default_factory=time.monotonic)
    verdict: Verdict | None = None
    judged_at: float = 0.0

    def judge(self, verdict: Verdict) -> None:
        """Remember the verdict on a reload, and count it for all."""
        self.verdict, self.judged_at = verdict, time.monotonic()
        self.scoreboard.judge(taken=verdict.code == 0)


def status(policy: Policy, history: History) -> Mapping[str, object]:
    """Return the whole answer, as JSON knows it."""
    now, scoreboard = time.monotonic(), history.scoreboard
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
        "totals": _totals(scoreboard, [*workers, *pools], {child.slot for child in children}),
        "workers": workers,
        "pools": pools,
    }


def _serving(policy: Policy) -> int:
    """Return the number of the generation that serves, 0 if none does."""
    serving = [number for number, one in policy.rosters.items() if one.stage is Stage.SERVING]
    return max(serving, default=0)


def _reloads(history: History, now: float) -> dict[str, object]:
    last = history.verdict
    taken, refused = history.scoreboard.reloads
    return {
        "taken": taken,
        "refused": refused,
        "code": None if last is None else int(last.code),
        "verdict": None if last is None else last.text,
        "ago": None if last is None else round(now - history.judged_at, 3),
    }


def _totals(
    scoreboard: Scoreboard, shown: Sequence[Mapping[str, Any]], slots: Container[int]
) -> dict[str, float]:
    """Add up what these have counted, the very numbers that stand beside them, and all others.

    slots: theirs.  The others have ended, or drain for another master.
    """
    sums = scoreboard.steady(lambda: _count_others(scoreboard, slots))
    for name in sums:
        sums[name] = round(sums[name] + sum(one.get(name, 0) for one in shown), 6)
    return sums


def _count_others(scoreboard: Scoreboard, slots: Container[int]) -> dict[str, float]:
    sums = _nothing()
    for slot in (*scoreboard.living(), *scoreboard.graves()):
        if slot.index not in slots:
            role = Role.SPAWNER if slot.name else Role.WORKER
            for name, cell in _EVER[role].items():
                sums[name] += _value(slot, cell)
            sums[f"ended_{role.value}s"] += slot.get(Cell.ENDED)
    return sums


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
