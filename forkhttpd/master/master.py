"""The master: one poll over everything that can happen, and the answer to one event at a time.

    event → policy → actions → fork, kill, load, reopen, leave

It serves nobody, never waits for anything else than its poll, and decides nothing: what to do is
the policy's, how to do it is here.

Signals stay blocked and are read from a descriptor; SIGCHLD is one of them, so the end of a child
and the end of an adopted stranger arrive in the same way.  A child that becomes READY rings the
bell.
"""

import contextlib
import gc
import logging
import math
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from setproctitle import setproctitle

from forkhttpd import channel, log, signals
from forkhttpd.config import Config
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.inheritance import REOPEN, Inheritance, Program, Role
from forkhttpd.master import actions, birth, daemon, events, orphans, pidfile
from forkhttpd.master.child import Child, State
from forkhttpd.master.generation import Generation
from forkhttpd.master.generations import Generations
from forkhttpd.master.policy import Policy
from forkhttpd.master.systemd import Notifier, take_sockets
from forkhttpd.scoreboard import Cell, Scoreboard, SlotState

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
    signal.SIGCHLD,
)
_LONGEST_POLL = 3600.0  # seconds; poll(2) takes an int of milliseconds
_RESTART_KEYS = ("pid_file",)  # what a running master cannot change

Programs = Mapping[Role, Program]


def run(
    config: Config,
    *,
    load: Callable[[], Config],
    programs: Programs,
    daemonize: bool,
    path: Path | None = None,
) -> int:
    """Serve until told to stop and return the exit code.

    `load` reads the configuration again for a reload and raises StartupError when it is wrong;
    `path` is its file, for the process title.  With `daemonize` the launching process leaves
    inside, with the daemon's verdict, and only the daemon returns.
    Raises StartupError when there is nothing to start: an address or the PID file is taken, a log
    cannot be opened.
    """
    daemon.fill_standard_streams()
    with contextlib.ExitStack() as estate:
        notifier = Notifier(os.environ)
        estate.callback(notifier.close)
        generations = Generations(take_sockets(os.environ))
        estate.callback(generations.close_all)
        # Binding and locking come first: what fails now is told to the person who is looking.
        lock = _claim(config.pid_file, estate)
        generations.open(1, config)
        readiness = daemon.Readiness(-1)
        if daemonize:
            held = [notifier.fileno(), lock.fileno() if lock else -1]
            readiness = daemon.detach([*generations.fds(), *(fd for fd in held if fd >= 0)])
            generations.reopen_logs()  # "stdout" and "stderr" are others now
        if lock is not None:
            lock.write()
        setproctitle(f"forkhttpd: master [{path}]" if path else "forkhttpd: master")
        master = Master(
            Policy(generations[1].plan(), daemonized=daemonize),
            generations,
            load=load,
            programs=programs,
            notifier=notifier,
            readiness=readiness,
        )
        estate.callback(master.close)
        return master.serve()


def _claim(path: Path | None, estate: contextlib.ExitStack) -> pidfile.PidFile | None:
    if path is None:
        return None
    lock = pidfile.claim(path)
    estate.callback(lock.remove)
    return lock


class Master:
    """The running master: what it sees by, what it acts by, and its way to the policy."""

    __slots__ = (
        "_bell",
        "_controls",
        "_exit",
        "_generations",
        "_lifeline",
        "_load",
        "_logger",
        "_notifier",
        "_policy",
        "_poll",
        "_programs",
        "_readiness",
        "_scoreboard",
        "_serving",
        "_signals",
        "_sweeping",
    )

    def __init__(
        self,
        policy: Policy,
        generations: Generations,
        *,
        load: Callable[[], Config],
        programs: Programs,
        notifier: Notifier,
        readiness: daemon.Readiness,
    ) -> None:
        self._policy = policy
        self._generations = generations
        self._load = load
        self._programs = programs
        self._notifier = notifier
        self._readiness = readiness
        self._serving: Generation | None = None
        self._exit: actions.Exit | None = None
        self._sweeping = False
        self._controls: dict[int, socket.socket] = {}  # by slot
        self._logger = _open_logger(generations[1])
        self._scoreboard = Scoreboard.create()
        self._lifeline = os.pipe()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # its default would end us
        self._signals = signals.receive(_SIGNALS)
        self._poll = select.poll()
        for fd in (self._signals, self._bell):
            self._poll.register(fd, select.POLLIN)

    def close(self) -> None:
        """Let go of everything.  Children that are left see the lifeline hang up, and drain."""
        for control in self._controls.values():
            control.close()
        channel.close_all([*self._lifeline, self._bell, self._signals])

    def serve(self) -> int:
        """Do what has to be done until it is time to leave; return the exit code."""
        orphans.adopt()
        # What there is now is shared with all children for good: no collector needs to touch it.
        gc.collect()
        gc.freeze()
        try:
            leaving = self._run()
        except Exception as error:
            self._logger.critical("the master has failed, its children drain", exc_info=error)
            leaving = actions.Exit(ExitCode.SOFTWARE, f"{type(error).__name__}: {error}")
        reason = leaving.reason or "stopped before it was ready"
        self._readiness.report(leaving.code or ExitCode.UNAVAILABLE, reason)
        return leaving.code

    def _run(self) -> actions.Exit:
        self._happens(events.Begin())
        while self._exit is None:
            self._poll.poll(self._timeout())
            self._answer_bell()
            self._read_signals()
            if self._exit is None and time.monotonic() >= self._policy.deadline():
                self._happens(events.Tick(self._beats()))
        return self._exit

    # What happens.

    def _timeout(self) -> int:
        """Return the milliseconds to the next deadline, rounded up."""
        left = min(self._policy.deadline() - time.monotonic(), _LONGEST_POLL)
        return math.ceil(max(left, 0.0) * 1000)

    def _answer_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        starting = [one for one in self._policy.children.values() if one.state is State.STARTING]
        for child in starting:
            if self._scoreboard.slot(child.slot).get(Cell.STATE) == SlotState.READY:
                self._happens(events.Ready(child.slot))

    def _read_signals(self) -> None:
        for number in signals.read(self._signals):
            if number is signal.SIGCHLD:
                self._reap()
            else:
                self._happens(events.Signalled(number))

    def _reap(self) -> None:
        """Take in everyone who died: ours, and strangers that nobody else would (M13)."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
                self._has_died(*found)
        if self._sweeping:
            self._happens(*self._sweep())

    def _has_died(self, pid: int, status: int) -> None:
        child = next((one for one in self._policy.children.values() if one.pid == pid), None)
        if child is None:
            return
        with self._controls.pop(child.slot) as control:
            report = birth.last_words(control)
        self._happens(events.Exited(child.slot, os.waitstatus_to_exitcode(status), report))

    def _beats(self) -> dict[int, float]:
        return {
            slot: self._scoreboard.slot(slot).get(Cell.HEARTBEAT) / 1e9
            for slot in self._policy.children
        }

    def _happens(self, *happened: events.Event) -> None:
        """Tell the policy, do what it says, and tell it what comes of that."""
        queue = deque(happened)
        while queue and self._exit is None:
            for action in self._policy.handle(queue.popleft(), time.monotonic()):
                queue.extend(self._perform(action))

    # What is done.

    def _perform(self, action: actions.Action) -> Iterable[events.Event]:
        match action:
            case actions.Fork():
                return self._fork(action.child)
            case actions.Load():
                return self._load_generation(action.generation)
            case actions.Sweep():
                return self._sweep()
            case actions.Kill():
                self._kill(action.child, action.signal)
            case actions.Adopt():
                self._adopt(self._generations[action.generation])
            case actions.Release():
                self._generations.release(action.generation)
            case actions.Close():
                self._generations.close(action.generation)
            case actions.Reopen():
                self._reopen()
            case actions.Log():
                self._logger.log(action.level, "%s", action.text)
            case actions.Notify():
                self._notifier.tell(action.notice, action.status)
            case actions.Exit():
                self._exit = action
        return ()

    def _fork(self, child: Child) -> Iterable[events.Event]:
        try:
            ours, theirs = channel.pair()
        except OSError as error:
            return (events.NotForked(child.slot, describe(error)),)
        self._controls[child.slot] = ours
        with theirs:
            try:
                child.pid = birth.fork(self._programs[child.role], self._bequeath(child, theirs))
            except OSError as error:
                self._controls.pop(child.slot).close()
                return (events.NotForked(child.slot, describe(error)),)
        return ()

    def _bequeath(self, child: Child, control: socket.socket) -> Inheritance:
        slot = self._scoreboard.slot(child.slot)
        slot.clear()
        return self._generations[child.generation].bequeath(
            child,
            slot=slot,
            scoreboard=self._scoreboard,
            lifeline=self._lifeline[0],
            bell=self._bell,
            control=control,
        )

    def _kill(self, child: Child, number: signal.Signals) -> None:
        # Never pid 0, our whole process group.  No pid can be somebody else's: nobody but us reaps.
        if child.pid:
            os.kill(child.pid, number)

    def _sweep(self) -> Iterable[events.Event]:
        known = {child.pid for child in self._policy.children.values()}
        self._sweeping = orphans.kill_all(known) > 0
        return () if self._sweeping else (events.Swept(),)

    def _load_generation(self, number: int) -> Iterable[events.Event]:
        try:
            generation = self._generations.open(number, self._load())
        except StartupError as error:
            return (events.NotLoaded("; ".join(str(error).splitlines())),)
        except Exception as error:  # whatever a file can make of us, the old generation serves on
            self._logger.critical("reload: a bug", exc_info=error)
            return (events.NotLoaded(f"{type(error).__name__}: {error}"),)
        return (events.Loaded(generation.plan()),)

    def _adopt(self, generation: Generation) -> None:
        before, self._serving = self._serving, generation
        self._logger = _open_logger(generation)
        for address, listener in generation.listeners.items():
            if before is None or address not in before.listeners:
                for url in listener.urls():
                    self._logger.info("listening on %s", url)
        if before is not None:
            self._warn_of_restart(before.config, generation.config)
        self._readiness.report(ExitCode.STOPPED)

    def _warn_of_restart(self, before: Config, after: Config) -> None:
        changed = [key for key in _RESTART_KEYS if getattr(before, key) != getattr(after, key)]
        if changed:
            self._logger.warning("needs restart: %s", ", ".join(changed))

    def _reopen(self) -> None:
        for problem in self._generations.reopen_logs():
            self._logger.error("reopen: %s", problem)
        for child in self._policy.children.values():
            self._send_logs(child)
        self._logger.info("logs reopened")

    def _send_logs(self, child: Child) -> None:
        logs = self._generations[child.generation].logs_of(child.role)
        try:
            channel.send(self._controls[child.slot], REOPEN, [fd for fd in logs if fd >= 0])
        except OSError as error:
            self._logger.error("reopen: %s does not take its logs: %s", child, describe(error))


def _open_logger(generation: Generation) -> logging.Logger:
    return log.set_up(generation.error_log, level=generation.config.log.level, name="master")
