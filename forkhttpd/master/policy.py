"""What the master decides: events in, actions out; no I/O and no clock.

`handle` takes one event and returns what has to be done.  An event changes only the record it is
about; then `_settle` compares what is with what ought to be and closes the gap: it starts who is
missing, drains who is too many, swaps generations, goes on with a reload that waited, and leaves.
So there is one place that forks and one that sends TERM, whatever the reason.

The rules:
* One transition at a time, reload or upgrade.  A HUP or USR2 during one is kept, and the last one
  wins; TERM, INT and QUIT go before everything.
* A reload replaces nothing until every worker and every spawner of the next generation is READY.
  Whatever goes wrong before that puts the next generation away, and the serving one has not
  noticed (M8).  It is done when no worker of the last generation accepts connections any more.
* A generation drains from the outside in: first its workers, then the spawners that they ask.
* At most MAX_DRAINING generations drain at once; a reload waits for its turn.
* Time in which the master itself did not run, stopped or on a busy machine, counts against nobody.
"""

import signal
from collections.abc import Callable, Iterable, Mapping
from logging import DEBUG, ERROR, INFO, WARNING

from forkhttpd.errors import ExitCode
from forkhttpd.inheritance import Role
from forkhttpd.master import actions, events
from forkhttpd.master.actions import Notice
from forkhttpd.master.child import NEVER, STOP_NOW, Child, State, Step
from forkhttpd.master.family import Family
from forkhttpd.master.herald import Herald, describe, is_well
from forkhttpd.master.lameduck import LameDuck
from forkhttpd.master.phase import LEAVING, Phase
from forkhttpd.master.reload import Reload
from forkhttpd.master.roster import EARLY, Crew, Plan, Roster, Stage
from forkhttpd.master.scaling import Reading
from forkhttpd.master.succession import Situation, Succession

MAX_DRAINING = 4  # generations that drain at once

# A child that ends so has found out that it cannot run; it would find out again.
_FINAL = frozenset({ExitCode.UNAVAILABLE, ExitCode.OSERR, ExitCode.CONFIG})


class Policy:
    """The master's mind.  `children` (by slot) and `rosters` (by generation) are for reading.

    reload: whether one waits, and the number of the last generation that was asked for;
    look_at: when the shell is to look at the workers: Looked; NEVER if nobody asks.
    """

    def __init__(self, plan: Plan, situation: Situation) -> None:
        self.phase = Phase.STARTING
        self._family = Family(self._do, situation.slots)
        self.children = self._family.children
        self._succession = Succession(self._do, self._family, situation)
        self._herald = Herald(self._do, situation)
        self._lame_duck = LameDuck(self._do)
        self.rosters: dict[int, Roster] = {plan.generation: Roster(plan)}
        self.look_at = NEVER
        self.reload = Reload(self._do, newest=plan.generation)
        self._sweeping = False
        self._exit = actions.Exit(ExitCode.STOPPED, "")
        self._actions: list[actions.Action] = []
        self._orders: dict[signal.Signals, Callable[[float], None]] = {
            signal.SIGHUP: self._ask_for_reload,
            signal.SIGTERM: self._stop_gracefully,
            signal.SIGINT: self._stop_now,
            signal.SIGQUIT: self._stop_now,
            signal.SIGUSR1: self._reopen,
            signal.SIGUSR2: self._ask_for_upgrade,
            signal.SIGTTIN: lambda _now: self._resize(lambda crew: crew.target + 1),
            signal.SIGTTOU: lambda _now: self._resize(lambda crew: max(crew.target - 1, 1)),
        }
        if situation.daemonized:  # a terminal sends WINCH whenever its window changes
            self._orders[signal.SIGWINCH] = lambda _now: self._resize(lambda _crew: 0)

    def handle(self, event: events.Event, now: float) -> list[actions.Action]:
        """Return what has to be done about `event`; `now` is CLOCK_MONOTONIC in seconds."""
        match event:
            case events.Signalled() if event.number in self._orders:
                self._orders[event.number](now)
            case events.Ready():
                self._is_ready(self.children[event.slot], now)
            case events.Yielded():
                self._family.has_yielded(event.slot, self.rosters, now)
            case events.Exited():
                self._has_exited(self._family.forget(event.slot, self.rosters), event, now)
            case events.NotForked():
                child = self._family.forget(event.slot, self.rosters)
                reason = f"{child} could not be forked: {event.reason}"
                self._lost(child, reason, now, code=ExitCode.OSERR)
            case events.Loaded():
                self._is_loaded(event.plan)
            case events.NotLoaded():
                self._refuse(event.reason, now, code=event.code)
            case events.Swept():
                self._sweeping = False
            case events.SuccessorReady():
                self._retire()
            case events.SuccessorExited():
                self._stay(self._succession.lose(event.code, event.report))
            case events.Relieved():
                self._succession.relieve()
            case events.PredecessorExited():
                self._succession.lead()
            case events.Worn():
                self.children[event.slot].worn = True
            case events.Looked():
                self._has_looked(event.readings, now)
            case events.Tick():
                self._tick(event, now)
        self._settle(now)
        decided, self._actions = self._actions, []
        return decided

    def deadline(self) -> float:
        """Return when the next Tick is due; NEVER if nothing is waited for."""
        boots = (roster.next_boot() for roster in self.rosters.values())
        others = (self._herald.deadline, self._lame_duck.until)
        return min(self._family.deadline(), *others, *boots)

    # What a signal asks for.

    def _ask_for_reload(self, _now: float) -> None:
        if self.phase not in LEAVING:
            self.reload.ask(busy=self.phase is not Phase.SERVING or self._is_crowded())

    def _ask_for_upgrade(self, _now: float) -> None:
        if self.phase not in LEAVING:
            self._succession.ask(busy=self.phase is not Phase.SERVING)

    def _reopen(self, _now: float) -> None:
        self._do(actions.Reopen())
        self._succession.pass_on(signal.SIGUSR1)

    def _stop_gracefully(self, now: float) -> None:
        may_linger = self.phase in (Phase.SERVING, Phase.SWAPPING)
        if may_linger and self._lame_duck.begin(self.rosters.values(), now):
            self._leave(Phase.LAME_DUCK, now)
            self._put_away(self._at(Stage.STARTING), Stage.ENDING)
        elif self.phase is not Phase.STOPPING:
            self._log(INFO, "stopping: what is running may finish")
            self._stop(Stage.DRAINING, now)
            grace = max((one.plan.graceful for one in self.rosters.values()), default=0.0)
            self._succession.stop(Step(signal.SIGTERM, State.DRAINING, grace, ""), now)
            self._family.urge()

    def _stop_now(self, now: float) -> None:
        self._log(INFO, "stopping now")
        self._stop(Stage.ENDING, now)
        self._succession.stop(STOP_NOW, now)
        self._family.stop_now(now)

    def _stop(self, stage: Stage, now: float) -> None:
        self._leave(Phase.STOPPING, now)
        self._put_away(self.rosters.values(), stage)

    def _leave(self, phase: Phase, now: float) -> None:
        if self.phase is not phase:
            self.phase = phase
            self._herald.tell(Notice.STOPPING, self._status(), now)
        self.reload.wanted = False

    def _resize(self, change: Callable[[Crew], int]) -> None:
        for roster in self.rosters.values():
            if roster.stage in (Stage.STARTING, Stage.SERVING):
                self._log(INFO, roster.resize(change(roster.workers)))

    # What a look at the workers shows.

    def _has_looked(self, readings: Mapping[int, Reading], now: float) -> None:
        self.look_at = NEVER
        for roster in self._at(Stage.SERVING):
            self.look_at = now + roster.look_pause
            for line in roster.look(readings, now):
                self._log(INFO, line)

    # What becomes of a child.

    def _is_ready(self, child: Child, now: float) -> None:
        if child.state is not State.STARTING:
            return
        roster = self.rosters[child.generation]
        child.state = State.READY
        child.ready_at = now
        child.deadline = now + roster.plan.heartbeat if child.role is Role.WORKER else NEVER
        roster.crew(child).succeed()
        self._lame_duck.greet(child)
        self._log(DEBUG, f"{child} is ready")

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
            self._doubt(crew, reason, now, code=code)
        elif roster.stage is Stage.STARTING and self.phase is Phase.SWAPPING:
            self._refuse(reason, now, code=code if code in _FINAL else ExitCode.SOFTWARE)
        else:
            self._log(ERROR if code else INFO, reason + crew.outlook(roster.wanted(crew), now))

    def _doubt(self, crew: Crew, reason: str, now: float, *, code: int) -> None:
        """The first boots of a crew fail: try again, or see that it is of no use."""
        final = code in _FINAL
        if not final and not crew.is_backing_off:
            self._log(WARNING, f"{reason}, trying again")
            return
        times = "" if final else f" ({crew.failures} attempts, none was ever ready)"
        self._exit = actions.Exit(code if final else ExitCode.SOFTWARE, f"{reason}{times}")
        # In an upgrade the old master says it, as an error, once.
        level = INFO if self._succession.is_subordinate else ERROR
        self._log(level, f"cannot start: {self._exit.reason}")
        self._stop(Stage.ENDING, now)

    # What becomes of a generation.

    def _is_loaded(self, plan: Plan) -> None:
        self.phase = Phase.SWAPPING
        roster = self.rosters[plan.generation] = Roster(plan)
        for serving in self._at(Stage.SERVING):
            roster.start_like(serving)

    def _refuse(self, reason: str, now: float, *, code: int) -> None:
        """The next generation cannot be: everything stays as it is (M8)."""
        self.phase = Phase.SERVING
        self._herald.refusal = self.reload.fail(reason, code=code)
        self._herald.tell(Notice.READY, self._status(), now)
        # It has served nobody: no need to be patient.
        self._put_away(self._at(Stage.STARTING), Stage.ENDING)

    def _put_away(self, rosters: Iterable[Roster], stage: Stage) -> None:
        for roster in rosters:
            if roster.stage in (Stage.STARTING, Stage.SERVING):
                self._do(actions.Release(roster.plan.generation))
            roster.stage = stage

    # What becomes of an upgrade.

    def _upgrade(self, now: float) -> None:
        self.phase = Phase.UPGRADING
        starts = [roster.plan.start for roster in self._at(Stage.SERVING)]
        self._succession.launch(now, start=max(starts))

    def _retire(self) -> None:
        """The new master is ready: it serves, what is running here may finish."""
        if self.phase is not Phase.UPGRADING:
            return
        self._succession.hand_over(reload=self.reload.wanted)
        self.reload.leave()
        self.phase, self._herald.is_mute = Phase.RETIRING, True
        self._put_away(self.rosters.values(), Stage.DRAINING)

    def _stay(self, reason: str) -> None:
        """The new master is no more: everything stays as it is."""
        if self.phase is Phase.UPGRADING:
            self.phase = Phase.SERVING
            self._herald.refusal = f"upgrade refused, nothing changed: {reason}"
            self._log(ERROR, self._herald.refusal)

    # What time brings.

    def _tick(self, event: events.Tick, now: float) -> None:
        self._family.forgive(now - self.deadline())
        self._family.hear(event.beats, self.rosters)
        self._family.hurry(now)
        if self._lame_duck.is_over(now):
            self._stop_gracefully(now)

    # What ought to be.

    def _settle(self, now: float) -> None:
        self._swap()
        for roster in self.rosters.values():
            for crew in roster.crews():
                self._family.man(roster, crew, now, is_last=self.phase is Phase.STOPPING)
        self._close_the_finished()
        self._conclude(now)
        if self.phase is Phase.SERVING and self._succession.may_launch:
            self._upgrade(now)
        elif self.phase is Phase.SERVING and self.reload.wanted and not self._is_crowded():
            self._load_next(now)
        self._herald.keep_up(self._status(), now, is_well=is_well(self.rosters.values()))
        is_done = not self.children and not self._sweeping and self._succession.is_alone
        if self.phase in LEAVING and is_done:
            self._do(self._exit)

    def _swap(self) -> None:
        """Let the starting generation serve as soon as it is complete, and it is our turn."""
        for starting in self._at(Stage.STARTING):
            if starting.is_complete and self._succession.announce():
                serving = self._at(Stage.SERVING)
                starting.stage = Stage.SERVING
                self.look_at = 0.0 if starting.look_pause < NEVER else NEVER
                self._do(actions.Adopt(starting.plan.generation))
                self._put_away(serving, Stage.DRAINING)

    def _conclude(self, now: float) -> None:
        """A start or a reload is done as soon as its generation serves, and nobody else accepts."""
        is_alone = all(roster.has_yielded for roster in self._at(Stage.DRAINING))
        is_due = self.phase in (Phase.STARTING, Phase.SWAPPING)
        if not is_due or self._at(Stage.STARTING) or not is_alone:
            return
        (serving,) = self._at(Stage.SERVING)
        if self.phase is Phase.STARTING:
            self._log(INFO, f"ready: {serving}")
        else:
            self.reload.succeed(serving)
        self.phase = Phase.SERVING
        self._herald.is_mute, self._herald.refusal = False, ""
        self._herald.tell(Notice.READY, self._status(), now)

    def _close_the_finished(self) -> None:
        finished = self._at(Stage.DRAINING) + self._at(Stage.ENDING)
        for number in [roster.plan.generation for roster in finished if roster.is_empty]:
            del self.rosters[number]
            self._do(actions.Close(number))

    def _load_next(self, now: float) -> None:
        self.phase = Phase.LOADING
        self._herald.tell(Notice.RELOADING, self._status(), now)
        self.reload.load()

    # Small words.

    def _at(self, stage: Stage) -> list[Roster]:
        return [roster for roster in self.rosters.values() if roster.stage is stage]

    def _is_crowded(self) -> bool:
        return len(self._at(Stage.DRAINING)) >= MAX_DRAINING

    def _status(self) -> str:
        return describe(self.phase, self.rosters.values(), self._herald.refusal)

    def _do(self, action: actions.Action) -> None:
        self._actions.append(action)

    def _log(self, level: int, text: str) -> None:
        self._do(actions.Log(level, text))
