"""What the service manager gets to hear, and when; pure, like the policy that it speaks for.

* READY=1, RELOADING=1 and STOPPING=1 at the moments that they name.
* STATUS= whenever the text for people changes: how many serve, which generation, and what the last
  reload or upgrade was refused for.
* WATCHDOG=1 at half of the time that the manager grants, as sd_watchdog_enabled(3) recommends.
  It is said from the master's own loop, so a master that hangs says nothing.  And only if at least
  half of the workers that ought to serve show a fresh heartbeat: one that hangs is replaced by the
  master, which must not cost everybody else a restart; with most of them silent for longer than
  the master takes to replace them, its means are at an end, and the manager's, a new start, are
  what is left.
* EXTEND_TIMEOUT_USEC= for as long as a stop lasts.  The policy bounds it (timeouts.graceful), so
  the manager's own TimeoutStopSec= need not be longer.

A new master in an upgrade says nothing before it was named the main process: `is_mute`.
"""

from collections.abc import Callable, Iterable

from forkhttpd.inheritance import Role
from forkhttpd.master import actions
from forkhttpd.master.actions import Notice
from forkhttpd.master.child import NEVER
from forkhttpd.master.phase import Phase
from forkhttpd.master.roster import Crew, Roster, Stage, count
from forkhttpd.master.succession import Situation

EXTENSION = 20.0  # seconds that we ask for while we stop; renewed when half of them are over


class Herald:
    """Remembers what was said.

    deadline: when there is something to say even if nothing happens;
    refusal: why the last reload or upgrade changed nothing, "" if it did;
    is_mute: another master speaks for the service.
    """

    __slots__ = ("_do", "_pause", "_said", "_sign", "deadline", "is_mute", "refusal")

    def __init__(self, do: Callable[[actions.Action], None], situation: Situation) -> None:
        self._do = do
        self._said = ""
        self._sign = Notice.ALIVE
        self._pause = situation.watchdog / 2
        self.deadline = NEVER
        self.refusal = ""
        self.is_mute = situation.has_predecessor

    def tell(self, notice: Notice, status: str, now: float) -> None:
        """Tell a notice, with its status."""
        if self.is_mute:
            return
        self._said = status
        self._do(actions.Notify(notice, status))
        if notice is Notice.STOPPING:  # which brings the first extension with it
            self._sign, self._pause = Notice.BUSY, EXTENSION / 2
            self.deadline = now + self._pause
        elif self.deadline == NEVER and self._pause < NEVER:
            self.deadline = now

    def keep_up(self, status: str, now: float, *, is_well: bool) -> None:
        """Tell the status if it has changed, and give a sign of life when one is due."""
        if self.is_mute:
            self.deadline = NEVER
            return
        if self._said and status != self._said:
            self._said = status
            self._do(actions.Notify(Notice.STATUS, status))
        if now >= self.deadline:
            self.deadline = now + self._pause
            if is_well or self._sign is Notice.BUSY:
                self._do(actions.Notify(self._sign))


def is_well(rosters: Iterable[Roster]) -> bool:
    """Whether enough workers are alive: at least half of those that ought to serve."""
    serving = [one.workers for one in rosters if one.stage is Stage.SERVING]
    return all(2 * crew.ready >= crew.target for crew in serving)


def describe(phase: Phase, rosters: Iterable[Roster], refusal: str) -> str:
    """Say in a line how it is: `serving: 2 workers, 1 spawner, generation 3`.

    refusal: why the last change did not take place, which comes first, or "".
    """
    match phase:
        case Phase.STOPPING:
            return _describe_stop(rosters)
        case Phase.LOADING | Phase.SWAPPING:
            return "reloading"
        case Phase.UPGRADING:
            return "upgrading"
    serving = _describe_service(list(rosters))
    if phase is Phase.LAME_DUCK:
        return f"stopping soon; {serving}"
    return f"{refusal}; {serving}" if refusal else serving


def _describe_service(rosters: list[Roster]) -> str:
    serving = [
        f"{_describe_crew(one.workers)}, {_describe_spawners(one.spawners)}, "
        f"generation {one.plan.generation}"
        for one in rosters
        if one.stage is Stage.SERVING
    ]
    draining = [str(one.plan.generation) for one in rosters if one.stage is Stage.DRAINING]
    rest = f" (generation {', '.join(draining)} drains)" if draining else ""
    return f"serving: {'; '.join(serving)}{rest}"


def _describe_stop(rosters: Iterable[Roster]) -> str:
    crews = [crew for roster in rosters for crew in roster.crews()]
    workers = sum(len(crew.members) for crew in crews if crew.role is Role.WORKER)
    spawners = sum(len(crew.members) for crew in crews if crew.role is Role.SPAWNER)
    return f"stopping: {count(workers, 'worker')}, {count(spawners, 'spawner')} left"


def _describe_crew(crew: Crew) -> str:
    of = "" if crew.ready >= crew.target else f"{crew.ready} of "
    return of + count(crew.target, "worker")


def _describe_spawners(crews: tuple[Crew, ...]) -> str:
    ready = sum(crew.ready for crew in crews)
    of = "" if ready >= len(crews) else f"{ready} of "
    return of + count(len(crews), "spawner")
