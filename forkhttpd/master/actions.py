"""What the policy tells the shell to do, in this order."""

import signal
from dataclasses import dataclass
from enum import Enum

from forkhttpd.master.child import Child


@dataclass(frozen=True, slots=True)
class Fork:
    """Start this child and fill in its pid, or answer NotForked."""

    child: Child


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to a child."""

    child: Child
    signal: signal.Signals


@dataclass(frozen=True, slots=True)
class Load:
    """Read the configuration and open it as this generation; answer Loaded or NotLoaded."""

    generation: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """This generation serves from now on."""

    generation: int


@dataclass(frozen=True, slots=True)
class Release:
    """Close the listeners of this generation, except those that another one still listens on."""

    generation: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close everything of this generation: its last child is gone."""

    generation: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """A spawner died: kill what it left behind; answer Swept."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open the log files again and hand them to every child."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a new master beside us and fill in its pid, or answer SuccessorExited."""

    child: Child


@dataclass(frozen=True, slots=True)
class HandOver:
    """The new master serves: name it to the service manager, let it have files and PID file."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the old master that we are ready."""


@dataclass(frozen=True, slots=True)
class Urge:
    """Send a signal to the old master, which drains."""

    signal: signal.Signals


@dataclass(frozen=True, slots=True)
class Log:
    """Write to the error log.  level: one of the logging module."""

    level: int
    text: str


class Notice(Enum):
    """What the service manager wants to know."""

    READY = "ready"
    RELOADING = "reloading"
    STOPPING = "stopping"
    STATUS = "status"  # nothing new but the text
    ALIVE = "alive"  # the watchdog need not bark
    BUSY = "busy"  # the end takes longer


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the service manager.  status: one line for people, "" leaves the one that it has."""

    notice: Notice
    status: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tell whoever asked for a reload before this generation was loaded how it went.

    code: 0, or the exit code that says whose turn it is.
    """

    generation: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave.  reason: why it could not start; "" after a stop that was asked for."""

    code: int
    reason: str


ForRelatives = Launch | HandOver | Announce | Urge

Action = (
    Fork
    | Kill
    | Load
    | Adopt
    | Release
    | Close
    | Sweep
    | Reopen
    | Launch
    | HandOver
    | Announce
    | Urge
    | Log
    | Notify
    | Verdict
    | Exit
)
