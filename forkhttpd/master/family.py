"""The children that live, as records: who is born, who is late, who is told what.

Every child has a slot of the scoreboard, which names it.  A new master in an upgrade is a child as
well, but without a slot: it has a scoreboard's half of its own, and is known as the successor.
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from logging import ERROR, WARNING

from forkhttpd.inheritance import Role
from forkhttpd.master import actions
from forkhttpd.master.child import NEVER, OVERDUE, STOP_NOW, Child, State, Step
from forkhttpd.master.roster import Crew, Plan, Roster

STALL = 1.0  # seconds after a deadline: so late comes only a master that did not run

_NO_SLOT = -1


class Family:
    """children: by slot; successor: the new master while it starts, None before and after."""

    __slots__ = ("_do", "_slots", "children", "successor")

    def __init__(self, do: Callable[[actions.Action], None], slots: Sequence[int]) -> None:
        self._do = do
        self._slots = slots  # that we may give to a child
        self.children: dict[int, Child] = {}
        self.successor: Child | None = None

    def __iter__(self) -> Iterator[Child]:
        yield from self.children.values()
        if self.successor is not None:
            yield self.successor

    def man(self, roster: Roster, crew: Crew, now: float, *, is_last: bool) -> None:
        """Bring a crew to its number; `is_last`: nobody serves after those who leave."""
        wanted = roster.wanted(crew)
        for child in crew.surplus(wanted):
            self._drain(roster.plan, child, now, is_last=is_last)
        if now >= crew.not_before:
            for _ in range(crew.vacancies(wanted)):
                self._start(roster, crew, now)

    def _drain(self, plan: Plan, child: Child, now: float, *, is_last: bool) -> None:
        """Let a child finish: HUP says that others serve on, TERM that nobody does.

        To stop accepting takes a turn of its loop, which has as long as between two heartbeats.
        """
        if child.state is State.STARTING or child.is_running:
            step = Step(signal.SIGTERM, State.DRAINING, plan.grace(child, now), "")
            if child.role is Role.WORKER and not is_last:
                step = Step(signal.SIGHUP, State.YIELDING, plan.heartbeat, "")
            self.push(child, step, now)

    def has_yielded(self, slot: int, rosters: Mapping[int, Roster], now: float) -> None:
        """A worker accepts no more; what it has still to do may take its time."""
        child = self.children[slot]
        if child.state is State.YIELDING:
            graceful = rosters[child.generation].plan.graceful
            self.push(child, Step(None, State.DRAINING, graceful, ""), now)

    def _start(self, roster: Roster, crew: Crew, now: float) -> None:
        slot = next((slot for slot in self._slots if slot not in self.children), None)
        if slot is None:
            crew.not_before = now + 1.0
            words = (
                f"no room for another {crew.role.value}: there are {len(self.children)} children"
            )
            self._do(actions.Log(ERROR, words))
            return
        plan, number = roster.plan, crew.free_number()
        child = Child(crew.role, crew.name, number, slot, plan.generation, now + plan.start)
        self.children[slot] = child
        crew.members.append(child)
        self._do(actions.Fork(child))

    def launch(self, deadline: float) -> None:
        """Start a new master, which has until `deadline` to become ready."""
        self.successor = Child(Role.MASTER, "", 1, _NO_SLOT, 0, deadline)
        self._do(actions.Launch(self.successor))

    def push(self, child: Child, step: Step, now: float) -> None:
        """Let a child take a step, with the signal that belongs to it."""
        child.state = step.state
        child.deadline = now + step.grace
        if step.signal is not None:
            self._do(actions.Kill(child, step.signal))

    def urge(self) -> None:
        """Nobody serves on after those who drain for a reload: their idle clients need not wait."""
        for child in self.children.values():
            if child.state in (State.YIELDING, State.DRAINING):
                self._do(actions.Kill(child, signal.SIGTERM))

    def stop_now(self, now: float) -> None:
        """Let everybody stop who was not told so yet."""
        for child in self.children.values():
            if child.state not in (State.STOPPING, State.KILLED, State.DOOMED):
                self.push(child, STOP_NOW, now)

    def forget(self, slot: int, rosters: Mapping[int, Roster]) -> Child:
        """Strike out a child that is gone, and return it."""
        child = self.children.pop(slot)
        rosters[child.generation].crew(child).members.remove(child)
        return child

    def deadline(self) -> float:
        """Return when the first of them is late."""
        return min((child.deadline for child in self), default=NEVER)

    def forgive(self, late: float) -> None:
        """The master is `late` seconds late itself: that counts against nobody."""
        if late > STALL:
            for child in self:
                child.deadline += late + STALL

    def hear(self, beats: Mapping[int, float], rosters: Mapping[int, Roster]) -> None:
        """Take in the last heartbeats, by slot."""
        for slot, beat in beats.items():
            child = self.children[slot]
            child.has_beaten(beat + rosters[child.generation].plan.heartbeat)

    def hurry(self, now: float) -> None:
        """Let everybody who is late take the next step."""
        for child in self:
            if child.deadline <= now:
                step = OVERDUE[child.state]
                if step.signal is not None:
                    child.verdict = step.verdict
                    words = f"{child} {step.verdict}: {step.signal.name}"
                    self._do(actions.Log(WARNING, words))
                self.push(child, step, now)
