"""What the shell tells the policy.

A child is named by its slot: unique among the living, and known before there is a pid.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from forkhttpd.master.roster import Plan


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
    """There is no next generation: the bad answer to Load."""

    reason: str


@dataclass(frozen=True, slots=True)
class Swept:
    """No adopted process is left: the answer to Sweep."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come.  beats: slot to its last heartbeat, in seconds."""

    beats: Mapping[int, float]


Event = Begin | Signalled | Ready | Exited | NotForked | Loaded | NotLoaded | Swept | Tick
