"""Who ought to be there, and who is: a generation as the policy sees it.

A roster has one crew of workers and, for each pool, a crew of one spawner.  A crew remembers its
failures and says when it may try again (M12).

Workers that are worn, by requests or by memory, are replaced one after the other (M19): a crew
with one of them wants one more than its number, and once all that are to stay are READY the worn
one is too many.  So there are never fewer workers than were asked for, and the number of those
that still drain is bounded by it, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from forkhttpd.inheritance import Role
from forkhttpd.master.child import NEVER, Child, State
from forkhttpd.master.scaling import LOOK, Bounds, Reading, Scaling

ATTEMPTS = 5  # failed boots before we wait, or give up if none was ever ready
MEMORY = 60.0  # seconds without a failure after which all are forgotten
LONGEST_WAIT = 30.0  # seconds between two attempts, at most
MEMORY_PAUSE = 3.0  # seconds between two looks at the memory of workers
EARLY = 1.0  # seconds: who dies so soon after being ready has failed to boot, too


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a configuration is the policy's business; durations in seconds."""

    generation: int
    workers: int
    pools: tuple[str, ...]
    start: float
    graceful: float
    heartbeat: float
    spawner_grace: float  # for a spawner to end its programs once no worker is left to ask
    bounds: Bounds | None = None  # of the number of workers, where the load decides it
    lame_duck: float = 0.0  # between the word to stop and the stop
    memory: int = 0  # resident bytes above which a worker is replaced; 0 is never

    def grace(self, child: Child, now: float) -> float:
        """Return the seconds that a child has to finish."""
        grace = self.graceful if child.role is Role.WORKER else self.spawner_grace
        if child.state is not State.STARTING:
            return grace
        return min(grace, max(child.deadline - now, 0.0))  # has little to finish, may even hang


class Stage(Enum):
    """The life of a generation."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"  # no new workers; spawners for as long as a worker is left
    ENDING = "ending"  # nobody new


@dataclass(slots=True, eq=False)
class Crew:
    """The children of one role and name in a generation: `target` of them are wanted.

    members: all that live, in the order of their start, those that are leaving included.
    """

    role: Role
    name: str
    target: int
    members: list[Child] = field(default_factory=list)
    failures: int = 0
    failed_at: float = 0.0
    not_before: float = 0.0
    ever_ready: bool = False

    def fail(self, now: float) -> None:
        """Count a failed boot; from ATTEMPTS on, wait 1, 2, 4 … seconds before the next one."""
        if now - self.failed_at > MEMORY:
            self.failures = 0
        self.failures += 1
        self.failed_at = now
        if self.is_backing_off:
            exponent = min(self.failures - ATTEMPTS, 10)
            self.not_before = now + min(2.0**exponent, LONGEST_WAIT)

    def succeed(self) -> None:
        """One of us is ready: the next may start at once."""
        self.ever_ready = True
        self.not_before = 0.0

    @property
    def is_backing_off(self) -> bool:
        """Whether boots fail so often that we try one at a time."""
        return self.failures >= ATTEMPTS

    @property
    def is_complete(self) -> bool:
        """Whether all that are wanted are ready."""
        return self.ready >= self.target

    @property
    def ready(self) -> int:
        """How many serve and have lately shown that they live."""
        return sum(child.state is State.READY for child in self.members)

    def staff(self) -> list[Child]:
        """Return those who are not leaving, by number."""
        staff = [child for child in self.members if not child.is_leaving]
        return sorted(staff, key=lambda child: child.number)

    def surplus(self, wanted: int) -> list[Child]:
        """Return who is to go: the worn first, and they not before those that stay are ready."""
        ranked = sorted(self.staff(), key=lambda child: (child.worn, child.number))
        stay = ranked[:wanted]
        relieved = all(child.is_running for child in stay)
        return [child for child in ranked[wanted:] if relieved or not child.worn]

    def vacancies(self, wanted: int) -> int:
        """Return how many to start, time aside."""
        staff = self.staff()
        missing = max(wanted + self._reliefs(wanted) - len(staff), 0)
        if not self.is_backing_off:
            return missing
        # While boots fail, one child is enough to see whether they still do.
        starting = any(child.state is State.STARTING for child in staff)
        return 0 if starting else min(missing, 1)

    def outlook(self, wanted: int, now: float) -> str:
        """Say what happens about a member that was lost."""
        if not self.vacancies(wanted):
            return ""
        wait = self.not_before - now
        return f", next try in {wait:.0f} s" if wait > 0 else ", respawned"

    def _reliefs(self, wanted: int) -> int:
        """Return 1 if a worn member is to be relieved now, else 0."""
        leaving = sum(child.is_leaving for child in self.members)
        worn = any(child.worn for child in self.staff())
        return int(worn and leaving < wanted)

    def free_number(self) -> int:
        """Return the lowest number that no living member has."""
        taken = {child.number for child in self.members}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)


@dataclass(slots=True, eq=False)
class Roster:
    """A generation: its plan, how far it has come, and its crews."""

    plan: Plan
    stage: Stage = Stage.STARTING
    workers: Crew = field(init=False)
    spawners: tuple[Crew, ...] = field(init=False)
    scaling: Scaling | None = field(init=False)

    def __post_init__(self) -> None:
        self.workers = Crew(Role.WORKER, "", self.plan.workers)
        self.spawners = tuple(Crew(Role.SPAWNER, name, 1) for name in self.plan.pools)
        self.scaling = Scaling(self.plan.bounds) if self.plan.bounds else None

    def __str__(self) -> str:
        workers = count(self.workers.target, "worker")
        return f"{workers}, {count(len(self.spawners), 'spawner')}"

    def crews(self) -> Iterator[Crew]:
        """All crews; spawners first, so that they start while the workers are being forked."""
        yield from self.spawners
        yield self.workers

    def crew(self, child: Child) -> Crew:
        """Return the crew of a child of this generation."""
        key = (child.role, child.name)
        return next(crew for crew in self.crews() if (crew.role, crew.name) == key)

    @property
    def is_complete(self) -> bool:
        """Whether every worker and every spawner is ready."""
        return all(crew.is_complete for crew in self.crews())

    @property
    def has_yielded(self) -> bool:
        """Whether none of its workers accepts connections any more."""
        return not any(child.may_accept for child in self.workers.members)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left."""
        return not any(crew.members for crew in self.crews())

    def wanted(self, crew: Crew) -> int:
        """Return how many of a crew there ought to be at this stage."""
        match self.stage:
            case Stage.STARTING | Stage.SERVING:
                return crew.target
            case Stage.DRAINING:
                return int(crew.role is Role.SPAWNER and bool(self.workers.members))
            case Stage.ENDING:
                return 0

    @property
    def look_pause(self) -> float:
        """Seconds between two looks at the workers; NEVER if nothing depends on one."""
        if self.scaling is not None:
            return LOOK
        return MEMORY_PAUSE if self.plan.memory else NEVER

    def look(self, readings: Mapping[int, Reading], now: float) -> Iterator[str]:
        """Take in what a look at the workers has shown; yield what to log."""
        running = [child for child in self.workers.staff() if child.is_running]
        seen = [child for child in running if child.slot in readings]
        for child in seen:
            memory = readings[child.slot].memory
            if 0 < self.plan.memory < memory and not child.worn:
                child.worn = True
                yield f"{child} uses {memory >> 20} MiB: a new one takes its place"
        yield from self._scale({child.slot: readings[child.slot] for child in seen}, now)

    def resize(self, count: int) -> str:
        """Want so many workers, within the bounds; return what to log."""
        bounds = self.plan.bounds
        self.workers.target = bounds.clamp(count) if bounds and count else count
        return f"workers: {self.workers.target}"

    def start_like(self, serving: "Roster") -> None:
        """Where the load decides, begin with as many workers as serve now."""
        if self.plan.bounds:
            self.resize(serving.workers.target)

    def next_boot(self) -> float:
        """Return when a crew that has to wait may try again; NEVER if none waits."""
        waiting = (crew for crew in self.crews() if crew.vacancies(self.wanted(crew)))
        return min((crew.not_before for crew in waiting), default=NEVER)

    def _scale(self, readings: Mapping[int, Reading], now: float) -> Iterator[str]:
        crew = self.workers
        if self.scaling is not None and crew.target and crew.is_complete:
            count = self.scaling.look(readings, count=crew.target, now=now)
            if count != crew.target:
                yield f"{self.resize(count)}, as the load asks for"


def count(number: int, noun: str) -> str:
    """Return "1 worker", "2 workers"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
