"""Lines for a descriptor that somebody else reads, or does not: no call here ever waits (M21).

A pipe, a socket or a terminal is full as soon as its reader is slow, stopped or hung, and a server
that waits for the reader of its log serves nobody.  O_NONBLOCK would be the obvious answer and is
not ours to set: it belongs to the open file description, which we share with whoever started us,
and a shell or a program that suddenly gets EAGAIN fails.  So each kind has a way that concerns the
one call alone:

    pipe      splice(2) with SPLICE_F_NONBLOCK, from a pipe of our own: all of a piece or nothing.
              (To poll and then write is not enough: the last room may go to another process of
              ours in between.)
    socket    send(2) with MSG_DONTWAIT; the journal is one
    terminal  written through a description of our own, where we may open it
    the rest  written: a file takes what it gets, or has no room for good

What finds no room is kept, up to a limit.  Beyond that whole lines are lost, the newest first, and
counted, for the owner to tell in one line.  What a descriptor is, is looked up at each call: a
reopened log may be of another kind.

That no descriptor is left (EMFILE) is what a log has to tell, too: none is needed to do it.
"""

import contextlib
import math
import os
import select
import socket
import stat

_PIECE = 4096  # bytes: PIPE_BUF, pipe(7); one page, so one place in a pipe
_NEWLINE = 0x0A
RETRY_PAUSE = 0.2  # seconds until what found no room is tried again
PROGRESS_PAUSE = 0.01  # the same, where some of it has just found room: somebody reads
_TELL_PAUSE = 10.0  # seconds between two notices of lost lines

_ferries: dict[int, tuple[int, int]] = {}  # by pid: a child must not use its parent's


class Outlet:
    """Passes lines on to `fd`, which stays its owner's; keeps at most `limit` bytes of them.

    lost: lines, since they were told last.
    """

    __slots__ = ("_is_between", "_is_torn", "_limit", "_tell_at", "_waiting", "fd", "lost")

    def __init__(self, fd: int, *, limit: int) -> None:
        self.fd = fd
        self.lost = 0
        self._limit = limit
        self._waiting = bytearray()
        self._is_between = True  # what has gone out ends with a whole line
        self._is_torn = False  # it does not, and the rest of that line is lost
        self._tell_at = -math.inf
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                _ferry()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something that found no room."""
        return bool(self._waiting)

    def write(self, lines: bytes) -> bool:
        """Pass whole lines on, or keep them, or lose them; return whether there was room."""
        if lines and self._is_torn:
            self._waiting += b"\n"
            self._is_torn = False
        self._waiting += lines
        moves = self.flush()
        if len(self._waiting) > self._limit:
            self._lose(after=self._waiting.rfind(b"\n", 0, self._limit) + 1)
        return moves

    def flush(self) -> bool:
        """Try again what found no room; return whether any of it did now."""
        before = len(self._waiting)
        try:
            while self._waiting:
                sent = _pass_on(self.fd, self._waiting)
                self._is_between = self._waiting[sent - 1] == _NEWLINE
                del self._waiting[:sent]
        except BlockingIOError:
            pass
        except OSError:  # a full disk, a pipe without a reader: it is no use to keep anything
            self._lose(after=0)
        return len(self._waiting) < before

    def take_loss(self, now: float) -> int:
        """Return how many lines to say are lost; 0 if none, or if it was told a moment ago."""
        if not self.lost or now < self._tell_at:
            return 0
        self._tell_at = now + _TELL_PAUSE
        lost, self.lost = self.lost, 0
        return lost

    def _lose(self, *, after: int) -> None:
        self.lost += self._waiting.count(b"\n", after)
        del self._waiting[after:]
        # What of a line has gone out already must not become the beginning of another one.
        self._is_torn = not after and not self._is_between


def _pass_on(fd: int, data: bytes | bytearray) -> int:
    """Return how many bytes were taken, at least one.  Raises BlockingIOError, OSError."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode):
        return _splice(fd, data)
    if stat.S_ISSOCK(mode):
        end = socket.socket(fileno=fd)
        try:
            return end.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        finally:
            end.detach()
    if stat.S_ISCHR(mode) and os.isatty(fd):
        return _write_terminal(fd, data)
    return os.write(fd, data)


def _splice(fd: int, data: bytes | bytearray) -> int:
    """Move one piece, of whole lines where they are not longer than that."""
    size = len(data)
    if size > _PIECE:
        size = data.rfind(b"\n", 0, _PIECE) + 1 or _PIECE
    reading, writing = _ferry()
    os.write(writing, data[:size])
    try:
        os.splice(reading, fd, size, flags=os.SPLICE_F_NONBLOCK)
    except OSError:
        os.read(reading, size)
        raise
    return size


def _ferry() -> tuple[int, int]:
    """Return the pipe of this process that is empty between two calls."""
    pid = os.getpid()
    if pid not in _ferries:
        _ferries[pid] = os.pipe()
    return _ferries[pid]


def _write_terminal(fd: int, data: bytes | bytearray) -> int:
    try:
        own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # another user's: then as well as it goes
        return _write_when_ready(fd, data)
    try:
        return os.write(own, data)
    finally:
        os.close(own)


def _write_when_ready(fd: int, data: bytes | bytearray) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(fd, data[:_PIECE])
