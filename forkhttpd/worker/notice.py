"""A line for the log that many clients can cause, and that is written once a while."""

import logging

from forkhttpd.loop import Loop

PAUSE = 10.0  # seconds between two lines


class Notice:
    """Says the first at once, and of those that follow how many there were."""

    __slots__ = ("_again_at", "_count", "_level", "_log", "_loop", "_what")

    def __init__(
        self, what: str, *, loop: Loop, log: logging.Logger, level: int = logging.WARNING
    ) -> None:
        self._what = what
        self._loop = loop
        self._log = log
        self._level = level
        self._count = 0
        self._again_at = loop.now

    def tell(self, why: str) -> None:
        """Say it, or count it for the next line."""
        self._count += 1
        if self._loop.now >= self._again_at:
            words = "%s: %s (%d since the last such line)"
            self._log.log(self._level, words, self._what, why, self._count)
            self._again_at = self._loop.now + PAUSE
            self._count = 0
