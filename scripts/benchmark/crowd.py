"""A crowd: thousands of connections that have each had one answer and now keep silent."""

import resource
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from scripts.benchmark.latency import LatencyError, answer_end

MOST = 10_000
# Not all at once: the queue of a listener is limited.
_BATCH = 200
# Descriptors that we, and a server's worker that holds all connections, need beside those.
_SPARE = 240
_DEADLINE = 10.0


def raise_limit() -> int:
    """Let us, and the servers that we start, have as many descriptors as allowed; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def crowd_size() -> int:
    """How many connections the limit on descriptors allows, 10 000 at most."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, min(MOST, soft - _SPARE))


@contextmanager
def crowd(port: int, path: str, *, size: int) -> Iterator[None]:
    """`size` connections, each of which got `path` and is idle.

    Raises OSError, and LatencyError, at the end if the server has given up some of them: it has
    not held them then (nginx does that when its worker_connections are used up).
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with ExitStack() as stack:
        members: list[socket.socket] = []
        for begin in range(0, size, _BATCH):
            count = min(_BATCH, size - begin)
            batch = [stack.enter_context(_connect(port)) for _ in range(count)]
            for connection in batch:
                connection.sendall(request)
            for connection in batch:
                _read_answer(connection)
            members += batch
        yield
        if gone := _stirring(members):
            raise LatencyError(f"{gone} of {size} idle connections were ended")


def _stirring(connections: list[socket.socket]) -> int:
    """How many of the connections have something to read, which can only be their end."""
    poll = select.poll()
    for connection in connections:
        poll.register(connection, select.POLLIN)
    return len(poll.poll(0))


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE)


def _read_answer(connection: socket.socket) -> None:
    received = b""
    while (end := answer_end(received)) is None or len(received) < end[0]:
        data = connection.recv(65536)
        if not data:
            raise LatencyError("a connection ended before its answer")
        received += data
    if end[1]:
        raise LatencyError("a connection ends with its first answer")
