"""A program's standard error: by lines into the log, and its end kept for who may see it.

It is read to its end whatever it holds, or a program that complains at length would wait for ever
(C1); only what of it reaches the log is limited (C13).
"""

import contextlib
import logging
import os

from forkhttpd.http1.account import Account
from forkhttpd.loop import DeadlineExceeded, Future, Loop, Pipe

LOG_LIMIT = 65536  # bytes of a program's stderr that reach the log
LINE_LIMIT = 4096
TAIL_SIZE = 4096  # bytes


class Stderr:
    """Reads one program's stderr.

    prefix: begins every line in the log; account: counts the bytes; tail: the last TAIL_SIZE of
    them; done: set at the end.
    """

    __slots__ = ("_account", "_log", "_logged", "_prefix", "done", "tail")

    def __init__(self, loop: Loop, log: logging.Logger, *, prefix: str, account: Account) -> None:
        self.done: Future[None] = Future(loop)
        self._log = log
        self._prefix = prefix
        self._account = account
        self._logged = 0
        self.tail = b""

    async def read(self, pipe: Pipe, deadline: float) -> None:
        """Read to the end, at most until the deadline, and close the pipe."""
        rest = b""
        with pipe:
            while piece := await _receive(pipe, deadline):
                self._account.stderr += len(piece)
                self.tail = (self.tail + piece)[-TAIL_SIZE:]
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LINE_LIMIT:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._log_line(line)
        if rest:
            self._log_line(rest)
        self.done.set(None)

    def _log_line(self, line: bytes) -> None:
        """Log a line unless too much was."""
        if self._logged > LOG_LIMIT:
            return
        self._log.warning("%s: %s", self._prefix, os.fsdecode(line[:LINE_LIMIT]))
        self._logged += len(line) + 1
        if self._logged > LOG_LIMIT:
            self._log.warning(
                "%s: stderr over %d bytes, the rest is not logged", self._prefix, LOG_LIMIT
            )


async def _receive(pipe: Pipe, deadline: float) -> bytes:
    with contextlib.suppress(DeadlineExceeded):
        return await pipe.receive(deadline)
    return b""
