"""Where a spawner begins and ends."""

import os
import signal
import traceback
from typing import Any, Dict, NoReturn

from forkhttpd.scoreboard import Cell, Scoreboard, Slot, SlotState
from forkhttpd.spawner import errorlog
from forkhttpd.spawner.settings import Settings
from forkhttpd.spawner.spawner import Spawner
from forkhttpd.spawner.title import set_title

# forkhttpd.errors.ExitCode, which is not in the bundle.
_STOPPED = 0
_SOFTWARE = 70

# Those that are for us.  All others that a terminal or an operator may send to the whole process
# group are for the master, who decides what they mean.
_OURS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGQUIT)
_NOT_OURS = (
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
    signal.SIGALRM,
)


def main(values: Dict[str, Any]) -> NoReturn:
    """Be a spawner with these Settings, and leave by os._exit with an exit code.

    Signals are blocked when this begins, so that one that comes early waits until it is listened
    for.
    """
    settings = Settings(**values)
    code = _SOFTWARE
    try:
        _serve(settings)
        code = _STOPPED
    except BaseException:
        errorlog.write(f"bug, ending all programs: {_brief()}", name=settings.name)
    finally:
        os._exit(code)


def _serve(settings: Settings) -> None:
    for fd in settings.descriptors():
        os.set_inheritable(fd, False)
    set_title(f"forkhttpd: spawner [{settings.name}]".encode())
    os.umask(settings.umask)
    spawner = Spawner(settings, _occupy_slot(settings), signals=_listen_for_signals())
    try:
        spawner.run()
    finally:
        spawner.pool.kill_all()


def _occupy_slot(settings: Settings) -> Slot:
    slot = Scoreboard(settings.scoreboard).slot(settings.slot)
    slot.set(Cell.PID, os.getpid())
    slot.set(Cell.GENERATION, settings.generation)
    slot.set(Cell.STATE, SlotState.STARTING)
    return slot


def _listen_for_signals() -> int:
    """Return a descriptor that gets the number of each signal that is ours, a byte each."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _NOT_OURS:
        signal.signal(number, signal.SIG_IGN)
    for number in _OURS:
        signal.signal(number, _heard)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return reading


def _heard(_number: int, _frame: object) -> None:
    """Nothing: only for a signal that has a handler, its number is written to the wake-up fd."""


def _brief() -> str:
    """Return the exception being handled, in one line, with its last places."""
    return " | ".join(line.strip() for line in traceback.format_exc(limit=-4).splitlines()[1:])
