"""The PID file: a lock that happens to say who holds it.

The lock is flock(2): it belongs to the open file, so it survives daemonizing (fcntl's record locks
do not) and ends with the last process that has the file open, however that one ended.  What an
unlocked file says, pid 1, garbage, nothing, does not matter (M9), but for what no PID file ever
says: several lines are somebody's text under a name that was mistyped.  The pid in it is for people
and scripts.

In an upgrade the new master inherits the open file and with it the lock, which is nobody else's
for an instant.  From then on the text says whose the file is: who leaves unlinks it only if it
names the one who leaves.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path

import psutil

from forkhttpd.errors import ExitCode, StartupError, describe

_PEEK_TRIES = 5  # `holder` locks for an instant: a claim that meets it tries again
_PEEK_PAUSE = 0.02  # seconds
_LONGEST = 32  # bytes of a PID file that can be ours
_LOOK = 4096  # bytes that tell another one's file


class PidFile:
    """A PID file that we hold.  The descriptor must never reach a child: it is the lock."""

    __slots__ = ("_fd", "_is_unwritten", "_path")

    def __init__(self, path: Path, fd: int, *, is_unwritten: bool) -> None:
        self._path = path
        self._fd = fd
        self._is_unwritten = is_unwritten  # and what it says was not said by a master that lives

    def fileno(self) -> int:
        """Return the descriptor that is the lock."""
        return self._fd

    def write(self) -> None:
        """Write the calling process's pid, in place, under the lock.  Raises StartupError."""
        try:
            os.pwrite(self._fd, text := f"{os.getpid()}\n".encode(), 0)
            os.ftruncate(self._fd, len(text))
        except OSError as error:
            raise _failure(self._path, error) from error
        self._is_unwritten = False

    def remove(self) -> None:
        """Give it up: unlink the file if it is still ours, then let go of the lock."""
        with contextlib.suppress(OSError):
            ours = self._is_unwritten or _read_pid(self._fd) == os.getpid()
            if ours and _is_same(self._path, self._fd):
                os.unlink(self._path)
        os.close(self._fd)


def inherit(path: Path | None, fd: int) -> PidFile | None:
    """Share the lock of an old master; None, and `fd` closed, where our file is another one."""
    if path is not None and _is_same(path, fd):
        return PidFile(path, fd, is_unwritten=False)
    os.close(fd)
    return None


def claim(path: Path) -> PidFile:
    """Lock the PID file, made if need be; its text is left until `write`.

    Raises StartupError(UNAVAILABLE) that names the holder, or that says why it cannot be ours.
    """
    while True:
        fd = _open(path)
        if objection := _objection(fd):
            os.close(fd)
            words = f"{path}: {objection}; write another pid_file"
            raise StartupError(words, exit_code=ExitCode.UNAVAILABLE)
        if not _try_lock(fd):
            os.close(fd)
            raise StartupError(_refusal(path), exit_code=ExitCode.UNAVAILABLE)
        if _is_same(path, fd):
            return PidFile(path, fd, is_unwritten=True)
        os.close(fd)  # its last holder unlinked it between our open and our lock


def holder(path: Path) -> int | None:
    """Return the pid of the running master whose PID file this is; None if there is none.

    Raises OSError other than for a missing file.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_pid(fd)
    finally:
        os.close(fd)
    return None


def _open(path: Path) -> int:
    """Open it, and not what a symbolic link of that name leads to: that would never be unlinked."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _failure(path, error) from error


def _objection(fd: int) -> str:
    """Say why what is open cannot be a PID file, to be written over and unlinked; "" if it can."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return "is no regular file"
    if len(os.pread(fd, _LOOK, 0).splitlines()) > 1:
        return "has several lines, so it is no PID file"
    return ""


def _try_lock(fd: int) -> bool:
    for _ in range(_PEEK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PEEK_PAUSE)
    return False


def _is_same(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, _LONGEST, 0).strip()
    return int(text) if text.isdigit() and int(text) > 0 else None


def _refusal(path: Path) -> str:
    pid = holder(path)
    who = f"pid {pid}" if pid else "another process"
    with contextlib.suppress(psutil.Error):
        # A process that has given itself a title has blanks behind it.
        who += f" ({' '.join(psutil.Process(pid).cmdline()).strip()})" if pid else ""
    return f"{path}: already running: {who} holds the PID file; stop it or use another pid_file"


def _failure(path: Path, error: OSError) -> StartupError:
    why = "it is a symbolic link" if error.errno == errno.ELOOP else describe(error)
    words = f"{path}: cannot write the PID file: {why}; check pid_file"
    return StartupError(words, exit_code=ExitCode.UNAVAILABLE)
