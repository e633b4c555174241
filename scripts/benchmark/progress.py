"""The line on the terminal while a run goes on; nothing at all where there is no terminal."""

import time
from typing import TextIO

from scripts.benchmark.rounds import Step

_WIDTH = 24
_ERASE = "\r\x1b[K"


class Progress:
    """Counts the steps of a run on one line of `output`."""

    __slots__ = ("_begun", "_done", "_output", "_total")

    def __init__(self, total: int, output: TextIO) -> None:
        self._total = total
        self._output = output
        self._done = 0
        self._begun = time.monotonic()

    def announce(self, step: Step) -> None:
        """Show that `step` begins."""
        if self._output.isatty():
            elapsed = time.monotonic() - self._begun
            line = progress_line(step, done=self._done, total=self._total, elapsed=elapsed)
            print(_ERASE + line, end="", file=self._output, flush=True)
        self._done += 1

    def erase(self) -> None:
        """Leave the terminal as if nothing had been there."""
        if self._output.isatty():
            print(_ERASE, end="", file=self._output, flush=True)


def progress_line(step: Step, *, done: int, total: int, elapsed: float) -> str:
    """The bar, how long it will still take once that can be told, and what is being done."""
    filled = _WIDTH * done // total
    bar = "█" * filled + "·" * (_WIDTH - filled)
    left = f"{_clock(elapsed / done * (total - done))} left" if done else "starting"
    phase = f"round {step.round}" if step.round else "warm-up"
    return f"{bar} {done}/{total}, {left}: {phase}, {step.case.name}, {step.server}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
