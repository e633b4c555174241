"""Where a spawner begins and ends."""

import os
import signal
from typing import Any, Dict, Iterator, List, Optional, Tuple

from forkhttpd.scoreboard import Cell, Scoreboard, Slot, SlotState
from forkhttpd.spawner import errorlog, image
from forkhttpd.spawner.life import Birth, begin
from forkhttpd.spawner.origin import Origin, note
from forkhttpd.spawner.settings import Settings
from forkhttpd.spawner.spawner import Spawner

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

# In the process of a script: all that the spawner was, with the frames it was in.  To free it costs
# more than to let it be, and would close descriptors that are the script's by now.  So it has to
# stay, and does, as boot.py keeps this module.
_KEPT: List[object] = []


def main(values: Dict[str, Any], notes: Optional[Tuple[Any, Any, Any]]) -> object:
    """Be a spawner with these Settings, and leave by os._exit with an exit code.

    `notes`: what origin.note wants to know where the interpreter was started as for a script;
    scripts run in forks of it then.
    It returns in such a fork only, what the script is to be run with (see life.py).

    Signals are blocked when this begins, so that one that comes early waits until it is listened
    for.
    """
    settings = Settings(**values)
    origin = note(*notes) if notes else None
    code = _SOFTWARE
    serving = _serve(settings, origin)
    birth = None
    try:
        birth = next(serving, None)
        code = _STOPPED
    except BaseException as error:
        errorlog.write(f"bug, ending all programs: {_brief(error)}", name=settings.name)
    finally:
        if birth is None:
            os._exit(code)
    _KEPT.append(serving)
    return begin(birth)


def _serve(settings: Settings, origin: Optional[Origin]) -> Iterator[Birth]:
    """Be a spawner to its end; in each fork, yield what it begins with.

    By yielding, all the frames of the spawner stay as they are: to return from them costs 60 pages.
    """
    for fd in settings.descriptors():
        os.set_inheritable(fd, False)
    image.find().show_title(f"forkhttpd: spawner [{settings.name}]".encode())
    os.umask(settings.umask)
    scoreboard = Scoreboard(settings.scoreboard)
    scoreboard.keep_from_forks()
    slot = _occupy_slot(settings, scoreboard)
    spawner = Spawner(settings, slot, origin=origin, signals=_listen_for_signals())
    pid = os.getpid()
    try:
        spawner.open()
        while spawner.run():
            for birth in spawner.pool.fork():
                yield birth
            spawner.pool.reap()  # a SIGCHLD may have been lost (stage.py)
    finally:
        if os.getpid() == pid:
            spawner.pool.kill_all()


def _occupy_slot(settings: Settings, scoreboard: Scoreboard) -> Slot:
    slot = scoreboard.slot(settings.slot)
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


def _brief(error: BaseException) -> str:
    """Return an exception in one line, with its last places."""
    places: List[str] = []
    traceback = error.__traceback__
    while traceback:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return " | ".join((*places[-4:], f"{type(error).__name__}: {error}"))
