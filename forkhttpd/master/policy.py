"""What the master decides: events in, actions out; no I/O and no clock.

`handle` takes one event and returns what has to be done.  An event changes only the record it is
about; then `_settle` compares what is with what ought to be and closes the gap: it starts who is
missing, drains who is too many, swaps generations, goes on with a reload that waited, and leaves.
So there is one place that forks and one that sends TERM, whatever the reason.

The rules:
* One transition at a time.  A HUP during a transition is kept, and the last one wins; TERM, INT
  and QUIT go before everything.
* A reload replaces nothing until every worker and every spawner of the next generation is READY.
  Whatever goes wrong before that puts the next generation away, and the serving one has not
  noticed (M8).
* A generation drains from the outside in: first its workers, then the spawners that they ask.
* At most MAX_DRAINING generations drain at once; a reload waits for its turn.
* Time in which the master itself did not run (a stopped process, a busy machine) counts against
  nobody.
"""

import signal
from collections.abc import Callable
from enum import Enum
from logging import DEBUG, ERROR, INFO, WARNING

from forkhttpd.errors import ExitCode
from forkhttpd.inheritance import Role
from forkhttpd.master import actions, events
from forkhttpd.master.child import NEVER, OVERDUE, STOP_NOW, Child, State, Step
from forkhttpd.master.roster import EARLY, Crew, Plan, Roster, Stage
from forkhttpd.scoreboard import SLOTS

MAX_DRAINING = 4  # generations that drain at once
STALL = 1.0  # seconds after a deadline: so late comes only a master that did not run

# A child that ends so has found out that it cannot run; it would find out again.
_FINAL = frozenset({ExitCode.UNAVAILABLE, ExitCode.OSERR, ExitCode.CONFIG})


class Phase(Enum):
    """Where the master is."""

    STARTING = "starting"  # no generation has been ready yet
    SERVING = "serving"
    LOADING = "loading"  # the shell opens the next generation
    SWAPPING = "swapping"  # the next generation starts beside the serving one
    STOPPING = "stopping"


class Policy:
    """The master's mind.  `children` (by slot) and `rosters` (by generation) are for reading."""

    def __init__(self, plan: Plan, *, daemonized: bool) -> None:
        self.phase = Phase.STARTING
        self.children: dict[int, Child] = {}
        self.rosters: dict[int, Roster] = {plan.generation: Roster(plan)}
        self._newest = plan.generation
        self._reload_wanted = False
        self._sweeping = False
        self._exit = actions.Exit(ExitCode.STOPPED, "")
        self._actions: list[actions.Action] = []
        self._orders: dict[signal.Signals, Callable[[float], None]] = {
            signal.SIGHUP: self._ask_for_reload,
            signal.SIGTERM: self._stop_gracefully,
            signal.SIGINT: self._stop_now,
            signal.SIGQUIT: self._stop_now,
            signal.SIGUSR1: lambda _now: self._do(actions.Reopen()),
            signal.SIGTTIN: lambda _now: self._resize(lambda workers: workers + 1),
            signal.SIGTTOU: lambda _now: self._resize(lambda workers: max(workers - 1, 1)),
            # A terminal sends WINCH whenever its window changes, so only a daemon obeys.
            signal.SIGWINCH: lambda _now: self._resize(
                lambda workers: 0 if daemonized else workers
            ),
        }

    def handle(self, event: events.Event, now: float) -> list[actions.Action]:
        """Return what has to be done about `event`; `now` is CLOCK_MONOTONIC in seconds."""
        match event:
            case events.Begin():
                pass
            case events.Signalled():
                self._orders[event.number](now)
            case events.Ready():
                self._is_ready(self.children[event.slot], now)
            case events.Exited():
                self._has_exited(self._forget(event.slot), event, now)
            case events.NotForked():
                child = self._forget(event.slot)
                self._lost(child, f"{child} could not be forked: {event.reason}", now, code=-1)
            case events.Loaded():
                self._is_loaded(event.plan)
            case events.NotLoaded():
                self._refuse(event.reason)
            case events.Swept():
                self._sweeping = False
            case events.Tick():
                self._tick(event, now)
        self._settle(now)
        decided, self._actions = self._actions, []
        return decided

    def deadline(self) -> float:
        """Return when the next Tick is due; NEVER if nothing is waited for."""
        overdue = min((child.deadline for child in self.children.values()), default=NEVER)
        return min(overdue, *(roster.next_boot() for roster in self.rosters.values()), NEVER)

    # What a signal asks for.

    def _ask_for_reload(self, _now: float) -> None:
        if self.phase is Phase.STOPPING:
            return
        if self.phase is not Phase.SERVING or self._is_crowded():
            self._log(INFO, "reload: waits until the last one is done")
        self._reload_wanted = True

    def _stop_gracefully(self, _now: float) -> None:
        if self.phase is not Phase.STOPPING:
            self._log(INFO, "stopping: what is running may finish")
            self._stop(Stage.DRAINING)
            for child in self.children.values():
                if child.state is State.DRAINING:  # for a reload; idle clients need not wait now
                    self._do(actions.Kill(child, signal.SIGTERM))

    def _stop_now(self, now: float) -> None:
        self._log(INFO, "stopping now")
        self._stop(Stage.ENDING)
        for child in self.children.values():
            if child.state not in (State.STOPPING, State.KILLED, State.DOOMED):
                self._push(child, STOP_NOW, now)

    def _stop(self, stage: Stage) -> None:
        if self.phase is not Phase.STOPPING:
            self._do(actions.Notify(actions.Notice.STOPPING, "stopping"))
        self.phase = Phase.STOPPING
        self._reload_wanted = False
        for roster in self.rosters.values():
            self._put_away(roster, stage)

    def _resize(self, change: Callable[[int], int]) -> None:
        for roster in self.rosters.values():
            if roster.stage in (Stage.STARTING, Stage.SERVING):
                roster.workers.target = change(roster.workers.target)
                self._log(INFO, f"workers: {roster.workers.target}")

    # What becomes of a child.

    def _is_ready(self, child: Child, now: float) -> None:
        if child.state is not State.STARTING:
            return
        roster = self.rosters[child.generation]
        child.state = State.READY
        child.ready_at = now
        child.deadline = now + roster.plan.heartbeat if child.role is Role.WORKER else NEVER
        roster.crew(child).succeed()
        self._log(DEBUG, f"{child} is ready")

    def _forget(self, slot: int) -> Child:
        child = self.children.pop(slot)
        self.rosters[child.generation].crew(child).members.remove(child)
        return child

    def _has_exited(self, child: Child, event: events.Exited, now: float) -> None:
        if child.role is Role.SPAWNER and not (child.is_leaving and event.code == 0):
            self._sweeping = True
            self._do(actions.Sweep())
        end = child.describe_end(event.code)
        if child.is_leaving:
            self._log(DEBUG, end)
            return
        reason = f"{end}: {event.report}" if event.report else end
        self._lost(child, reason, now, code=event.code)

    def _lost(self, child: Child, reason: str, now: float, *, code: int) -> None:
        """A child that was wanted is gone: give up, put its generation away, or try again."""
        roster = self.rosters[child.generation]
        crew = roster.crew(child)
        if child.ready_at is None or now - child.ready_at < EARLY:
            crew.fail(now)
        if self.phase is Phase.STARTING and not crew.ever_ready:
            self._doubt(crew, reason, code)
        elif roster.stage is Stage.STARTING and self.phase is Phase.SWAPPING:
            self._refuse(reason)
        else:
            self._log(ERROR if code else INFO, reason + self._outlook(roster, crew, now))

    def _outlook(self, roster: Roster, crew: Crew, now: float) -> str:
        if not crew.vacancies(roster.wanted(crew)):
            return ""
        wait = crew.not_before - now
        return f", next try in {wait:.0f} s" if wait > 0 else ", respawned"

    def _doubt(self, crew: Crew, reason: str, code: int) -> None:
        """The first boots of a crew fail: try again, or see that it is of no use."""
        final = code in _FINAL
        if not final and not crew.is_backing_off:
            self._log(WARNING, f"{reason}, trying again")
            return
        times = "" if final else f" ({crew.failures} attempts, none was ever ready)"
        self._exit = actions.Exit(code if final else ExitCode.SOFTWARE, f"{reason}{times}")
        self._log(ERROR, f"cannot start: {self._exit.reason}")
        self._stop(Stage.DRAINING)

    # What becomes of a generation.

    def _is_loaded(self, plan: Plan) -> None:
        self.phase = Phase.SWAPPING
        self.rosters[plan.generation] = Roster(plan)

    def _refuse(self, reason: str) -> None:
        """The next generation cannot be: everything stays as it is (M8)."""
        self.phase = Phase.SERVING
        verdict = f"reload refused, nothing changed: {reason}"
        self._log(ERROR, verdict)
        self._do(actions.Notify(actions.Notice.READY, verdict))
        for roster in self._at(Stage.STARTING):
            self._put_away(roster, Stage.DRAINING)

    def _put_away(self, roster: Roster, stage: Stage) -> None:
        if roster.stage in (Stage.STARTING, Stage.SERVING):
            self._do(actions.Release(roster.plan.generation))
        roster.stage = stage

    # What time brings.

    def _tick(self, event: events.Tick, now: float) -> None:
        self._forgive(now)
        for slot, beat in event.beats.items():
            self._has_beaten(self.children[slot], beat)
        for child in self.children.values():
            if child.deadline <= now:
                self._is_overdue(child, now)

    def _forgive(self, now: float) -> None:
        late = now - self.deadline()
        if late > STALL:
            for child in self.children.values():
                child.deadline += late + STALL

    def _has_beaten(self, child: Child, beat: float) -> None:
        due = beat + self.rosters[child.generation].plan.heartbeat
        if child.role is Role.WORKER and child.is_running and due > child.deadline:
            child.state = State.READY
            child.deadline = due

    def _is_overdue(self, child: Child, now: float) -> None:
        step = OVERDUE[child.state]
        if step.signal is not None:
            child.verdict = step.verdict
            self._log(WARNING, f"{child} {step.verdict}: {step.signal.name}")
        self._push(child, step, now)

    # What ought to be.

    def _settle(self, now: float) -> None:
        self._swap()
        for roster in self.rosters.values():
            for crew in roster.crews():
                self._man(roster, crew, now)
        self._close_the_finished()
        if self._reload_wanted and self.phase is Phase.SERVING and not self._is_crowded():
            self._load_next()
        if self.phase is Phase.STOPPING and not self.children and not self._sweeping:
            self._do(self._exit)

    def _swap(self) -> None:
        """Let the starting generation serve as soon as it is complete."""
        for starting in self._at(Stage.STARTING):
            if starting.is_complete:
                serving = self._at(Stage.SERVING)
                self._adopt(starting, "reloaded" if serving else "ready")
                for roster in serving:
                    self._put_away(roster, Stage.DRAINING)

    def _adopt(self, roster: Roster, verb: str) -> None:
        number = roster.plan.generation
        roster.stage = Stage.SERVING
        self.phase = Phase.SERVING
        self._do(actions.Adopt(number))
        self._log(INFO, f"{verb}: {roster}")
        status = f"serving: {roster}, generation {number}"
        self._do(actions.Notify(actions.Notice.READY, status))

    def _man(self, roster: Roster, crew: Crew, now: float) -> None:
        """Bring a crew to its number."""
        wanted = roster.wanted(crew)
        for child in crew.staff()[wanted:]:
            self._drain(roster.plan, child, now)
        if now >= crew.not_before:
            for _ in range(crew.vacancies(wanted)):
                self._start(roster, crew, now)

    def _start(self, roster: Roster, crew: Crew, now: float) -> None:
        slot = next((slot for slot in range(SLOTS) if slot not in self.children), None)
        if slot is None:
            crew.not_before = now + 1.0
            self._log(ERROR, f"no room for another {crew.role.value}: there are {SLOTS} children")
            return
        plan = roster.plan
        number = crew.free_number()
        child = Child(crew.role, crew.name, number, slot, plan.generation, now + plan.start)
        self.children[slot] = child
        crew.members.append(child)
        self._do(actions.Fork(child))

    def _drain(self, plan: Plan, child: Child, now: float) -> None:
        """Let a child finish: HUP says that others serve on, TERM that nobody does."""
        grace = plan.graceful if child.role is Role.WORKER else plan.spawner_grace
        if child.state is State.STARTING:  # has little to finish, and perhaps it hangs
            grace = min(grace, max(child.deadline - now, 0.0))
        if child.state is State.STARTING or child.is_running:
            served_on = child.role is Role.WORKER and self.phase is not Phase.STOPPING
            number = signal.SIGHUP if served_on else signal.SIGTERM
            self._push(child, Step(number, State.DRAINING, grace, ""), now)

    def _close_the_finished(self) -> None:
        finished = self._at(Stage.DRAINING) + self._at(Stage.ENDING)
        for number in [roster.plan.generation for roster in finished if roster.is_empty]:
            del self.rosters[number]
            self._do(actions.Close(number))

    def _load_next(self) -> None:
        self._reload_wanted = False
        self.phase = Phase.LOADING
        self._newest += 1
        self._do(actions.Notify(actions.Notice.RELOADING, "reloading"))
        self._do(actions.Load(self._newest))

    # Small words.

    def _at(self, stage: Stage) -> list[Roster]:
        return [roster for roster in self.rosters.values() if roster.stage is stage]

    def _is_crowded(self) -> bool:
        return len(self._at(Stage.DRAINING)) >= MAX_DRAINING

    def _push(self, child: Child, step: Step, now: float) -> None:
        child.state = step.state
        child.deadline = now + step.grace
        if step.signal is not None:
            self._do(actions.Kill(child, step.signal))

    def _do(self, action: actions.Action) -> None:
        self._actions.append(action)

    def _log(self, level: int, text: str) -> None:
        self._do(actions.Log(level, text))
