"""The process between an old master and a new one, so that the new one can change its parent.

systemd gives a main process time to stop only if that is its own child: one that MAINPID= has named
and that is ours would be killed at once, with every request.  But a process changes its parent only
when that one ends.  So a nurse stands between the two.  Dismissed, it leaves the new master to
whoever started us; and if the new master ends before, so does the nurse, and leaves it to us, for
we adopt orphans: its pid is nobody else's until we reap it.
"""

import ctypes
import errno
import os
import signal
from collections.abc import Callable
from typing import NoReturn

from setproctitle import setproctitle

from forkhttpd.errors import ExitCode
from forkhttpd.master import orphans

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def fork(live: Callable[[], NoReturn]) -> tuple[int, int]:
    """Run `live` in a grandchild; return its pid and that of its nurse, our child.

    Raises OSError.
    """
    reading, writing = os.pipe()
    try:
        nurse = os.fork()
        if nurse == 0:
            _nurse(live, writing)
    finally:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
    if not told:
        os.waitpid(nurse, 0)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return int(told), nurse


def dismiss(nurse: int) -> None:
    """Let the new master become a child of whoever started us.  Raises OSError."""
    orphans.decline()
    try:
        os.kill(nurse, signal.SIGKILL)
        os.waitpid(nurse, 0)
    finally:
        orphans.adopt()


def _nurse(live: Callable[[], NoReturn], told: int) -> NoReturn:
    """Wait until it has ended, without reaping it.  All signals are blocked, but for KILL."""
    try:
        pid = os.fork()
        if pid == 0:
            os.close(told)
            live()
        os.write(told, b"%d" % pid)
        # An end of a channel that we held would keep it from hanging up.
        os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
        setproctitle("forkhttpd: nurse")
        _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    finally:
        os._exit(ExitCode.STOPPED)
