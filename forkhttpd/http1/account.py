"""What it cost that a program worked for a request, for the access log.

A program may end after its answer has been sent, so an account is opened when the program starts
and settled when all is known; whoever writes it down waits for that, but not for ever.
"""

from collections.abc import Callable
from typing import Protocol


class Usage(Protocol):
    """How a program ended: its exit code, negative for a signal; seconds; KiB; out of memory?"""

    @property
    def status(self) -> int: ...
    @property
    def user_time(self) -> float: ...
    @property
    def system_time(self) -> float: ...
    @property
    def max_rss(self) -> int: ...
    @property
    def wall(self) -> float: ...
    @property
    def starved(self) -> bool: ...


class Account:
    """One program's.  queue_wait: seconds; stderr: bytes; usage: None until the program's end.

    Of `max_rss` the kernel counts what the process was before it became the program, too: it is
    never less than the spawner's own, some 14 MiB.
    """

    __slots__ = ("_told", "is_settled", "queue_wait", "stderr", "usage")

    def __init__(self, queue_wait: float) -> None:
        self.queue_wait = queue_wait
        self.stderr = 0
        self.usage: Usage | None = None
        self.is_settled = False
        self._told: Callable[[], None] | None = None

    def settle(self) -> None:
        """Nothing changes any more."""
        self.is_settled = True
        if self._told is not None:
            self._told()

    def tell(self, callback: Callable[[], None]) -> None:
        """Call back when it is settled, or now if it is; one callback at most."""
        self._told = callback
        if self.is_settled:
            callback()
