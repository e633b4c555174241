"""Opening below a directory: what a symbolic link may do, and who makes sure of it.

An operator chooses one of four policies for a mount:

* "never": no link is followed, wherever it leads.
* "inside": a link may lead anywhere inside the directory.  What counts is where it ends, not how it
  is written: one that is absolute, or that goes up and comes back in, is followed if it comes back
  by the directory's own name, as in `/srv/www/b` for a link in `/srv/www`.
* "owner": a link may lead anywhere, to what belongs to the user who made the link.
* "all": links are followed as everywhere else on the machine.

The kernel does most of it, once, while it opens the path (openat2(2)), so there is no moment
between a check and its use.  It knows nothing of owners, and takes every link that passes through
the outside for one that leaves; then `walking` does the same segment by segment.  All of these
refuse with the same errno: EXDEV for what leads out, ELOOP for a link that is not to be followed.
"""

import ctypes
import errno
import functools
import os
from collections.abc import Callable, Mapping
from typing import Final, Literal

from forkhttpd.handlers import walking

Symlinks = Literal["never", "owner", "inside", "all"]

Opener = Callable[[int, bytes, int], int]
"""(root, relative, flags) → descriptor: open a path below the directory `root`, or OSError."""

_SYS_OPENAT2: Final = 437  # on every architecture that CPython supports
_MAX_ATTEMPTS: Final = 16

# linux/openat2.h
_NO_MAGICLINKS: Final = 0x02
_NO_SYMLINKS: Final = 0x04
BENEATH: Final = 0x08


class _OpenHow(ctypes.Structure):
    """struct open_how, openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_HOW_SIZE: Final = ctypes.sizeof(_OpenHow)
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_OpenHow),
    ctypes.c_size_t,
)


@functools.cache
def _how(flags: int, resolve: int) -> _OpenHow:
    return _OpenHow(flags=flags, mode=0, resolve=resolve | _NO_MAGICLINKS)


def openat2(root: int, relative: bytes, flags: int, *, resolve: int) -> int:
    """Open in one system call; `resolve` is RESOLVE_* of openat2(2).

    EAGAIN means that a rename elsewhere may have moved a ".." out of a link's way, and EINTR that
    a signal came (ctypes does not retry as PEP 475 would): both are tried again, within bounds.
    """
    how = _how(flags, resolve)
    for _ in range(_MAX_ATTEMPTS):
        fd: int = _syscall(_SYS_OPENAT2, root, relative, how, _HOW_SIZE)
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number))


def _never(root: int, relative: bytes, flags: int) -> int:
    return openat2(root, relative, flags, resolve=BENEATH | _NO_SYMLINKS)


def _inside(root: int, relative: bytes, flags: int) -> int:
    """Leave it to the kernel; only a link that leaves is looked at again: does it come back?"""
    try:
        return openat2(root, relative, flags, resolve=BENEATH)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    return walking.open_inside(root, relative, flags)


def _anywhere(root: int, relative: bytes, flags: int) -> int:
    return openat2(root, relative, flags, resolve=0)


BY_KERNEL: Final[Mapping[Symlinks, Opener]] = {
    "never": _never,
    "inside": _inside,
    "owner": walking.open_by_owner,
    "all": _anywhere,
}

# For kernels before 5.6, and for sandboxes that know no openat2.
BY_WALKING: Final[Mapping[Symlinks, Opener]] = {
    "never": walking.open_without_links,
    "inside": walking.open_inside,
    "owner": walking.open_by_owner,
    "all": walking.open_anywhere,
}


@functools.cache
def openers() -> Mapping[Symlinks, Opener]:
    """Return the ways of this machine to open, by policy.

    Old kernels say ENOSYS; seccomp filters that are older than the call say EPERM, which for a
    single request could not be told from a refusal.  So it is tried once, on a directory that
    always opens.
    """
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    root = os.open("/", flags)
    try:
        os.close(openat2(root, b".", flags, resolve=BENEATH))
    except OSError:
        return BY_WALKING
    else:
        return BY_KERNEL
    finally:
        os.close(root)
