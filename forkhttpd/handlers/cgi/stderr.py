"""A program's standard error: by lines into the log, and its end kept for who may see it.

It is read to its end whatever it holds, or a program that complains at length would wait for ever
(C1); only what of it reaches the log is limited (C13).
"""

import logging
import os
import select

from forkhttpd.http1.account import Account
from forkhttpd.loop import READ_SIZE, Future, Loop

LOG_LIMIT = 65536  # bytes of a program's stderr that reach the log
LINE_LIMIT = 4096
TAIL_SIZE = 4096  # bytes


class Stderr:
    """Reads one program's stderr from a descriptor that does not block, and owns it.

    prefix: begins every line in the log; account: counts the bytes; tail: the last TAIL_SIZE of
    them; done: set at the end, when it is closed.
    """

    __slots__ = ("_account", "_fd", "_log", "_logged", "_loop", "_prefix", "_rest", "done", "tail")

    def __init__(
        self, loop: Loop, fd: int, log: logging.Logger, *, prefix: str, account: Account
    ) -> None:
        self.done: Future[None] = Future(loop)
        self._account = account
        self._fd = fd
        self._log = log
        self._logged = 0
        self._loop = loop
        self._prefix = prefix
        self._rest = b""
        self.tail = b""
        loop.watch(fd, self._read)

    def close(self) -> None:
        """Read no more; a second call does nothing."""
        if self.done.done:
            return
        self._loop.unwatch(self._fd)
        os.close(self._fd)
        if self._rest:
            self._log_line(self._rest)
        self.done.set(None)

    def _read(self, events: int) -> None:
        if not events & select.EPOLLIN:  # no writer is left, and nothing of what they wrote
            self.close()
            return
        try:
            piece = os.read(self._fd, READ_SIZE)
        except BlockingIOError:  # somebody else has read from /proc/PID/fd/2
            return
        if piece:
            self._take(piece)
        else:
            self.close()

    def _take(self, piece: bytes) -> None:
        self._account.stderr += len(piece)
        self.tail = (self.tail + piece)[-TAIL_SIZE:]
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._log_line(line)

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
