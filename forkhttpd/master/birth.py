"""A child's first moments: what happens between `fork` and its program.

The child arrives with all signals blocked, so nothing that is meant for it is lost and nothing
reaches it half-made.  It leaves here with TERM, HUP and QUIT still blocked, for its program to
read; with ABRT open, since a program that hangs must be able to say where; and deaf to what is
the master's affair alone: a terminal's INT, the signals of the logs and of the number of workers.

Everything that is not the child's is closed: a PID file's descriptor alone would keep the lock
after the master is gone, a lifeline's write end would keep the lifeline up.
"""

import contextlib
import faulthandler
import logging
import os
import signal
import socket
import time
from collections.abc import Iterable
from typing import NoReturn

from setproctitle import setproctitle

from forkhttpd import channel, log
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.inheritance import Inheritance, Program, Role
from forkhttpd.master.child import title
from forkhttpd.scoreboard import Cell, SlotState

_PENDING = {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP}
_MASTERS_OWN = (
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


def fork(program: Program, inheritance: Inheritance) -> int:
    """Start a child and return its pid.  Raises OSError."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise
    if pid == 0:
        _live(program, inheritance)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _live(program: Program, inheritance: Inheritance) -> NoReturn:
    """Be the child.  A program that cannot start raises StartupError; the master logs it."""
    code = ExitCode.SOFTWARE
    try:
        _prepare(inheritance)
        program(inheritance)
    except StartupError as error:
        code = error.exit_code
        _report(inheritance, str(error))
    except BaseException as error:
        logging.getLogger("forkhttpd").critical("a bug", exc_info=error)
        _report(inheritance, f"{type(error).__name__}: {error}")
    finally:
        os._exit(code)


def last_words(control: socket.socket) -> str:
    """Return what a dead child had to report over its control channel, "" if nothing."""
    with contextlib.suppress(OSError, channel.ChannelError):
        message, fds = channel.receive(control)
        channel.close_all(fds)
        return message.decode(errors="replace")
    return ""


def _report(inheritance: Inheritance, words: str) -> None:
    with contextlib.suppress(OSError):
        channel.send(inheritance.control, words.encode(errors="replace")[:4096])


def _prepare(inheritance: Inheritance) -> None:
    name = title(inheritance.role, inheritance.name, inheritance.number)
    _close_all_but(_kept_fds(inheritance))
    _silence_stdin()
    setproctitle(f"forkhttpd: {name}")
    log.set_up(inheritance.error_log, level=inheritance.config.log.level, name=name)
    faulthandler.enable(max(inheritance.error_log, 2), all_threads=False)
    _introduce(inheritance)
    for number in _MASTERS_OWN:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, _PENDING)


def _kept_fds(inheritance: Inheritance) -> set[int]:
    """Return the descriptors that a child keeps, besides 0, 1 and 2."""
    if inheritance.role is Role.WORKER:
        doors = [door.outside for door in inheritance.doors.values()]
    else:
        doors = [door.inside for door in inheritance.doors.values()]
    listeners = [listening.socket for listening in inheritance.listeners]
    sockets = (inheritance.control, *listeners, *doors)
    return {
        inheritance.lifeline,
        inheritance.bell,
        inheritance.scoreboard.fd,
        inheritance.access_log,
        inheritance.error_log,
        *(one.fileno() for one in sockets),
    }


def _close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor above 2 that is not in `keep`.

    The master's objects for them live on in its frames below ours, never to be collected: none of
    them can close a number that has found a new meaning.
    """
    start = 3
    for fd in sorted(fd for fd in keep if fd > 2):
        os.closerange(start, fd)
        start = fd + 1
    # Up to what is open, not up to the limit: that may be a thousand million.
    os.closerange(start, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def _silence_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _introduce(inheritance: Inheritance) -> None:
    slot = inheritance.slot
    slot.set(Cell.PID, os.getpid())
    slot.set(Cell.GENERATION, inheritance.generation)
    slot.set(Cell.NUMBER, inheritance.number)
    slot.set(Cell.BORN, time.monotonic_ns())
    slot.set_name(inheritance.name)
    slot.set(Cell.STATE, SlotState.STARTING)
    slot.beat()
