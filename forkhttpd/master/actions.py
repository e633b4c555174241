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
class Log:
    """Write to the error log.  level: one of the logging module."""

    level: int
    text: str


class Notice(Enum):
    """What the service manager wants to know."""

    READY = "ready"
    RELOADING = "reloading"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the service manager."""

    notice: Notice
    status: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave.  reason: why it could not start; "" after a stop that was asked for."""

    code: int
    reason: str


Action = Fork | Kill | Load | Adopt | Release | Close | Sweep | Reopen | Log | Notify | Exit
