"""Processes that nobody asked for: adopted ones.

The master is a subreaper (prctl(2)): when a spawner dies, the programs that it had started become
the master's children.  They are ended here, until none is left (M2).  A program that another one
started becomes visible only when its parent is gone, so one round is not enough; each death brings
a SIGCHLD, and each SIGCHLD the next round.
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Container

_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def adopt() -> None:
    """Make the calling process the parent of every orphan among its descendants.

    Raises OSError.
    """
    _set_subreaper(1)


def decline() -> None:
    """Leave new orphans to whoever would have them without us.  Raises OSError."""
    _set_subreaper(0)


def _set_subreaper(value: int) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(value), zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def kill_all(known: Container[int]) -> int:
    """Kill every child of the calling process that is not `known`; return how many it can.

    Raises OSError when it cannot look for them: no descriptor is left.
    """
    count = 0
    for pid in children():
        # A setuid program of root's is beyond us when we are not root: nobody waits for it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid not in known:
                os.kill(pid, signal.SIGKILL)
                count += 1
    return count


def children() -> list[int]:
    """Return the pids of the calling process's children, dead ones that wait for us included."""
    try:
        return _listed()
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return _searched()


def _listed() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def _searched() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _is_child(name)]


def _is_child(name: str) -> bool:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            # The command's name may hold anything, parentheses too: fields count from the last.
            after_name = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(after_name[1]) == os.getpid()
