"""Slow clients: thousands that send the head of a request a byte at a time, and never all of it.

They are a process of their own, because the visitors whose wait is measured meanwhile must not
wait for them:

    python -m scripts.benchmark.slow PORT SIZE

says `ready` when all are connected, sends each another byte every second until its input ends, and
says then how many the server has ended.
"""

import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle

from scripts.benchmark.latency import LatencyError

MOST = 2000
_BATCHES = 20  # a second: each sends its bytes at once
_DEADLINE = 10.0
_BEGINNING = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


@contextmanager
def slow_clients(port: int, *, size: int) -> Iterator[None]:
    """`size` slow clients, while the block lasts.

    Raises LatencyError at the end if the server has given up some of them: they were no burden.
    """
    command = [sys.executable, "-m", "scripts.benchmark.slow", str(port), str(size)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise LatencyError(f"{size} slow clients could not connect")
            yield
            output, _ = process.communicate()
            if gone := int(output):
                raise LatencyError(f"{gone} of {size} slow clients were ended")
        finally:
            process.kill()


def main(port: int, size: int) -> None:
    """Be slow until the input ends."""
    with ExitStack() as stack:
        clients = [stack.enter_context(_connect(port)) for _ in range(size)]
        print("ready", flush=True)
        for number in cycle(range(_BATCHES)):
            for client in clients[number::_BATCHES]:
                with suppress(OSError):  # it has been ended, and will be counted
                    client.send(b"x")
            if select.select([sys.stdin], [], [], 1 / _BATCHES)[0]:
                break
        print(_ended(clients))


def _connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE)
    client.sendall(_BEGINNING)
    return client


def _ended(clients: list[socket.socket]) -> int:
    """How many have something to read, which can only be the end."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    return len(poll.poll(0))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
