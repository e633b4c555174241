"""A crowd of clients, one every two milliseconds whether or not the ones before are served.

    python load.py PORT PATH < a pipe

So what a server does not accept piles up, as it does in real life, instead of slowing the clients
down.  It begins at once and ends with its standard input; then it waits for the answers that are
due and prints what became of all requests as JSON: `sent`, `answered` (200, whole), `refused`,
`failed` (anything else), `longest` (seconds of the slowest one).
"""

import json
import select
import socket
import sys
import time

_INTERVAL = 0.002  # seconds between two clients
_PATIENCE = 60.0  # seconds that an answer may take


class Client:
    """One connection with one request on its way."""

    __slots__ = ("began", "connection", "received")

    def __init__(self, connection: socket.socket, began: float) -> None:
        self.connection = connection
        self.began = began
        self.received = b""

    def is_whole(self) -> bool:
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r")[0]
        return bool(end) and head.startswith(b"HTTP/1.1 200 ") and len(body) == int(length or -1)


class Crowd:
    """All clients so far: those that wait for an answer, and the counts of the others."""

    def __init__(self, port: int, path: str) -> None:
        self._address = ("127.0.0.1", port)
        self._request = f"GET {path} HTTP/1.1\r\nHost: crowd\r\nConnection: close\r\n\r\n".encode()
        self._poll = select.poll()
        self._waiting: dict[int, Client] = {}
        self.counts = {"sent": 0, "answered": 0, "refused": 0, "failed": 0}
        self.longest = 0.0

    def join(self) -> None:
        """Let another client connect and ask."""
        began = time.monotonic()
        self.counts["sent"] += 1
        try:
            connection = socket.create_connection(self._address, _PATIENCE)
            connection.sendall(self._request)
        except ConnectionRefusedError:
            self.counts["refused"] += 1
            return
        except OSError:
            self.counts["failed"] += 1
            return
        self._waiting[connection.fileno()] = Client(connection, began)
        self._poll.register(connection, select.POLLIN)

    def listen(self, seconds: float) -> None:
        """Take in what comes within that time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for fd, _ in self._poll.poll(left * 1000):
                self._receive(fd)

    def _receive(self, fd: int) -> None:
        client = self._waiting[fd]
        try:
            data = client.connection.recv(65536)
        except OSError:
            data = b""
        client.received += data
        if not data:
            self._leave(fd, "answered" if client.is_whole() else "failed")

    def _leave(self, fd: int, fate: str) -> None:
        self._poll.unregister(fd)
        client = self._waiting.pop(fd)
        client.connection.close()
        self.counts[fate] += 1
        self.longest = max(self.longest, time.monotonic() - client.began)

    def finish(self) -> None:
        """Wait for all answers that are due."""
        deadline = time.monotonic() + _PATIENCE
        while self._waiting and time.monotonic() < deadline:
            self.listen(0.05)
        for fd in list(self._waiting):
            self._leave(fd, "failed")


def main(port: int, path: str) -> None:
    """Send clients until the input ends, and print the counts."""
    crowd = Crowd(port, path)
    while not select.select([sys.stdin], [], [], 0)[0]:
        crowd.join()
        crowd.listen(_INTERVAL)
    crowd.finish()
    print(json.dumps({**crowd.counts, "longest": round(crowd.longest, 3)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
