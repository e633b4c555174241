"""sys.stdin, sys.stdout and sys.stderr as the interpreter makes them when it starts.

They are made ahead, on pipes that stand in the place of descriptors 0, 1 and 2 for a moment, as
making them costs 0.15 ms: a stream looks at its file only once.  A script whose stdin is a file (a
spooled body) gets a stdin made for it.
"""

import io
import os
import sys
from typing import Any, List, Sequence

_NAMES = ("stdin", "stdout", "stderr")


class Streams:
    """What the standard streams of scripts are, or will be; and those of the spawner, kept."""

    __slots__ = ("_null", "_own", "_ready")

    def __init__(self) -> None:
        self._own = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
        self._ready = self._make_on_pipes()
        self._null = self._make(0)  # as the spawner's is

    def put_in_place(self, *, fed: bool) -> None:
        """Make them the standard streams, as long as a script is being forked; fed: from a pipe."""
        _set(self._ready if fed else [self._null, *self._ready[1:]])

    def put_back(self) -> None:
        """Make the spawner's own the standard streams again."""
        _set(self._own)

    def renew_stdin(self) -> None:
        """In the process of a script: its stdin is a file."""
        self._ready[0] = self._make(0)
        _set(self._ready)

    def _make_on_pipes(self) -> List[Any]:
        saved = [os.dup(fd) for fd in range(3)]
        reading, writing = os.pipe()
        try:
            for fd in range(3):
                os.dup2(writing if fd else reading, fd)
            return [self._make(fd) for fd in range(3)]
        finally:
            for fd, own in enumerate(saved):
                os.dup2(own, fd)
                os.close(own)
            os.close(reading)
            os.close(writing)

    def _make(self, fd: int) -> io.TextIOWrapper:
        """As create_stdio in Python/pylifecycle.c; what was configured is in our own."""
        own: Any = self._own[fd]
        mode = "w" if fd else "r"
        through = own.write_through  # PYTHONUNBUFFERED
        size = 0 if through and fd else -1
        buffer: Any = io.open(fd, mode + "b", size, closefd=False)  # noqa: SIM115
        raw = getattr(buffer, "raw", buffer)
        raw.name = f"<{_NAMES[fd]}>"
        lines = not through and (raw.isatty() or fd == 2)
        stream = io.TextIOWrapper(buffer, own.encoding, own.errors, "\n", lines, through)
        stream.mode = mode  # type: ignore[misc]
        return stream


def _set(streams: Sequence[Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
