"""A program as the gateway sees it: what runs, and on what terms.

The gateway starts nothing itself.  What `launch` returns has to be a `Program`; whoever runs it
is known to the worker alone.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, Self

from forkhttpd.config import Mount
from forkhttpd.http1.account import Usage
from forkhttpd.loop import Pipe


class End(Protocol):
    """The end of a program, to be waited for by one; raises DeadlineExceeded."""

    async def wait(self, deadline: float) -> Usage: ...


class Program(Protocol):
    """A running program, as `launch` returns it; the exchange closes the pipes.

    stderr: a descriptor that does not block.
    """

    @property
    def pid(self) -> int: ...
    @property
    def queue_wait(self) -> float: ...
    @property
    def stdin(self) -> Pipe | None: ...
    @property
    def stdout(self) -> Pipe: ...
    @property
    def stderr(self) -> int: ...
    @property
    def exited(self) -> End: ...
    def kill(self, *, overdue: bool) -> None: ...


class Fate(Enum):
    """What is to become of the program."""

    OPEN = auto()  # it works for us
    FREE = auto()  # it may go on to its end without us
    ENDED = auto()  # it was told to end


@dataclass(frozen=True, slots=True)
class Terms:
    """What a mount grants its programs: seconds, bytes, and whether they outlive their clients."""

    first_byte: float
    silence: float
    total: float
    drain_grace: float
    spool: int
    finish: bool

    @classmethod
    def of(cls, mount: Mount) -> Self:
        return cls(
            mount.first_byte,
            mount.silence,
            mount.total,
            mount.drain_grace,
            mount.spool,
            mount.on_disconnect == "finish",
        )
