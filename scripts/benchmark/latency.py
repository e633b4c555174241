"""How long a visitor waits: requests at fixed times over a few connections, each timed.

A request's time runs from when it was due, not from when it could be sent: whoever comes while
the server stands still waits, too, and a client that waits for an answer before it asks again would
never have come.  (wrk is such a client: it finds out how much a server can do.)

This process must be awake when an answer comes, or it would measure its own waiting among
everything else that wants the processor; see `undelayed`.
"""

import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINPROGRESS

_CONNECTIONS = 8
_DEADLINE = 10.0
_READ = 65536


class LatencyError(Exception):
    """A visitor got no answer, or not the right one."""


def latencies(port: int, path: str, *, rate: int, seconds: float) -> list[float]:
    """Ask for `path` `rate` times a second; how long each took, in seconds.

    Raises LatencyError if an answer is not 200 or does not come.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    begin = time.monotonic()
    due = deque(begin + number / rate for number in range(int(rate * seconds)))
    with undelayed(), _Visitors(port, request) as visitors:
        found: list[float] = []
        wanted = len(due)
        while len(found) < wanted:
            now = time.monotonic()
            if now > begin + seconds + _DEADLINE:
                raise LatencyError(f"{wanted - len(found)} of {wanted} requests have no answer")
            while due and due[0] <= now and visitors.free:
                visitors.ask(due.popleft())
            found += visitors.answers(max(0.0, due[0] - now) if due and visitors.free else 1.0)
    return found


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all are not above, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@contextmanager
def undelayed() -> Iterator[None]:
    """Run before everybody else, where we may: what we start meanwhile does not."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def answer_end(received: bytes | bytearray) -> tuple[int, bool] | None:
    """Where an answer ends, and whether its connection does; None while its header is incomplete.

    Raises LatencyError if it is no 200 that tells its length.
    """
    head, blank, _ = received.partition(b"\r\n\r\n")
    if not blank:
        return None
    line, *lines = head.decode("latin-1").lower().split("\r\n")
    fields = {name: value.strip() for name, _, value in (each.partition(":") for each in lines)}
    if " 200 " not in line or not fields.get("content-length", "").isdecimal():
        raise LatencyError(f"an answer is not as it must be: {line}")
    end = len(head) + len(blank) + int(fields["content-length"])
    return end, line.startswith("http/1.0") or fields.get("connection") == "close"


class _Visitors:
    """Owns connections, each with at most one request under way; `free` have none."""

    __slots__ = ("_asked", "_epoll", "_port", "_received", "_request", "_sockets", "free")

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}  # by descriptor
        self._asked: dict[int, float] = {}  # by descriptor: when the request was due
        self._received: dict[int, bytearray] = {}
        self.free: deque[socket.socket | None] = deque([None] * _CONNECTIONS)

    def __enter__(self) -> "_Visitors":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets.values():
            each.close()
        self._epoll.close()

    def ask(self, due: float) -> None:
        """Send a request that was due at `due`, over a new connection if need be."""
        connection = self.free.popleft() or self._connect()
        fd = connection.fileno()
        self._asked[fd] = due
        self._received[fd] = bytearray()
        with suppress(BlockingIOError):  # not connected yet
            self._send(fd)

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = connection.connect_ex(("127.0.0.1", self._port))
        if error not in (0, EINPROGRESS):
            connection.close()
            raise LatencyError(f"cannot connect: {os.strerror(error)}")
        self._sockets[connection.fileno()] = connection
        self._epoll.register(connection, select.EPOLLOUT)
        return connection

    def _send(self, fd: int) -> None:
        self._sockets[fd].send(self._request)
        self._epoll.modify(fd, select.EPOLLIN)

    def answers(self, timeout: float) -> Iterator[float]:
        """Wait at most `timeout` seconds, and give the times of the answers that are complete."""
        for fd, events in self._epoll.poll(timeout):
            if events & select.EPOLLOUT:
                self._send(fd)
            elif fd in self._asked:
                yield from self._receive(fd)
            else:  # an idle connection has ended: nobody was harmed
                self._forget(fd)

    def _receive(self, fd: int) -> Iterator[float]:
        data = self._sockets[fd].recv(_READ)
        received = self._received[fd]
        received += data
        end = answer_end(received)
        if end and len(received) >= end[0]:
            yield time.monotonic() - self._asked.pop(fd)
            if end[1]:
                self._end(fd)
            self.free.append(self._sockets.get(fd))
        elif not data:
            raise LatencyError("a connection ended before its answer")

    def _forget(self, fd: int) -> None:
        self.free.remove(self._sockets[fd])
        self._end(fd)
        self.free.append(None)

    def _end(self, fd: int) -> None:
        self._sockets.pop(fd).close()
