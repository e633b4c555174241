"""When a worker tends to what goes on beside its loop: logs, counters, intake.

That costs 5 µs, so it is done at once or, when much comes, after a pause, and in any case before
the loop may wait for longer than that.  In between nothing else is waited for: a loop that did not
wait for events because a log had become due meanwhile spun for half a pause in every delay of the
log, 3 to 12 % of the CPU time of a worker whose programs leave it time to wait.
"""

import math

PAUSE = 0.01  # seconds


class Tending:
    """When it was done, and so when it is to be done."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = -math.inf

    def begin(self, now: float) -> None:
        """It is done now."""
        self._last = now

    def is_due(self, now: float) -> bool:
        """Whether to do it."""
        return now >= self._last + PAUSE

    def wait(self, now: float, patience: float) -> float:
        """Return the seconds that the loop may wait for events.

        patience: those until something becomes due of which the last time left nothing undone.
        """
        return patience if self._last >= now else max(0.0, self._last + PAUSE - now)
