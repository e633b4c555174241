"""The smallest honest children: they become READY, beat, and obey, or misbehave as told.

What a child does is written in the configuration's `server` value, one word for the workers and
one for the spawners: "steady steady".
"""

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from forkhttpd import channel, signals
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.inheritance import REOPEN, SERVE, Inheritance, Role
from forkhttpd.scoreboard import Cell, SlotState


def worker(inheritance: Inheritance) -> NoReturn:
    """The Program of Role.WORKER."""
    _MANNERS[inheritance.config.server.split()[0]](inheritance)
    os._exit(0)


def spawner(inheritance: Inheritance) -> NoReturn:
    """The Program of Role.SPAWNER."""
    _MANNERS[inheritance.config.server.split()[1]](inheritance)
    os._exit(0)


PROGRAMS = {Role.WORKER: worker, Role.SPAWNER: spawner}


def _steady(inheritance: Inheritance) -> None:
    """Answer each connection with who we are, until told to go or left alone."""
    _serve(inheritance, obeys={signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}, yields=True)


def _stubborn(inheritance: Inheritance) -> None:
    """Accept no more when told to go, but stay until QUIT."""
    _serve(inheritance, obeys={signal.SIGQUIT}, yields=True)


def _deaf(inheritance: Inheritance) -> None:
    """Obey nothing but KILL."""
    _serve(inheritance, obeys=set(), yields=False)


def _failing(inheritance: Inheritance) -> None:
    raise LookupError("nothing works today")


def _refusing(inheritance: Inheritance) -> None:
    raise StartupError('user = "nobody-here": there is no such user', exit_code=ExitCode.CONFIG)


def _slow(inheritance: Inheritance) -> None:
    """Never become ready."""
    while True:
        time.sleep(3600)


def _tardy(inheritance: Inheritance) -> None:
    """Become ready when the file `go` is there."""
    while not Path(os.environ["SCRATCH"], "go").exists():
        time.sleep(0.01)
    _steady(inheritance)


def _stuck(inheritance: Inheritance) -> None:
    """Become ready and then hang in a loop, as a bug would."""
    _become_ready(inheritance)
    while True:
        pass


def _prolific(inheritance: Inheritance) -> None:
    """A spawner with a program that has started another one, each in a session of its own."""
    mark = {"MARK": str(os.getpid())}
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
        signals.reset()
        os.execve("/bin/sleep", ["sleep", "3600"], mark)
    _steady(inheritance)


def _curious(inheritance: Inheritance) -> None:
    """Write down the names of the variables that we have found."""
    Path(os.environ["SCRATCH"], "environment").write_text("\n".join(os.environ))
    _steady(inheritance)


_MANNERS: dict[str, Callable[[Inheritance], None]] = {
    "steady": _steady,
    "stubborn": _stubborn,
    "deaf": _deaf,
    "failing": _failing,
    "refusing": _refusing,
    "slow": _slow,
    "tardy": _tardy,
    "stuck": _stuck,
    "prolific": _prolific,
    "curious": _curious,
}


def _become_ready(inheritance: Inheritance) -> None:
    inheritance.slot.beat()
    inheritance.slot.set(Cell.STATE, SlotState.READY)
    os.eventfd_write(inheritance.bell, 1)


def _yield(inheritance: Inheritance, poll: select.poll) -> None:
    """Accept no more, and say so."""
    for one in inheritance.listeners:
        with contextlib.suppress(KeyError, ValueError):  # not registered, or closed before
            poll.unregister(one.socket)
        one.socket.close()
    inheritance.slot.set(Cell.STATE, SlotState.DRAINING)
    os.eventfd_write(inheritance.bell, 1)


def _serve(inheritance: Inheritance, *, obeys: set[signal.Signals], yields: bool) -> None:
    orders = signals.receive({signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
    listeners = {one.socket.fileno(): one.socket for one in inheritance.listeners}
    poll = select.poll()
    for fd in (orders, inheritance.lifeline, inheritance.control.fileno()):
        poll.register(fd, select.POLLIN)
    _become_ready(inheritance)
    while True:
        for fd, _ in poll.poll(200):
            if fd == inheritance.lifeline:
                os._exit(0)
            elif fd == orders:
                told = set(signals.read(orders))
                if yields:
                    _yield(inheritance, poll)
                if obeys & told:
                    os._exit(0)
            elif fd == inheritance.control.fileno():
                if _take_message(inheritance) == SERVE:
                    for listener in listeners:
                        poll.register(listener, select.POLLIN)
            elif listeners[fd].fileno() >= 0:  # not closed in this very turn
                _answer(listeners[fd], inheritance)
        inheritance.slot.beat()


def _answer(listener: socket.socket, inheritance: Inheritance) -> None:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:  # another worker was quicker
        return
    fds = ",".join(str(fd) for fd in _open_fds())
    with connection:
        connection.sendall(f"{os.getpid()} {inheritance.generation} {fds}\n".encode())
    if inheritance.access_log >= 0:
        os.write(inheritance.access_log, b"answered\n")


def _open_fds() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue
        found.append(int(name))
    return sorted(found)


def _take_message(inheritance: Inheritance) -> bytes:
    message, fds = channel.receive(inheritance.control)
    if message == REOPEN:
        logs = [fd for fd in (inheritance.access_log, inheritance.error_log) if fd >= 0]
        for old, new in zip(logs, fds, strict=True):
            os.dup2(new, old, inheritable=False)
    channel.close_all(fds)
    return message
