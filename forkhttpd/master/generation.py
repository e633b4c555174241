"""A generation: one configuration and everything that was opened on its behalf.

It is opened whole or not at all, in the master, and every child of it inherits from it: a worker
that is respawned an hour later gets the same listeners, logs and doors as its siblings.
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from forkhttpd import channel, kerneltls, log
from forkhttpd.census import Census
from forkhttpd.config import Address, Config, WorkerRange
from forkhttpd.errors import StartupError, describe
from forkhttpd.inheritance import Door, Inheritance, Listening, Role
from forkhttpd.master.child import Child
from forkhttpd.master.listener import Activation, Listener, open_listener
from forkhttpd.master.roster import Plan
from forkhttpd.master.scaling import Bounds
from forkhttpd.scoreboard import Scoreboard, Slot
from forkhttpd.tls import open_contexts

_STREAMS = {"stdout": 1, "stderr": 2}

_RESTART_KEYS = ("pid_file",)


class Generation:
    """Owns its logs and doors, and shares its listeners with the generations before and after.

    access_log, error_log: descriptors to append to, -1 when off; tls: for listeners that speak it;
    encryption: what the log says of that.
    """

    __slots__ = (
        "access_log",
        "census",
        "config",
        "doors",
        "encryption",
        "error_log",
        "listeners",
        "number",
        "tls",
    )

    def __init__(
        self,
        number: int,
        config: Config,
        *,
        listeners: dict[Address, Listener],
        access_log: int,
        error_log: int,
        doors: dict[str, Door],
        tls: ssl.SSLContext | None,
        encryption: str,
        census: Census,
    ) -> None:
        self.number = number
        self.census = census
        self.config = config
        self.listeners = listeners
        self.access_log = access_log
        self.error_log = error_log
        self.doors = doors
        self.tls = tls
        self.encryption = encryption

    def plan(self) -> Plan:
        """Return what the policy has to know."""
        timeouts = self.config.timeouts
        bounds = _bounds(self.config.workers)
        grace = max((pool.kill_grace for pool in self.config.pool.values()), default=0.0)
        return Plan(
            generation=self.number,
            workers=bounds.least,
            pools=tuple(self.config.pool),
            start=timeouts.start,
            graceful=timeouts.graceful,
            heartbeat=timeouts.heartbeat,
            spawner_grace=grace + 2.0,
            bounds=bounds if bounds.least < bounds.most else None,
            memory=self.config.worker_memory,
            lame_duck=timeouts.lame_duck,
        )

    def sockets(self) -> tuple[socket.socket, ...]:
        """Return the listening sockets, in the configuration's order."""
        return tuple(one for listener in self.listeners.values() for one in listener.sockets)

    def logs_of(self, role: Role) -> tuple[int, int]:
        """Return the access and the error log of a child, -1 for what it does not write."""
        return (self.access_log if role is Role.WORKER else -1, self.error_log)

    def bequeath(
        self,
        child: Child,
        *,
        slot: Slot,
        scoreboard: Scoreboard,
        lifeline: int,
        bell: int,
        control: socket.socket,
    ) -> Inheritance:
        """Return what a new child inherits; a spawner knows no listener and only its own door."""
        is_worker = child.role is Role.WORKER
        self.census.wipe(slot.index)
        access_log, error_log = self.logs_of(child.role)
        return Inheritance(
            role=child.role,
            name=child.name,
            number=child.number,
            generation=self.number,
            config=self.config,
            slot=slot,
            scoreboard=scoreboard,
            census=self.census,
            lifeline=lifeline,
            bell=bell,
            control=control,
            listeners=self._listening() if is_worker else (),
            doors=self.doors if is_worker else {child.name: self.doors[child.name]},
            access_log=access_log,
            error_log=error_log,
            tls=self.tls if is_worker else None,
        )

    def _listening(self) -> tuple[Listening, ...]:
        return tuple(
            Listening(one, listen)
            for listen in self.config.listen
            for one in self.listeners[listen.address].sockets
        )

    def tune_listeners(self, before: "Generation | None") -> Iterator[str]:
        """Have our listeners be as we say, where it was said otherwise before; yield what failed.

        Not sooner than it is certain that this generation serves (M8).
        """
        for listen in self.config.listen:
            if before is None or listen not in before.config.listen:
                try:
                    self.listeners[listen.address].tune(listen)
                except (OSError, StartupError) as error:
                    words = describe(error) if isinstance(error, OSError) else error
                    yield f"{listen.address} stays as it was: {words}"

    def news(self, before: "Generation | None") -> list[str]:
        """Return what the log says of us that it did not say of `before`: where clients come in."""
        lines = [f"listening on {url}" for url in self.urls()]
        if self.encryption:
            lines.append(self.encryption)
        known = before.news(None) if before is not None else []
        return [line for line in lines if line not in known]

    def urls(self) -> list[str]:
        """Return the addresses of all listeners, as for a browser."""
        return [
            url
            for listen in self.config.listen
            for url in self.listeners[listen.address].urls(tls=listen.tls)
        ]

    def keys_for_restart(self, before: "Generation") -> list[str]:
        """Return the keys that were changed, but that a running master cannot change."""
        was, is_ = before.config, self.config
        return [key for key in _RESTART_KEYS if getattr(was, key) != getattr(is_, key)]

    def fds(self) -> list[int]:
        """Return every descriptor that belongs to it."""
        doors = [end for door in self.doors.values() for end in (door.inside, door.outside)]
        logs = [fd for fd in (self.access_log, self.error_log) if fd >= 0]
        return [one.fileno() for one in (*self.sockets(), *doors)] + logs

    def reopen_logs(self) -> None:
        """Let the logs' descriptors stand for the files that have the names now.

        Raises StartupError; then the rest is as it was.
        """
        logs = self.config.log
        for target, fd in ((logs.access, self.access_log), (logs.error, self.error_log)):
            if isinstance(target, Path):
                log.reopen(target, fd)
            elif fd >= 0:
                log.replace(fd, _STREAMS[target])

    def release_listeners(self, others: Iterable["Generation"]) -> None:
        """Stop listening, except where one of `others` still does."""
        wanted = {id(listener) for other in others for listener in other.listeners.values()}
        for listener in self.listeners.values():
            if id(listener) not in wanted:
                listener.close()
        self.listeners = {}

    def close(self) -> None:
        """Close logs and doors; the listeners are released before."""
        channel.close_all([fd for fd in (self.access_log, self.error_log) if fd >= 0])
        for door in self.doors.values():
            _close_door(door)


def open_generation(
    number: int,
    config: Config,
    *,
    kept: Mapping[Address, Listener],
    activation: Activation,
    census: Census,
) -> Generation:
    """Open everything that `config` asks for; what fails half-way closes what it has opened.

    An address of `kept` goes on with the very socket.  Raises StartupError, OSError.
    """
    with contextlib.ExitStack() as undo:
        tls = open_contexts(config)
        encryption = "" if tls is None else _choose_encryption(tls, config)
        listeners = _open_listeners(config, kept, activation, undo)
        access_log = _open_log(config.log.access, undo)
        error_log = _open_log(config.log.error, undo)
        doors = {name: _open_door(undo) for name in config.pool}
        undo.pop_all()
    return Generation(
        number,
        config,
        listeners=listeners,
        access_log=access_log,
        error_log=error_log,
        doors=doors,
        tls=tls,
        encryption=encryption,
        census=census,
    )


def _choose_encryption(tls: ssl.SSLContext, config: Config) -> str:
    """Choose who encrypts what the workers send, and say it in words."""
    obstacle = kerneltls.use_kernel(tls, wanted=config.tls.kernel)
    how = f"is not used: {obstacle}" if obstacle else "is used, and sendfile with it"
    return f"TLS: {ssl.OPENSSL_VERSION}, in the workers; kernel TLS {how}"


def _bounds(workers: int | str | WorkerRange) -> Bounds:
    if isinstance(workers, WorkerRange):
        return Bounds(workers.min, workers.max, workers.shrink)
    count = workers if isinstance(workers, int) else len(os.sched_getaffinity(0))
    return Bounds(count, count, 0.0)


def _open_listeners(
    config: Config,
    kept: Mapping[Address, Listener],
    activation: Activation,
    undo: contextlib.ExitStack,
) -> dict[Address, Listener]:
    listeners: dict[Address, Listener] = {}
    for listen in config.listen:
        if listen.address in kept:
            listeners[listen.address] = kept[listen.address]
        else:
            listeners[listen.address] = open_listener(listen, activation)
            undo.callback(listeners[listen.address].close)
    return listeners


def _open_log(target: str | Path, undo: contextlib.ExitStack) -> int:
    if target == "off":
        return -1
    fd = log.open_log(target) if isinstance(target, Path) else os.dup(_STREAMS[target])
    undo.callback(os.close, fd)
    return fd


def _open_door(undo: contextlib.ExitStack) -> Door:
    inside, outside = channel.pair()
    door = Door(outside=outside, inside=inside)
    undo.callback(_close_door, door)
    return door


def _close_door(door: Door) -> None:
    door.inside.close()
    door.outside.close()
