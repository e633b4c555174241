"""Plays the outside world to the policy: a clock that only we turn, and children that obey.

Each method tells one event and returns the actions that it led to.
"""

import signal
from collections.abc import Sequence
from typing import Any

from forkhttpd.inheritance import Role
from forkhttpd.master import actions, events
from forkhttpd.master.child import Child, State
from forkhttpd.master.policy import Policy
from forkhttpd.master.roster import Plan
from forkhttpd.master.succession import Situation

PLAN = Plan(
    generation=1,
    workers=2,
    pools=("default",),
    start=10.0,
    graceful=30.0,
    heartbeat=10.0,
    spawner_grace=5.0,
)


class Play:
    """A policy, the time, and everything that it has asked for so far."""

    def __init__(self, plan: Plan = PLAN, **situation: Any) -> None:
        self.now = 1000.0
        self.plan = plan
        self.policy = Policy(plan, Situation(**situation))
        self.done: list[actions.Action] = []
        self._pid = 100

    # Events.

    def begin(self) -> list[actions.Action]:
        return self.tell(events.Begin())

    def signal(self, number: signal.Signals) -> list[actions.Action]:
        return self.tell(events.Signalled(number))

    def ready(self, *children: Child) -> list[actions.Action]:
        return [one for child in children for one in self.tell(events.Ready(child.slot))]

    def yields(self, *children: Child) -> list[actions.Action]:
        return [one for child in children for one in self.tell(events.Yielded(child.slot))]

    def dies(self, child: Child, code: int = -9, report: str = "") -> list[actions.Action]:
        return self.tell(events.Exited(child.slot, code, report))

    def leave(self, children: Sequence[Child]) -> list[actions.Action]:
        """They go as they were asked to."""
        return [one for child in children for one in self.dies(child, 0)]

    def loaded(self, plan: Plan) -> list[actions.Action]:
        return self.tell(events.Loaded(plan))

    def not_loaded(self, reason: str) -> list[actions.Action]:
        return self.tell(events.NotLoaded(reason))

    def after(self, seconds: float, *, beating: bool = True) -> list[actions.Action]:
        """Let time pass, from deadline to deadline; the children beat, unless they do not."""
        end, before = self.now + seconds, len(self.done)
        while (due := max(self.policy.deadline(), self.now)) <= end:
            self.now = due
            self.tick(beating=beating)
        self.now = end
        return self.done[before:]

    def tick(self, *, beating: bool = True) -> list[actions.Action]:
        beats = dict.fromkeys(self.policy.children, self.now) if beating else {}
        return self.tell(events.Tick(beats))

    def tell(self, event: events.Event) -> list[actions.Action]:
        found = self.policy.handle(event, self.now)
        for action in found:
            if isinstance(action, actions.Fork | actions.Launch):
                self._pid += 1
                action.child.pid = self._pid
        self.done += found
        return found

    # What is.

    def children(self, generation: int, role: Role | None = None) -> list[Child]:
        return [
            child
            for child in self.policy.children.values()
            if child.generation == generation and role in (None, child.role)
        ]

    def workers(self, generation: int = 1) -> list[Child]:
        return self.children(generation, Role.WORKER)

    def spawner(self, generation: int = 1) -> Child:
        (found,) = self.children(generation, Role.SPAWNER)
        return found

    # Ways that many tests begin with.

    def serve(self) -> "Play":
        """Start, and have everybody ready."""
        self.begin()
        self.ready(*self.children(1))
        self.after(60.0)
        return self

    def next_plan(self, **changes: Any) -> Plan:
        """Answer a Load with the next generation's plan."""
        number = [one.generation for one in self.done if isinstance(one, actions.Load)][-1]
        values = {name: getattr(self.plan, name) for name in Plan.__slots__}
        plan = Plan(**{**values, "generation": number, **changes})
        self.loaded(plan)
        return plan

    def reload(self) -> int:
        """Take up a next generation, for which the last one yields; return its number."""
        self.swap()
        self.yields(*self.yielding())
        return self.policy.reload.newest

    def swap(self) -> list[actions.Action]:
        """Have a next generation ready, so that the last one is told to go."""
        self.signal(signal.SIGHUP)
        return self.ready(*self.children(self.next_plan().generation))

    def yielding(self) -> list[Child]:
        return [one for one in self.policy.children.values() if one.state is State.YIELDING]


def forked(found: Sequence[actions.Action]) -> list[str]:
    """Return whom these actions start, as "worker 1"."""
    return [str(one.child).split(" (")[0] for one in found if isinstance(one, actions.Fork)]


def killed(found: Sequence[actions.Action]) -> list[tuple[Child, str]]:
    """Return who gets which signal."""
    return [
        (one.child, one.signal.name.removeprefix("SIG"))
        for one in found
        if isinstance(one, actions.Kill)
    ]


def logged(found: Sequence[actions.Action], level: int = 0) -> list[str]:
    """Return the lines of at least this level."""
    return [one.text for one in found if isinstance(one, actions.Log) and one.level >= level]


def only(found: Sequence[actions.Action], kind: type[actions.Action]) -> list[actions.Action]:
    """Return the actions of one kind."""
    return [one for one in found if isinstance(one, kind)]
