"""Detach from the terminal, and let the launching command tell how it went (M18).

python-daemon does the detaching; its ways need some care (version 3.1.2, read and tried):
* It lets the launching process exit 0 at once.  So it runs in a child of ours, and the launching
  process waits for word from the daemon over a pipe.
* Its umask is 0 unless told otherwise, it maps signals to handlers of its own, and it forbids core
  dumps: each is switched off or said explicitly.
* It opens /dev/null for each standard stream and leaves those descriptors open: it gets a file.
* It closes all other descriptors up to the hard RLIMIT_NOFILE, with close_range(2): one system
  call for each gap between those that are kept.

What can fail for the operator's fault, binding and locking, is done before and survives it.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn

import daemon

from forkhttpd.errors import ExitCode, StartupError, describe

_LONGEST = 4096  # bytes of a verdict, below PIPE_BUF: it arrives whole


class Readiness:
    """The daemon's end of the pipe to its launching command: one verdict, then closed.

    `fd` -1 is a foreground process, which has nobody to tell.
    """

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def report(self, code: int, text: str = "") -> None:
        """Say how the launching command has to exit and what it has to print on its stderr.

        Only the first verdict counts.
        """
        if self._fd < 0:
            return
        verdict = bytes([code]) + text.encode(errors="replace")[: _LONGEST - 1]
        try:
            os.write(self._fd, verdict)
        except BrokenPipeError:  # the launching command was killed; that is its own affair
            pass
        finally:
            os.close(self._fd)
            self._fd = -1

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Report what keeps us from starting; an OSError becomes a StartupError."""
        try:
            yield
        except OSError as error:
            words = f"cannot start: {describe(error)}"
            self.report(ExitCode.OSERR, words)
            raise StartupError(words, exit_code=ExitCode.OSERR) from error
        except StartupError as error:
            self.report(error.exit_code, str(error))
            raise


def fill_standard_streams() -> None:
    """Open /dev/null for each of 0, 1, 2 that is closed, so that no socket ever gets the number."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False))  # noqa: SIM115


def detach(keep: Iterable[int]) -> Readiness:
    """Return in the daemon only: a session of its own, `/`, 0 to 2 on /dev/null, `keep` open.

    The launching process never returns: it leaves with the verdict, once there is one.
    """
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write_end)
        _await_verdict(read_end, pid)
    os.close(read_end)
    with open(os.devnull, "r+b", buffering=0) as null:
        daemon.DaemonContext(
            umask=_umask(),
            prevent_core=False,
            detach_process=True,
            files_preserve=[*keep, write_end],
            signal_map={},
            stdin=null,
            stdout=null,
            stderr=null,
        ).open()
    return Readiness(write_end)


def _await_verdict(pipe: int, pid: int) -> NoReturn:
    verdict = os.read(pipe, _LONGEST)
    os.waitpid(pid, 0)  # gone since it detached
    code = verdict[0] if verdict else ExitCode.SOFTWARE
    text = verdict[1:].decode(errors="replace") if verdict else "the daemon died during its start"
    if text:
        print(f"forkhttpd: {text}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _umask() -> int:
    """Return the umask as it is; there is no way to ask without setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
