"""What the shell tells the policy.

A child is named by its slot: unique among the living, and known before there is a pid.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from forkhttpd.errors import ExitCode
from forkhttpd.master.roster import Plan
from forkhttpd.master.scaling import Reading


@dataclass(frozen=True, slots=True)
class Begin:
    """The first generation is open."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """The master got a signal."""

    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Ready:
    """A child has reported READY."""

    slot: int


@dataclass(frozen=True, slots=True)
class Yielded:
    """A worker that was told to go accepts no more connections."""

    slot: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A child is gone.

    code: as of os.waitstatus_to_exitcode; report: why, in the child's own words, or "".
    """

    slot: int
    code: int
    report: str = ""


@dataclass(frozen=True, slots=True)
class NotForked:
    """A child could not be forked: the bad answer to Fork."""

    slot: int
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The next generation is open: the good answer to Load."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """There is no next generation: the bad answer to Load.  code: what exit code that would be."""

    reason: str
    code: int = ExitCode.CONFIG


@dataclass(frozen=True, slots=True)
class Swept:
    """No adopted process is left: the answer to Sweep."""


@dataclass(frozen=True, slots=True)
class Worn:
    """A worker has answered as many requests as it should."""

    slot: int


@dataclass(frozen=True, slots=True)
class Looked:
    """The workers were looked at, as the policy asks for with `look_at`; readings by slot."""

    readings: Mapping[int, Reading]


@dataclass(frozen=True, slots=True)
class SuccessorReady:
    """The new master that we have started could serve at once."""


@dataclass(frozen=True, slots=True)
class SuccessorExited:
    """The new master is gone, or could not be started: the bad answer to Launch.

    code, report: as of Exited.
    """

    code: int
    report: str = ""


@dataclass(frozen=True, slots=True)
class Relieved:
    """The old master has stepped down, after our Announce, or is gone."""


@dataclass(frozen=True, slots=True)
class PredecessorExited:
    """The old master is gone."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come.  beats: slot to its last heartbeat, in seconds."""

    beats: Mapping[int, float]


Event = (
    Begin
    | Signalled
    | Ready
    | Yielded
    | Exited
    | NotForked
    | Loaded
    | NotLoaded
    | Swept
    | Worn
    | Looked
    | SuccessorReady
    | SuccessorExited
    | Relieved
    | PredecessorExited
    | Tick
)
