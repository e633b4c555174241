"""The loop of a spawner: what can happen, and what each of it leads to.

Everything that happens is an event of one epoll (a channel, the door, a signal, the lifeline) or a
deadline.  How it ends, each phase a row:

    phase     entered at              new programs      over when
    SERVING   start                   yes               never
    DRAINING  TERM                    refused           nothing runs
    ORPHANED  the master is gone      yes: its workers  all workers have hung up, nothing runs
                                      drain, too
    STOPPING  QUIT, or `graceful`     refused           all is killed and reaped, or after 5 s
              seconds after the
              master has gone
"""

import math
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from enum import Enum
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

from forkhttpd import channel
from forkhttpd.channel import ChannelError
from forkhttpd.scoreboard import Cell, Slot, SlotState
from forkhttpd.spawner import errorlog
from forkhttpd.spawner.admission import Admission
from forkhttpd.spawner.cgroup import Cgroups
from forkhttpd.spawner.ledger import Ledger
from forkhttpd.spawner.limits import Allowance, limits_of, share
from forkhttpd.spawner.origin import Origin
from forkhttpd.spawner.peer import Peer
from forkhttpd.spawner.pool import Pool
from forkhttpd.spawner.program import Request
from forkhttpd.spawner.protocol import Kill, Message, ProtocolError, Start, decode
from forkhttpd.spawner.settings import Settings
from forkhttpd.spawner.warm import Warm

_BEAT = 1.0  # seconds: the longest silence of the heartbeat
_SWEEP_AGAIN = 0.1  # seconds, while something condemned may still be alive
_STOP_TIMEOUT = 5.0  # seconds to reap what was killed; only uninterruptible sleep takes longer


class Phase(Enum):
    """See the table above."""

    SERVING = 0
    DRAINING = 1
    ORPHANED = 2
    STOPPING = 3


class Spawner:
    """Joins the channels of the workers, the word of the master and the pool.

    signals: a descriptor from which the numbers of arrived signals are read, a byte each.
    """

    __slots__ = (
        "_control",
        "_deadline",
        "_door",
        "_epoll",
        "_handlers",
        "_peers",
        "_phase",
        "_settings",
        "_signals",
        "_slot",
        "pool",
    )

    def __init__(
        self, settings: Settings, slot: Slot, *, origin: Optional[Origin], signals: int
    ) -> None:
        admission: Admission[Request] = Admission(
            limit=settings.processes, places=settings.queue, patience=settings.queue_wait
        )
        self.pool = Pool(
            admission,
            self._reply,
            allowance=_allowance(settings),
            cgroups=Cgroups(settings.cgroup, memory=settings.memory, tasks=settings.tasks),
            kill_grace=settings.kill_grace,
            ledger=Ledger(slot),
            warm=Warm(origin, preload=settings.preload, name=settings.name) if origin else None,
        )
        self._settings = settings
        self._slot = slot
        self._signals = signals
        self._door = socket.socket(fileno=settings.door)
        self._control = socket.socket(fileno=settings.control)
        self._phase = Phase.SERVING
        self._deadline = math.inf  # of the phase
        self._peers: Dict[int, Peer] = {}  # by fd
        self._epoll = select.epoll()
        self._handlers: Dict[int, Callable[[int, int], None]] = {}  # by fd; (fd, events)
        self._listen()

    def open(self) -> None:
        """Say READY."""
        self._turn(timeout=0.0)
        self._announce()

    def run(self) -> bool:
        """Serve until it is time to leave: False.  True: first call pool.fork, and then go on."""
        while not self._is_over():
            self._settle()
            if self.pool.wants_fork:
                return True
            self._turn(timeout=self._timeout())
        return False

    def _turn(self, *, timeout: float) -> None:
        for fd, events in self._epoll.poll(timeout):
            self._handlers[fd](fd, events)

    def _settle(self) -> None:
        """Do what follows from what has happened, and what is due."""
        now = time.monotonic()
        self.pool.settle(now)
        if now >= self._deadline and self._phase is not Phase.STOPPING:
            self._stop()
        self._report()

    def _timeout(self) -> float:
        """Seconds until something is due that no event announces."""
        longest = _SWEEP_AGAIN if self.pool.haunted else _BEAT
        due = min(self._deadline, self.pool.deadline())
        return max(0.0, min(longest, due - time.monotonic()))

    def _is_over(self) -> bool:
        if self._phase is Phase.SERVING:
            return False
        if self._phase is Phase.ORPHANED and self._peers:
            return False
        given_up = self._phase is Phase.STOPPING and time.monotonic() >= self._deadline
        return self.pool.idle or given_up

    # The scoreboard.

    def _announce(self) -> None:
        """Say READY, once (unless a signal has come first)."""
        if self._slot.get(Cell.STATE) == SlotState.STARTING:
            self._slot.set(Cell.STATE, SlotState.READY)
        if self._settings.problem:
            self._log(
                f"programs run without the cgroups they should have: {self._settings.problem}"
            )
        with suppress(BlockingIOError):  # a bell that is full rings already
            os.write(self._settings.bell, (1).to_bytes(8, sys.byteorder))

    def _report(self) -> None:
        self._slot.beat()
        self._slot.set(Cell.ACTIVE, self.pool.running)
        self._slot.set(Cell.QUEUED, self.pool.waiting)

    # What is listened to.

    def _listen(self) -> None:
        settings = self._settings
        self._watch(self._signals, select.EPOLLIN, self._on_signals)
        self._watch(settings.lifeline, 0, self._on_lifeline)  # EPOLLHUP needs no asking
        self._watch(settings.door, select.EPOLLIN, self._on_door)
        self._watch(settings.control, select.EPOLLIN, self._on_control)

    def _watch(self, fd: int, interest: int, handler: Callable[[int, int], None]) -> None:
        self._epoll.register(fd, interest)
        self._handlers[fd] = handler

    def _ignore(self, fd: int) -> None:
        self._epoll.unregister(fd)
        del self._handlers[fd]

    # The workers.

    def _on_door(self, _fd: int, _events: int) -> None:
        """Let a worker in: one descriptor, its channel."""
        _, fds = self._hear(self._door)
        if len(fds) == 1:
            self._welcome(fds[0])
        else:
            channel.close_all(fds)

    def _hear(self, end: socket.socket) -> Tuple[bytes, List[int]]:
        """Receive from the door or from the master, until the other end is gone."""
        try:
            message, fds = channel.receive(end)
        except BlockingIOError:  # the spawner before us, which is draining, was quicker
            return b"", []
        except ChannelError as error:  # most likely EMFILE
            self._log(f"lost a message: {error}")
            return b"", []
        if not message:
            self._ignore(end.fileno())
        return message, fds

    def _welcome(self, fd: int) -> None:
        end = socket.socket(fileno=fd)
        end.setblocking(False)
        self._peers[fd] = Peer(end)
        self._watch(fd, select.EPOLLIN, self._on_peer)

    def _on_peer(self, fd: int, events: int) -> None:
        """Only here a channel is closed, so that no event of the same turn can be another's."""
        peer = self._peers[fd]
        try:
            if events & select.EPOLLHUP:  # what it still asks for, nobody waits for
                raise EOFError
            if peer.congested:
                peer.flush()
                self._listen_to(peer)
            else:
                self._take(peer, *peer.receive())
        except (OSError, EOFError, ChannelError, ProtocolError) as error:
            self._drop(peer, error)

    def _take(self, peer: Peer, data: bytes, fds: Sequence[int]) -> None:
        """Do what a message asks for.  Raises ProtocolError, or EOFError at the end."""
        if not data:
            raise EOFError
        try:
            message = self._check(peer, data, fds)
        except ProtocolError:
            channel.close_all(fds)
            raise
        if isinstance(message, Kill):
            self.pool.end(message, peer)
            return
        request = Request(peer, message, spool=fds[0] if fds else None)
        if self._phase in (Phase.DRAINING, Phase.STOPPING):
            self.pool.turn_away(request)
        else:
            self.pool.start(request)

    def _check(self, peer: Peer, data: bytes, fds: Sequence[int]) -> Union[Start, Kill]:
        message = decode(data)
        if isinstance(message, Kill) and not fds:
            return message
        if not isinstance(message, Start) or len(fds) > 1:
            raise ProtocolError("a worker does not send that")
        if self.pool.knows((peer, message.id)):
            raise ProtocolError(f"id {message.id} is in use")
        return message

    def _reply(self, peer: Peer, message: Message, fds: Sequence[int]) -> None:
        if peer.send(message, fds):
            self._listen_to(peer)

    def _listen_to(self, peer: Peer) -> None:
        interest = select.EPOLLOUT if peer.congested else select.EPOLLIN
        self._epoll.modify(peer.channel.fileno(), interest)

    def _drop(self, peer: Peer, error: Exception) -> None:
        """The worker is gone, or is not one of ours."""
        if not isinstance(error, (EOFError, ConnectionError)):
            self._log(f"closing a worker's channel: {error}")
        fd = peer.channel.fileno()
        self._ignore(fd)
        del self._peers[fd]
        peer.close()
        self.pool.abandon(peer)

    # The master.

    def _on_signals(self, fd: int, _events: int) -> None:
        arrived = set(os.read(fd, 4096))
        if signal.SIGCHLD in arrived:
            self.pool.reap()
        if signal.SIGTERM in arrived:
            self._drain()
        if signal.SIGQUIT in arrived:
            self._stop()

    def _on_control(self, _fd: int, _events: int) -> None:
        """Take the new logs; ours is the last descriptor."""
        _, fds = self._hear(self._control)
        if fds:
            os.dup2(fds[-1], 1)
            os.dup2(fds[-1], 2)
        channel.close_all(fds)

    def _on_lifeline(self, fd: int, _events: int) -> None:
        self._ignore(fd)
        if self._phase is Phase.STOPPING:
            return
        self._deadline = time.monotonic() + self._settings.graceful
        if self._phase is Phase.SERVING:
            self._phase = Phase.ORPHANED

    def _drain(self) -> None:
        if self._phase is Phase.STOPPING:
            return
        self._phase = Phase.DRAINING
        self._slot.set(Cell.STATE, SlotState.DRAINING)
        self.pool.turn_all_away()

    def _stop(self) -> None:
        self._drain()
        self._phase = Phase.STOPPING
        self._deadline = time.monotonic() + _STOP_TIMEOUT
        self.pool.kill_all()

    def _log(self, message: str) -> None:
        errorlog.write(message, name=self._settings.name)


def _allowance(settings: Settings) -> Allowance:
    limits = limits_of(
        address_space=settings.address_space,
        cpu=settings.cpu,
        open_files=settings.open_files,
        user_processes=settings.user_processes,
        file_size=settings.file_size,
        core=settings.core,
    )
    share(limits, resource.RLIMIT_CORE)
    return Allowance(limits, nice=settings.nice)
