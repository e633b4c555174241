"""The control socket: where the master answers questions about itself.

    a client sends    one line: `status` or `reload`
    the master sends  one line: a JSON object; then it closes

It is a Unix socket that only its owner may open (0600), and the master never waits for it: all is
non-blocking and part of the one poll, requests are short, clients are few, and who is slow to ask
or to listen is dropped.  Who waits for the verdict on a reload may wait.

The socket gets its name only once the master serves, by a rename over whatever socket had it
before: so the name always leads to a master that answers, also when a new one takes over from one
that still drains, or from one that was killed.  Being the only master is the PID file's affair.
"""

import contextlib
import json
import os
import select
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from forkhttpd.master.actions import Verdict

LONGEST_REQUEST = 64  # bytes
MOST_CLIENTS = 16  # at once
_BACKLOG = 128  # who finds no room there gets EAGAIN
PATIENCE = 5.0  # seconds for a client to ask, and as many to take its answer
_SHORTAGE_PAUSE = 1.0  # seconds until a client is looked for again that no descriptor was left for
_OWNER_ONLY = 0o177  # as a umask

_FOREVER = float("inf")


@dataclass(slots=True, eq=False)
class Client:
    """One connection.  beyond: waits for the verdict on a later generation; -1 if it does not."""

    connection: socket.socket
    deadline: float
    received: bytes = b""
    answer: bytes = b""
    beyond: int = -1

    @property
    def is_asking(self) -> bool:
        """Whether its request is still to come."""
        return not self.answer and self.beyond < 0


class Control:
    """Owns the socket, its name, and the connections of clients; registers them in `poll`."""

    __slots__ = ("_accept_at", "_clients", "_inode", "_listener", "_path", "_poll")

    def __init__(self, poll: select.poll) -> None:
        self._poll = poll
        self._path: Path | None = None
        self._inode = (0, 0)
        self._listener: socket.socket | None = None
        self._clients: list[Client] = []
        self._accept_at = _FOREVER  # when there may be descriptors again

    def publish(self, path: Path | None) -> None:
        """Be reachable there, and nowhere else; None is not at all.  Raises OSError."""
        if path is not None and path == self._path and _inode(path) == self._inode:
            return
        self._withdraw()
        if path is not None:
            self._listener = _bind(path)
            self._path, self._inode = path, _inode(path)
            self._poll.register(self._listener, select.POLLIN)

    def close(self) -> None:
        """Let everybody go and give the name up, if it is still ours."""
        for client in list(self._clients):
            self._drop(client)
        self._withdraw()

    def deadline(self) -> float:
        """Return when to be asked for requests at the latest: a client is too slow, or waits.

        CLOCK_MONOTONIC seconds; infinity if there is no such moment.
        """
        return min([self._accept_at, *(client.deadline for client in self._clients)])

    def requests(self) -> Iterator[tuple[Client, str]]:
        """Do what can be done without waiting; yield whole requests, each to be answered."""
        self._accept()
        now = time.monotonic()
        for client in list(self._clients):
            if client not in self._clients:  # answered while another one's request was
                continue
            if client.answer:
                self._send(client)
            elif line := self._receive(client):
                yield client, line
            elif client.deadline <= now:
                self._drop(client)

    def reply(self, client: Client, answer: Mapping[str, object]) -> None:
        """Answer a client and let it go."""
        client.answer = json.dumps(answer).encode() + b"\n"
        client.deadline = time.monotonic() + PATIENCE
        self._send(client)

    def wait(self, client: Client, *, beyond: int) -> None:
        """Let a client wait for the verdict on a generation that is later than `beyond`."""
        client.beyond = beyond
        client.deadline = _FOREVER

    def settle(self, verdict: Verdict) -> None:
        """Answer those who wait for this verdict."""
        for client in list(self._clients):
            if 0 <= client.beyond < verdict.generation and not client.answer:
                self.reply(client, {"code": int(verdict.code), "text": verdict.text})

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                self._listen()
                return
            except OSError:  # no descriptor is left: the client waits, and must not wake us for it
                self._listen(pause=_SHORTAGE_PAUSE)
                return
            if len(self._clients) >= MOST_CLIENTS:
                connection.close()
                continue
            connection.setblocking(False)
            self._clients.append(Client(connection, time.monotonic() + PATIENCE))
            self._poll.register(connection, select.POLLIN)

    def _listen(self, *, pause: float = 0.0) -> None:
        """Be told of new clients; after a pause, not before somebody looks (`deadline`)."""
        if self._listener is not None and (pause or self._accept_at < _FOREVER):
            self._poll.modify(self._listener, 0 if pause else select.POLLIN)
            self._accept_at = time.monotonic() + pause if pause else _FOREVER

    def _receive(self, client: Client) -> str:
        """Return a request once it is whole, "" before."""
        try:
            data = client.connection.recv(LONGEST_REQUEST)
        except BlockingIOError:
            return ""
        except OSError:
            data = b""
        client.received += data
        line, end, _ = client.received.partition(b"\n")
        if not data or not client.is_asking or len(client.received) > LONGEST_REQUEST:
            self._drop(client)
            return ""
        return line.decode("ascii", "replace") if end else ""

    def _send(self, client: Client) -> None:
        try:
            client.answer = client.answer[client.connection.send(client.answer) :]
        except BlockingIOError:
            pass
        except OSError:  # it has gone
            client.answer = b""
        if not client.answer or client.deadline <= time.monotonic():
            self._drop(client)
        else:
            self._poll.modify(client.connection, select.POLLOUT)

    def _drop(self, client: Client) -> None:
        self._clients.remove(client)
        self._poll.unregister(client.connection)
        client.connection.close()

    def _withdraw(self) -> None:
        if self._listener is None or self._path is None:
            return
        with contextlib.suppress(OSError):
            if _inode(self._path) == self._inode:
                os.unlink(self._path)
        self._poll.unregister(self._listener)
        self._listener.close()
        self._listener, self._path = None, None
        self._accept_at = _FOREVER


def _bind(path: Path) -> socket.socket:
    """Return a listening socket that has this name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mask = os.umask(_OWNER_ONLY)
    try:
        # A socket's address has room for 107 bytes; by this way a long directory does not count.
        listener.bind(f"/proc/self/fd/{directory}/{temporary.name}")
        listener.listen(_BACKLOG)
        _replace(path, temporary)
    except BaseException:
        listener.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.umask(mask)
        os.close(directory)
    return listener


def _replace(path: Path, temporary: Path) -> None:
    """Give a socket its name, in the place of another socket or of nothing."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{path} is no socket; choose another control_socket")
    os.rename(temporary, path)


def _inode(path: Path) -> tuple[int, int]:
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino
