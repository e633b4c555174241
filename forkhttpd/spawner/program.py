"""One program: what it is started with, and its record while it runs."""

import os
import signal
import time
from contextlib import nullcontext
from typing import List, Optional, Sequence, Tuple

from forkhttpd.channel import close_all
from forkhttpd.spawner.admission import Share
from forkhttpd.spawner.cgroup import Cgroup
from forkhttpd.spawner.limits import Allowance
from forkhttpd.spawner.peer import Peer
from forkhttpd.spawner.protocol import Start

Key = Tuple[Peer, int]  # ids are unique within their channel only

MARKER = b"UNIQUE_ID"

NOTHING = 0  # the spawner's own stdin, which is /dev/null

# CPython ignores SIGPIPE and SIGXFSZ, and we ignore more: a program starts with none ignored.
_RESET = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


class Request:
    """A Start that waits for its place, with the spool that came along (owned).

    key: what names it among those of all workers; share: whose limit it counts towards.
    """

    __slots__ = ("key", "peer", "share", "spool", "start")

    def __init__(self, peer: Peer, start: Start, *, spool: Optional[int]) -> None:
        self.peer = peer
        self.start = start
        self.spool = spool
        self.key: Key = (peer, start.id)
        self.share = Share(start.share, start.most)

    def close(self) -> None:
        """Close the spool."""
        if self.spool is not None:
            os.close(self.spool)
            self.spool = None


class Program:
    """The record of a program that runs: the leader of its session and process group.

    marker: the environment entry that its descendants are known by, b"" without one;
    started: time.monotonic(); overdue: it was told to end because its time was up;
    cgroup: its own, if the pool has such.
    """

    __slots__ = (
        "cgroup",
        "key",
        "leave_background",
        "marker",
        "overdue",
        "pid",
        "share",
        "started",
    )

    def __init__(self, request: Request, *, pid: int, cgroup: Optional[Cgroup]) -> None:
        start = request.start
        self.cgroup = cgroup
        self.key = request.key
        self.share = request.share
        self.pid = pid
        self.leave_background = start.leave_background
        name = start.env.get(MARKER)
        self.marker = b"" if name is None else MARKER + b"=" + name
        self.started = time.monotonic()
        self.overdue = False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the group.  Call it only before the leader is reaped.

        Until then the kernel gives its pid to no other process or group.
        """
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # a fork of ours that is about to lead its group
            os.kill(self.pid, number)
        except PermissionError:
            return  # all of the group has become another user's (sudo)


def spawn(
    start: Start, *, allowance: Allowance, cgroup: Optional[Cgroup], spool: Optional[int]
) -> Tuple[int, List[int]]:
    """Start a program; return its pid and our ends of its pipes, the caller's to close.

    The ends are [stdin, if it has input and no `spool`,] stdout, stderr.  Raises OSError: from the
    directory, the pipes, or what execve(2) said.  ETXTBSY (the file is being written) and EAGAIN
    (RLIMIT_NPROC) pass by themselves: whoever asked may ask again.
    """
    ours: List[int] = []
    theirs: List[int] = []
    try:
        fed = start.has_input and spool is None
        make_pipes(ours, theirs, with_stdin=fed)
        stdin = theirs[0] if fed else NOTHING if spool is None else spool
        with allowance.lowered(), cgroup.entered() if cgroup else nullcontext():
            pid = _execute(start, [stdin, *theirs[-2:]])
        allowance.impose(pid)
    except BaseException:
        close_all(ours)
        raise
    finally:
        close_all(theirs)
    return pid, ours


def make_pipes(ours: List[int], theirs: List[int], *, with_stdin: bool) -> None:
    """Append the ends, so that the caller can close those that exist when a later one fails."""
    if with_stdin:
        reading, writing = os.pipe()
        theirs.append(reading)
        ours.append(writing)
    for _ in range(2):
        reading, writing = os.pipe()
        ours.append(reading)
        theirs.append(writing)
    for fd in theirs:
        # A pipe is 0600 and ours: a program that changes its user could not open /dev/stderr.
        os.fchmod(fd, 0o666)


def _execute(start: Start, stdio: Sequence[int]) -> int:
    """posix_spawn in the program's directory, and back to one that keeps nothing mounted.

    posix_spawn knows no directory (before glibc 2.29, and never in Python), hence our own; it
    shares our memory until exec, so it costs the same however large we are (0.4 ms; fork: 1 ms).

    The signals are 62 system calls in the program's time, 15 µs.  To name fewer costs more: glibc
    2.36 asks for each that is not named, and then sets it too.
    """
    os.chdir(start.cwd)
    try:
        return os.posix_spawn(
            start.argv[0],
            start.argv,
            start.env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(stdio) if fd != number
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=_RESET,
        )
    finally:
        os.chdir("/")
