"""A worker: accepts, parses, dispatches, until it is told to go.

    accept          intake.py       one connection per wake-up
    parse           connection.py   the connection's coroutine pulls requests out of its parser
    dispatch        router.py       static files are answered here, programs by asking a spawner

Everything happens in the turns of one loop.  Between them the worker shows in its slot of the
scoreboard that it lives and what it has done, and writes its access log when that is due.

Signals: TERM drains, QUIT stops now.  HUP is the drain of a reload: others serve on, so idle
clients are given the time to come back once more.  What else can come is settled before the worker
begins, in `master/birth.py`.  USR2 says that TERM comes soon (lame duck): whoever asks is not to
come back, and is told so.
"""

import logging
import math
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import NoReturn

from forkhttpd import channel, signals
from forkhttpd.access.htpasswd import Verifiers
from forkhttpd.config import Config
from forkhttpd.errors import ExitCode
from forkhttpd.http1.request import Endpoint, Request
from forkhttpd.inheritance import REOPEN, SERVE, Inheritance, Listening
from forkhttpd.log import catch_up
from forkhttpd.loop import FOREVER, Loop
from forkhttpd.outlet import RETRY_PAUSE
from forkhttpd.privileges import become
from forkhttpd.scoreboard import Cell, SlotState
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.connection import serve
from forkhttpd.worker.context import Context
from forkhttpd.worker.entrance import Entrance, open_entrance
from forkhttpd.worker.gate import Gate, load_verifiers
from forkhttpd.worker.intake import Intake
from forkhttpd.worker.launcher import Launcher
from forkhttpd.worker.observer import Observer, is_wanted
from forkhttpd.worker.reception import Reception
from forkhttpd.worker.router import Router
from forkhttpd.worker.share import Share
from forkhttpd.worker.shortcut import Shortcut
from forkhttpd.worker.tending import Tending

_LONGEST_TURN = 0.5  # seconds between two heartbeats of an idle worker
_RETIRE_GRACE = 0.5  # seconds for a client that is about to send its next request when we stop

_OURS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2)


def run_worker(inheritance: Inheritance) -> NoReturn:
    """Be a worker for the rest of the process; the Program of Role.WORKER.

    Raises StartupError when it cannot be one.
    """
    config = inheritance.config
    known = load_verifiers(config)
    become(config.user, config.group, no_new_privileges=True)
    sys.unraisablehook = _log_unraisable
    Worker(inheritance, known, logging.getLogger("forkhttpd")).run()
    os._exit(ExitCode.STOPPED)


class Worker:
    """One serving process."""

    __slots__ = (
        "_access_log",
        "_catch_up_at",
        "_connection_ids",
        "_context",
        "_drain_until",
        "_enough",
        "_gate",
        "_inheritance",
        "_intake",
        "_is_ready",
        "_launcher",
        "_log",
        "_loop",
        "_observer",
        "_reception",
        "_router",
        "_signal_fd",
        "_tending",
        "_worked",
    )

    def __init__(self, inheritance: Inheritance, known: Verifiers, log: logging.Logger) -> None:
        """`known`: what passwords are verified by."""
        config = inheritance.config
        self._inheritance = inheritance
        self._is_ready = True  # until all of us are to stop
        self._log = log
        self._loop = loop = Loop(report=self._report)
        self._access_log = AccessLog(inheritance.access_log, format=config.log.format)
        self._launcher = Launcher(loop, inheritance.doors)
        board, slot = inheritance.scoreboard, inheritance.slot
        self._observer = observer = Observer(board, slot, self) if is_wanted(config) else None
        self._gate = gate = Gate(inheritance, known=known, loop=loop, log=log)
        self._router = router = Router(
            config,
            loop=loop,
            launch=self._launcher.launch,
            guard=gate.guards,
            log=log,
            view=observer,
            is_ready=lambda: self._is_ready,
        )
        self._context = Context(
            config,
            # Unlike that of any worker before, on this machine and since it was booted.
            name=f"{os.getpid():x}-{time.monotonic_ns() >> 20:x}",
            loop=loop,
            refuse=router.refuse,
            access_log=self._access_log,
            log=log,
            tally=observer.tally if observer else None,
            pace=gate.pace,
        )
        self._reception = Reception(self._context, headcount=gate.headcount, serve=self._serve)
        self._intake = self._make_intake()
        self._connection_ids = 0
        self._catch_up_at = loop.now
        self._enough = _enough_requests(config)
        self._drain_until = FOREVER
        self._tending = Tending()
        self._worked = 0.0  # seconds in which the loop had something to do
        self._signal_fd = signals.receive(_OURS)
        loop.watch(self._signal_fd, self._take_signals)
        loop.watch(inheritance.lifeline, self._lose_master)
        loop.watch(inheritance.control.fileno(), self._take_message)

    def run(self) -> None:
        """Serve until drained, or told to stop."""
        self._gate.open()
        self._turn(0.0)
        self._tend()
        if self._drain_until == FOREVER:  # else we were told to go before we were ready
            self._inheritance.slot.set(Cell.STATE, SlotState.READY)
            self._ring()
        while not self._is_done():
            self._turn(_LONGEST_TURN)
        self._context.finish()
        self.publish()  # also what was counted since we tended to it last
        if self._observer is not None:
            self._observer.tally.flush()
        self._access_log.finish()

    # What is observed.

    @property
    def is_leaving(self) -> bool:
        """Whether we drain."""
        return self._context.draining

    def site_name(self, host: str) -> str:
        """Return what the site of a host is called."""
        return self._router.site_name(host)

    def publish(self) -> None:
        """Bring our slot of the scoreboard up to date."""
        self._context.publish(self._inheritance.slot)

    def answering(self) -> Iterator[Request]:
        """Yield the requests that are being answered."""
        return (one.request for one in self._context.connections if one.request is not None)

    def _turn(self, longest: float) -> None:
        loop, tending = self._loop, self._tending
        patience = self._access_log.patience(loop.now, longest)
        loop.turn(tending.wait(loop.now, patience))
        self._worked += time.monotonic() - loop.now
        if tending.is_due(loop.now):
            self._tend()

    def _tend(self) -> None:
        loop, context, slot = self._loop, self._context, self._inheritance.slot
        self._tending.begin(loop.now)
        self._intake.tend()
        context.set_time(time.time())
        context.log_overdue()
        context.publish(slot)
        self._access_log.flush_when_due(loop.now)
        if self._observer is not None:
            self._observer.tend(loop.now, time.time())
        if loop.now >= self._catch_up_at:
            self._catch_up_at = min(catch_up(loop.now), loop.now + RETRY_PAUSE)
        if context.requests >= self._enough:
            self._wear_out()
        slot.beat()
        slot.set(Cell.WORKED, int(self._worked * 1e9))

    def _wear_out(self) -> None:
        """Ask to be replaced, once; until that is done, serve on (M19)."""
        self._enough = math.inf
        self._inheritance.slot.set(Cell.WORN, 1)
        self._ring()

    def _ring(self) -> None:
        os.write(self._inheritance.bell, (1).to_bytes(8, sys.byteorder))

    def _is_done(self) -> bool:
        if self._drain_until == FOREVER:
            return False
        if self._loop.now >= self._drain_until:
            return True
        context = self._context
        return not (context.connections or context.unsettled or self._launcher.is_busy)

    # Connections

    def _make_intake(self) -> Intake:
        inheritance = self._inheritance
        intake = Intake(
            self._loop,
            held=self._context.connections.__len__,
            limit=inheritance.config.limits.connections,
            share=Share(inheritance.scoreboard, inheritance.slot),
            log=self._log,
        )
        for listening in inheritance.listeners:
            intake.add(listening.socket, self._receiver(listening))
        return intake

    def _receiver(self, listening: Listening) -> Callable[[socket.SocketType, Endpoint], None]:
        tls = self._inheritance.tls
        entrance = open_entrance(listening, self._router, self._context, tls=tls)
        return partial(self._open_connection, entrance)

    def _open_connection(
        self, entrance: Entrance, connected: socket.SocketType, client: Endpoint
    ) -> None:
        if self._reception.is_due(entrance):
            self._loop.start(self._reception.receive(entrance, connected, client))
        else:
            shortcut = self._shortcut(entrance, connected, client)
            if not shortcut.welcome():
                self._loop.start(serve(self._context, shortcut))
        if len(self._context.connections) >= self._context.limits.connections:
            self._intake.tend()

    def _serve(
        self, entrance: Entrance, connected: socket.SocketType, client: Endpoint
    ) -> Coroutine[None, None, None]:
        return serve(self._context, self._shortcut(entrance, connected, client))

    def _shortcut(
        self, entrance: Entrance, connected: socket.SocketType, client: Endpoint
    ) -> Shortcut:
        self._connection_ids += 1
        stream = entrance.stream(self._loop, connected)
        return Shortcut(self._context, stream, entrance, client, id=self._connection_ids)

    # What the master says, and what is said in its name

    def _take_signals(self, _events: int) -> None:
        for number in signals.read(self._signal_fd):
            match number:
                case signal.SIGQUIT:
                    self._drain_until = self._loop.now
                case signal.SIGUSR2:
                    self._is_ready = False
                    self._context.drain()
                case signal.SIGTERM:
                    self._is_ready = False
                    self._drain(_RETIRE_GRACE)
                case signal.SIGHUP:
                    self._drain(FOREVER)

    def _lose_master(self, _events: int) -> None:
        """Nobody is left who would replace us, so others must be able to: free the listeners."""
        self._loop.unwatch(self._inheritance.lifeline)
        self._log.error("the master is gone: draining")
        self._is_ready = False
        self._drain(_RETIRE_GRACE)

    def _drain(self, patience: float) -> None:
        """Accept no more, answer what is asked, and let idle clients go after `patience`."""
        if self._drain_until == FOREVER:
            self._drain_until = self._loop.now + self._inheritance.config.timeouts.graceful
            self._intake.close()
            self._inheritance.slot.set(Cell.STATE, SlotState.DRAINING)  # a reload waits for that
            self._ring()
            self._context.drain()
        # Also for those that become idle later: what is running may have promised to stay open.
        self._context.patience = min(self._context.patience, patience)
        for connection in self._context.connections:
            connection.retire(patience)

    def _take_message(self, _events: int) -> None:
        control = self._inheritance.control
        try:
            message, fds = channel.receive(control)
        except BlockingIOError:
            return
        except (OSError, channel.ChannelError) as error:
            self._log.error("lost a message of the master: %s", error)
            return
        if not message:  # the master is gone, which the lifeline says, too
            self._loop.unwatch(control.fileno())
        elif message == SERVE:
            if self._drain_until == FOREVER:
                self._intake.open()
        elif message == REOPEN:
            self._access_log.flush()
            logs = (self._inheritance.access_log, self._inheritance.error_log)
            for fd, new in zip((log for log in logs if log >= 0), fds, strict=False):
                os.dup2(new, fd, inheritable=False)
        channel.close_all(fds)

    def _report(self, error: Exception) -> None:
        self._log.error("a task failed", exc_info=error)


def _log_unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """Log what nobody could be told; as it comes, Python writes it to stderr, and waits there.

    A client can cause it: ssl decodes a server name (SNI) that is not ASCII where nothing catches.
    """
    logging.getLogger("forkhttpd").warning("ignored: %s: %r", lost.exc_value, lost.object)


def _enough_requests(config: Config) -> float:
    """Return after how many requests this worker is to be replaced; chance keeps many apart."""
    if not config.max_requests:
        return math.inf
    return config.max_requests + secrets.randbelow(config.max_requests_jitter + 1)
