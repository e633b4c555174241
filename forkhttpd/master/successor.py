"""The new master of an upgrade, as the old one starts it.

It is the same command again, in the directory where it was given, with the same environment; the
interpreter and the package are those that are on disk now.  It finds its descriptors like one that
systemd starts (handover.py).  All of our signals stay blocked over fork and exec: what is sent to
it while it boots waits until it reads.

Until it can serve, its standard error is a notepad of ours, so that what keeps it from starting is
told by the one who is listened to; an import that fails in the new code has no other voice.
"""

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from forkhttpd import channel
from forkhttpd.errors import ExitCode, describe
from forkhttpd.master import nurse
from forkhttpd.master.handover import Heirloom, heirloom_name
from forkhttpd.master.systemd import FIRST_FD, Named, listen_environment

_OURS = "forkhttpd: "  # what the command says begins so
_LONGEST_WORDS = 4096  # bytes of the notepad that are read, the last ones


@dataclass(frozen=True, slots=True)
class Command:
    """How this process was started, for the next one."""

    program: str
    arguments: tuple[str, ...]
    directory: str

    @classmethod
    def ours(cls) -> "Command":
        """Return our own; to be asked before anybody changes the directory."""
        return cls(sys.executable, tuple(sys.orig_argv), _directory())


def _directory() -> str:
    """Return the working directory by the name that the user gave it.

    That may be a symbolic link to the current release, and to another one by the time of an
    upgrade.  Where it was removed meanwhile there is no better one than "/".
    """
    try:
        directory, name = os.getcwd(), os.environ.get("PWD", "")
    except FileNotFoundError:
        return "/"
    with contextlib.suppress(OSError):
        if os.path.isabs(name) and os.path.samefile(name, directory):
            return name
    return directory


class Successor:
    """The new master: its process, our end of the channel to it, and its notepad.

    nurse: the process between us and it, 0 when that is gone;
    report: why it cannot serve, once it has said so.
    """

    __slots__ = ("_channel", "_notepad", "nurse", "pid", "report")

    def __init__(self, pid: int, nurse: int, ours: socket.socket, notepad: int) -> None:
        self.pid = pid
        self.nurse = nurse
        self.report = ""
        self._channel = ours
        self._notepad = notepad

    def fileno(self) -> int:
        """Return what becomes readable when it has something to say."""
        return self._channel.fileno()

    @property
    def is_relieved(self) -> bool:
        """Whether we have hung up: it is the master now."""
        return self._channel.fileno() < 0

    def listen(self) -> bool:
        """Take in what it has said of its start (daemon.Readiness); return whether it is ready."""
        try:
            message, fds = channel.receive(self._channel)
        except (OSError, channel.ChannelError):
            return False
        channel.close_all(fds)
        self.report = message[1:].decode(errors="replace")
        return message[:1] == bytes([ExitCode.STOPPED])

    def let_go(self) -> None:
        """Make it a child of whoever started us, as a main process has to be.  Raises OSError."""
        pid, self.nurse = self.nurse, 0
        if pid:
            nurse.dismiss(pid)

    def hang_up(self) -> None:
        """Let it know that it is the master now."""
        self._channel.close()

    def last_words(self) -> str:
        """Return what stands last on its notepad: why it could not start.

        Of our command every line counts, of a traceback the last.
        """
        end = os.fstat(self._notepad).st_size
        text = os.pread(self._notepad, _LONGEST_WORDS, max(end - _LONGEST_WORDS, 0))
        lines = text.decode(errors="replace").strip().splitlines() or [""]
        told = [line.removeprefix(_OURS) for line in lines if line.startswith(_OURS)]
        return "; ".join(told) if lines[-1].startswith(_OURS) else lines[-1]

    def close(self) -> None:
        """Forget it."""
        self._channel.close()
        os.close(self._notepad)


def launch(
    command: Command, fds: Sequence[Named], *, environment: Callable[[int], Mapping[str, str]]
) -> Successor:
    """Start a new master that inherits `fds`, beside a channel to us and the real standard error.

    `environment` returns what it finds in its environment beside ours, for its pid.
    Raises OSError when it cannot be forked.
    """
    ours, theirs = channel.pair()
    with theirs:
        notepad = os.memfd_create("forkhttpd-notepad", os.MFD_CLOEXEC)
        given = [
            *fds,
            (heirloom_name(Heirloom.WORD), theirs.fileno()),
            (heirloom_name(Heirloom.STDERR), 2),
        ]
        try:
            pid, its_nurse = nurse.fork(lambda: _become(command, given, notepad, environment))
        except OSError:
            ours.close()
            os.close(notepad)
            raise
    return Successor(pid, its_nurse, ours, notepad)


def _become(
    command: Command,
    fds: Sequence[Named],
    notepad: int,
    environment: Callable[[int], Mapping[str, str]],
) -> NoReturn:
    try:
        _place([fd for _, fd in fds])
        os.dup2(notepad, 2)
        os.chdir(command.directory)
        pid = os.getpid()
        names = listen_environment((name for name, _ in fds), pid)
        env = {**os.environ, **environment(pid), **names}
        os.execve(command.program, command.arguments, env)
    except OSError as error:
        words = f"{error.filename or command.program}: {describe(error)}"
        os.write(notepad, words.encode(errors="replace"))
    finally:
        os._exit(ExitCode.OSERR)


def _place(fds: Sequence[int]) -> None:
    """Let descriptors stand from FIRST_FD on, in their order, to be inherited.

    First they are copied to where none of them can be overwritten.
    """
    above = FIRST_FD + len(fds)
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in fds]
    for place, copy in enumerate(copies, FIRST_FD):
        os.dup2(copy, place, inheritable=True)
