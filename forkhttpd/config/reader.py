"""A configuration file, read by a process of its own, and what this machine says to it.

What reading takes, pydantic above all, is imported in that process alone: a master would hold it
for good, and all its children with it, 9 of 57 MiB.  And who starts has other things to do
meanwhile: the imports here are few, so that a reader can be started before those of the rest.
"""

import ctypes
import math
import os
import pickle
import select
import signal
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle

from forkhttpd import signals
from forkhttpd.config.reading import Reading
from forkhttpd.errors import ConfigError, ExitCode, StartupError, describe

_PIECE = 1 << 16  # what a pipe holds, pipe(7)
_GLANCE = 0.2  # seconds between two looks whether somebody wants us to stop
_STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
_PR_SET_PDEATHSIG = 1
_IMPORTED = time.time()

_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A bug came up in a reader; a note has its traceback."""


# What a child says: what the file came to, or why to nothing.
_Answer = Reading | ConfigError | Failed


class Reader:
    """A child that reads a file from now on, beside us."""

    __slots__ = ("_pid", "_pipe")

    def __init__(self, file: Path, *, allow_root: bool, last: Reading | None = None) -> None:
        """Start it.  Raises StartupError if that cannot be.

        last: what the same file came to before.
        """
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it leaves no status: waitpid(2)
        try:
            self._pid, self._pipe = _begin(file, allow_root, last)
        except OSError as error:
            raise _unread(describe(error)) from None

    def result(self, *, patience: float) -> Reading:
        """Return what the file comes to.  To be called once.

        Raises ConfigError with the problems of the file; StartupError if the child has died, or
        has not done it in `patience` seconds, which ends it, as does a signal to stop that is
        blocked and waits for us; Failed for a bug.
        """
        answer = self._answer(time.monotonic() + patience)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self, deadline: float) -> _Answer:
        data = bytearray()
        try:
            while piece := self._read(deadline):
                data += piece
        except TimeoutError as error:
            os.kill(self._pid, signal.SIGKILL)
            raise _unread(str(error)) from None
        finally:
            os.close(self._pipe)
            _, status = os.waitpid(self._pid, 0)
        if status:
            code = os.waitstatus_to_exitcode(status)
            end = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            raise _unread(f"the process that does it was ended {end}")
        answer: _Answer = pickle.loads(data)  # noqa: S301 - from a child of ours
        return answer

    def _read(self, deadline: float) -> bytes:
        """Return what comes next, nothing at the end.  Raises TimeoutError."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while not poll.poll(math.ceil(_GLANCE * 1000)):
            if time.monotonic() >= deadline:
                raise TimeoutError("that takes too long, so it was given up")
            if signal.sigpending() & _STOPS:
                raise TimeoutError("it was given up, as there is a signal to stop")
        return os.read(self._pipe, _PIECE)


def _unread(reason: str) -> StartupError:
    message = f"cannot read the configuration: {reason}"
    return StartupError(message, exit_code=ExitCode.OSERR)


def _begin(file: Path, allow_root: bool, last: Reading | None) -> tuple[int, int]:
    """Return the pid of a child and our end of its pipe.  Raises OSError."""
    parent = os.getpid()
    ours, theirs = os.pipe()
    try:
        pid = os.fork()
        if pid == 0:
            attempt = partial(_attempt, file, allow_root=allow_root, last=last)
            _live(attempt, theirs, parent=parent, title=f"forkhttpd: reader [{file}]")
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return pid, ours


def _live(attempt: Callable[[], _Answer], pipe: int, *, parent: int, title: str) -> NoReturn:
    """Be the child, which keeps nothing of its parent's, and undoes nothing of it at its end."""
    code = ExitCode.SOFTWARE
    try:
        _let_go(pipe, parent)
        setproctitle(title)
        answer = pickle.dumps(attempt())
        with open(pipe, "wb") as to_parent:
            to_parent.write(answer)
        code = ExitCode.STOPPED
    finally:
        os._exit(code)


def _let_go(pipe: int, parent: int) -> None:
    """Take our own signals, none of the parent's descriptors but the pipe, and an end with it.

    A file that is a pipe without a writer would keep us for good.
    """
    signals.reset()
    os.closerange(3, pipe)
    os.closerange(pipe + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)
    _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(ExitCode.UNAVAILABLE)


def _attempt(file: Path, *, allow_root: bool, last: Reading | None) -> _Answer:
    try:
        from forkhttpd.config.examination import accept

        return accept(file, allow_root=allow_root, last=last)
    except ConfigError as error:
        return error
    except Exception as error:
        failed = Failed(f"{type(error).__name__}: {error}{_hint()}")
        failed.add_note(f"In the reader of the configuration:\n{traceback.format_exc()}")
        return failed


def _hint() -> str:
    """Say what to do about half of one version in memory, and half of another one imported now."""
    with os.scandir(os.path.dirname(__file__)) as entries:
        sources = [entry for entry in entries if entry.name.endswith(".py")]
    if max(source.stat().st_ctime for source in sources) < _IMPORTED:
        return ""
    return "; another version has been installed since the start: upgrade first, with USR2"
