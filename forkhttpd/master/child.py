"""A child process as the master sees it: a record, not the process.

What happens when a child's time is up is a table, `OVERDUE`: each state names the signal that
follows, the state after it, and how long that one may last.  There is no other place that
escalates.
"""

import math
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from forkhttpd.inheritance import Role

NEVER = math.inf  # the deadline of what may take for ever
STOP_GRACE = 2.0  # seconds between QUIT, "stop now", and KILL
ABORT_GRACE = 2.0  # seconds for a hung process to write down where it hangs
SILENCE_GRACE = 1.0  # seconds in which we watched it: the process may have been stopped with us


class State(Enum):
    """The life of a child: STARTING, READY (SILENT while a beat is missed), and two ways out.

    Asked to go:    YIELDING (HUP, when others serve on: until it accepts no more),
                    DRAINING (then, or by TERM), STOPPING (QUIT), KILLED.
    Not as it was:  ABORTED (ABRT: it hung), DOOMED (KILL: it hung, or never became ready).
    """

    STARTING = "starting"
    READY = "ready"
    SILENT = "silent"
    YIELDING = "yielding"
    DRAINING = "draining"
    STOPPING = "stopping"
    KILLED = "killed"
    ABORTED = "aborted"
    DOOMED = "doomed"


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next; `verdict` completes "worker 3 (pid 4121) …" in the log, "" is no news."""

    signal: signal.Signals | None
    state: State
    grace: float
    verdict: str


OVERDUE: Mapping[State, Step] = {
    State.STARTING: Step(signal.SIGKILL, State.DOOMED, NEVER, "was not ready in time"),
    State.READY: Step(None, State.SILENT, SILENCE_GRACE, ""),
    State.SILENT: Step(signal.SIGABRT, State.ABORTED, ABORT_GRACE, "gave no sign of life"),
    State.ABORTED: Step(signal.SIGKILL, State.DOOMED, NEVER, "gave no sign of life"),
    # It would read QUIT from where it did not read HUP.
    State.YIELDING: Step(signal.SIGKILL, State.KILLED, NEVER, "did not stop accepting in time"),
    State.DRAINING: Step(signal.SIGQUIT, State.STOPPING, STOP_GRACE, "had not drained in time"),
    State.STOPPING: Step(signal.SIGKILL, State.KILLED, NEVER, "did not stop"),
}

STOP_NOW = Step(signal.SIGQUIT, State.STOPPING, STOP_GRACE, "")

_RUNNING = frozenset({State.READY, State.SILENT})
_ACCEPTING = frozenset({State.STARTING, *_RUNNING, State.YIELDING, State.ABORTED})
_LEAVING = frozenset({State.YIELDING, State.DRAINING, State.STOPPING, State.KILLED})


@dataclass(slots=True, eq=False)
class Child:
    """One child.  All times are CLOCK_MONOTONIC seconds; `pid` is 0 until it is forked.

    deadline: when its state has lasted too long; NEVER where it may last.
    worn: whether a new one is to take its place although it does its work (M19).
    """

    role: Role
    name: str
    number: int
    slot: int
    generation: int
    deadline: float
    state: State = State.STARTING
    pid: int = 0
    ready_at: float | None = None
    verdict: str = ""
    worn: bool = False

    def __str__(self) -> str:
        name = title(self.role, self.name, self.number)
        return f"{name} (pid {self.pid})" if self.pid else name

    @property
    def is_running(self) -> bool:
        """Whether it does its work, as far as we know."""
        return self.state in _RUNNING

    @property
    def may_accept(self) -> bool:
        """Whether it is, as far as we know, still able to take a connection."""
        return self.state in _ACCEPTING

    @property
    def is_leaving(self) -> bool:
        """Whether it was asked to go: its end is no news, and its crew does without it."""
        return self.state in _LEAVING

    def has_beaten(self, due: float) -> None:
        """Take note of a sign of life: the next one is due then.  Of spawners none is expected."""
        if self.role is Role.WORKER and self.is_running and due > self.deadline:
            self.state = State.READY
            self.deadline = due

    def describe_end(self, code: int) -> str:
        """Say how the child ended; `code` is that of os.waitstatus_to_exitcode."""
        return f"{self} {self.verdict or _describe_exit(code)}"


def title(role: Role, name: str, number: int) -> str:
    """Return what a child calls itself: "worker 3", "spawner [default]"; a master, what it is."""
    if role is Role.MASTER:
        return "new master"
    return f"{role.value} {number}" if role is Role.WORKER else f"{role.value} [{name}]"


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"died: {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"died: signal {-code}"
