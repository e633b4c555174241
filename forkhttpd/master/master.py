"""The master: one poll over everything that can happen, and the answer to one event at a time.

    event → policy → actions → fork, kill, load, reopen, leave

It serves nobody and decides nothing: what to do is the policy's, how to do it is here.  It waits
for its poll alone, and for the child that reads a reload (`forkhttpd.config.reader`), seconds, or
until it is to stop: all else is done after it, so a policy has no state in between.

Signals stay blocked and are read from a descriptor; SIGCHLD is one of them, so the end of a child
and that of an adopted stranger arrive in the same way.  A child that comes further rings the bell.
"""

import contextlib
import ctypes
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

from forkhttpd import channel, log, signals
from forkhttpd.config import Config
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.inheritance import REOPEN, SERVE, Inheritance, Program, Role
from forkhttpd.master import actions, birth, events, orphans
from forkhttpd.master.bell import Bell
from forkhttpd.master.child import Child
from forkhttpd.master.control import Control
from forkhttpd.master.estate import Estate
from forkhttpd.master.gauges import look
from forkhttpd.master.generation import Generation
from forkhttpd.master.policy import Policy
from forkhttpd.master.relatives import Relatives
from forkhttpd.master.status import History, status
from forkhttpd.master.store import Store
from forkhttpd.scoreboard import Cell

SIGNALS = (
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
    signal.SIGCHLD,
)
_libc = ctypes.CDLL(None)
_LONGEST_POLL = 3600.0  # seconds; poll(2) takes an int of milliseconds
_SWEEP_PAUSE = 1.0  # seconds at most between two looks for programs of a dead spawner
Programs = Mapping[Role, Program]


class Master:
    """The running master: what it sees by, what it acts by, and its way to the policy."""

    __slots__ = (
        "_bell",
        "_control",
        "_controls",
        "_exit",
        "_generations",
        "_history",
        "_lifeline",
        "_load",
        "_logger",
        "_notifier",
        "_policy",
        "_poll",
        "_programs",
        "_readiness",
        "_relatives",
        "_scoreboard",
        "_serving",
        "_signals",
        "_store",
        "_sweeping",
    )

    def __init__(
        self,
        policy: Policy,
        estate: Estate,
        *,
        load: Callable[[], Config],
        programs: Programs,
    ) -> None:
        self._policy = policy
        self._generations = estate.generations
        self._load = load
        self._programs = programs
        self._notifier = estate.notifier
        self._readiness = estate.readiness
        self._scoreboard = estate.scoreboard
        self._serving: Generation | None = None
        self._exit: actions.Exit | None = None
        self._sweeping = False
        self._controls: dict[int, socket.socket] = {}  # by slot
        self._logger = _open_logger(estate.generations[1])
        self._lifeline = os.pipe()
        self._bell = Bell(estate.scoreboard)
        self._signals = signals.receive(SIGNALS)
        self._poll = select.poll()
        for fd in (self._signals, self._bell.fd):
            self._poll.register(fd, select.POLLIN)
        self._relatives = Relatives(estate, self._poll)
        self._store = Store(estate.notifier)
        self._control = Control(self._poll)
        self._history = History(estate.scoreboard)

    def close(self) -> None:
        """Let go of everything.  Children that are left see the lifeline hang up, and drain."""
        self._relatives.close()
        self._control.close()
        for control in self._controls.values():
            control.close()
        channel.close_all([*self._lifeline, self._bell.fd, self._signals])

    def serve(self) -> int:
        """Do what has to be done until it is time to leave; return the exit code."""
        orphans.adopt()
        # What there is now is shared with all children for good: no collector needs to touch it.
        gc.collect()
        if hasattr(_libc, "malloc_trim"):  # glibc; what was freed on the way here is 0.5 MiB
            _libc.malloc_trim(0)
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
            ready = {fd for fd, _ in self._poll.poll(self._timeout())}
            self._happens(*self._bell.answer(self._policy.children.values()))
            self._read_signals()
            if self._sweeping:
                self._happens(*self._sweep())
            self._answer_clients()
            self._happens(*self._relatives.hear(ready))
            if self._exit is None and time.monotonic() >= self._policy.look_at:
                children = self._policy.children.values()
                self._happens(events.Looked(look(children, self._scoreboard, self._serving)))
            if self._exit is None and time.monotonic() >= self._policy.deadline():
                self._happens(events.Tick(self._beats()))
        return self._exit

    # What happens.

    def _timeout(self) -> int:
        """Return the milliseconds to the next deadline, rounded up."""
        policy, behind = self._policy, log.catch_up(time.monotonic())
        due = min(policy.deadline(), policy.look_at, self._control.deadline(), behind)
        left = min(due - time.monotonic(), _SWEEP_PAUSE if self._sweeping else _LONGEST_POLL)
        return math.ceil(max(left, 0.0) * 1000)

    def _read_signals(self) -> None:
        for number in signals.read(self._signals):
            if number is signal.SIGCHLD:
                self._reap()
            else:
                self._happens(events.Signalled(number))

    def _answer_clients(self) -> None:
        for client, request in self._control.requests():
            match request:
                case "status":
                    self._control.reply(client, status(self._policy, self._history))
                case "reload":
                    self._control.wait(client, beyond=self._policy.reload.newest)
                    self._happens(events.Signalled(signal.SIGHUP))
                case _:
                    self._control.reply(client, {"error": f"unknown request: {request}"})

    def _reap(self) -> None:
        """Take in everyone who died: ours, and strangers that nobody else would (M13)."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
                self._has_died(*found)

    def _has_died(self, pid: int, status: int) -> None:
        child = next((one for one in self._policy.children.values() if one.pid == pid), None)
        if child is None:
            self._happens(*self._relatives.bury(pid, status))
            return
        with self._controls.pop(child.slot) as control:
            report = birth.last_words(control)
        self._scoreboard.bury(child.slot)
        self._generations.census.wipe(child.slot)
        self._happens(events.Exited(child.slot, os.waitstatus_to_exitcode(status), report))

    def _beats(self) -> dict[int, float]:
        beats = ((slot, self._scoreboard.slot(slot)) for slot in self._policy.children)
        return {number: slot.get(Cell.HEARTBEAT) / 1e9 for number, slot in beats}

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
            case actions.Launch() | actions.HandOver() | actions.Announce() | actions.Urge():
                serving = self._serving.number if self._serving else 0
                return self._relatives.perform(action, serving=serving)
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
                if action.notice is actions.Notice.READY:  # the first one; the log has said it
                    self._readiness.report(ExitCode.STOPPED)
            case actions.Verdict():
                self._history.judge(action)
                self._control.settle(action)
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
        if self._serving is not None and child.generation == self._serving.number:
            self._let_serve(child)
        return ()

    def _bequeath(self, child: Child, control: socket.socket) -> Inheritance:
        slot = self._scoreboard.slot(child.slot)
        slot.clear()
        return self._generations[child.generation].bequeath(
            child,
            slot=slot,
            scoreboard=self._scoreboard,
            lifeline=self._lifeline[0],
            bell=self._bell.fd,
            control=control,
        )

    def _kill(self, child: Child, number: signal.Signals) -> None:
        # Never pid 0, our process group.  Nobody but us reaps, but a new master that was let go.
        with contextlib.suppress(ProcessLookupError):
            if child.pid:
                os.kill(child.pid, number)

    def _sweep(self) -> Iterable[events.Event]:
        known = {child.pid for child in self._policy.children.values()}
        try:
            self._sweeping = orphans.kill_all(known | self._relatives.pids()) > 0
        except OSError as error:
            self._sweeping = True
            self._logger.error("cannot look for programs of a dead spawner: %s", describe(error))
        return () if self._sweeping else (events.Swept(),)

    def _load_generation(self, number: int) -> Iterable[events.Event]:
        try:
            generation = self._generations.open(number, self._load())
        except StartupError as error:
            return (events.NotLoaded("; ".join(str(error).splitlines()), error.exit_code),)
        except Exception as error:  # whatever a file can make of us, the old generation serves on
            self._logger.critical("reload: a bug", exc_info=error)
            return (events.NotLoaded(f"{type(error).__name__}: {error}", ExitCode.SOFTWARE),)
        return (events.Loaded(generation.plan()),)

    def _adopt(self, generation: Generation) -> None:
        before, self._serving = self._serving, generation
        for child in self._policy.children.values():
            if child.generation == generation.number and child.pid:
                self._let_serve(child)
        self._logger = _open_logger(generation)
        for problem in generation.tune_listeners(before):
            self._logger.warning("%s", problem)
        for news in generation.news(before):
            self._logger.info("%s", news)
        if before is not None and (keys := generation.keys_for_restart(before)):
            self._logger.warning("needs restart: %s", ", ".join(keys))
        for problem in self._store.keep(self._generations, generation.number):
            self._logger.warning("%s", problem)
        self._publish_control(generation.config.control_path)

    def _let_serve(self, child: Child) -> None:
        if child.role is Role.WORKER:
            with contextlib.suppress(OSError):  # it has just died, and its successor will be told
                channel.send(self._controls[child.slot], SERVE)

    def _publish_control(self, path: Path | None) -> None:
        try:
            self._control.publish(path)
        except OSError as error:
            self._logger.error("no control socket %s: %s", path, describe(error))

    def _reopen(self) -> None:
        for problem in (problems := list(self._generations.reopen_logs())):
            self._logger.error("reopen: %s", problem)
        for child in self._policy.children.values():
            if child.pid:  # who is not forked yet inherits them
                self._send_logs(child)
        if not problems:
            self._logger.info("logs reopened")

    def _send_logs(self, child: Child) -> None:
        logs = self._generations[child.generation].logs_of(child.role)
        try:
            channel.send(self._controls[child.slot], REOPEN, [fd for fd in logs if fd >= 0])
        except OSError as error:
            self._logger.error("reopen: %s does not take its logs: %s", child, describe(error))


def _open_logger(generation: Generation) -> logging.Logger:
    return log.set_up(generation.error_log, level=generation.config.log.level, name="master")
