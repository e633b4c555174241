"""A client that asks for one thing again and again, and counts exactly: a program of its own.

    python visitor.py newcomer|regular PORT PATH SIZE CRC

It asks for PATH, as a newcomer on a connection for each request, as a regular on one connection
for as long as the server lets it; an answer is right when it is a whole 200 with SIZE bytes of
this CRC.  It goes on until its standard input ends, finishes the request at hand, and then prints
{"requests": right answers, "worst": seconds, "failures": [what, ...]}.

Unlike wrk it knows a refused connection from one that was reset, and an answer that was cut short
from one that never came; and a regular is not content when the server closes a connection without
having said so in the answer before.
"""

import json
import select
import socket
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

TIMEOUT = 60.0  # seconds
TOO_MANY = 20  # failures: enough to see what is wrong


class WrongError(Exception):
    """An answer that is not what was asked for."""


@dataclass
class Visitor:
    """What to ask for, and what came of it so far."""

    port: int
    path: str
    size: int
    crc: int
    requests: int = 0
    worst: float = 0.0
    failures: list[str] = field(default_factory=list)
    connection: socket.socket | None = None

    def visit(self, *, stays: bool) -> None:
        """Ask once, and keep the connection if we are one who stays."""
        began = time.monotonic()
        try:
            closes = self._ask("keep-alive" if stays else "close")
        except (OSError, WrongError) as error:
            age = "new" if self.connection is None else "open"
            self.failures.append(f"{type(error).__name__}: {error} ({age} connection)")
            self._hang_up()
            return
        self.requests += 1
        self.worst = max(self.worst, time.monotonic() - began)
        if closes or not stays:
            self._hang_up()

    def _ask(self, connection_option: str) -> bool:
        """Ask and check the answer; return whether it was the connection's last."""
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        request = f"GET {self.path} HTTP/1.1\r\nHost: x\r\nConnection: {connection_option}\r\n\r\n"
        self.connection.sendall(request.encode())
        with self.connection.makefile("rb") as answer:
            status = answer.readline()
            if not status.startswith(b"HTTP/1.1 200 "):
                raise WrongError(f"instead of an answer {status!r}")
            fields = self._fields(answer)
            self._check(answer, chunked=b"transfer-encoding: chunked\r\n" in fields)
        return b"connection: close\r\n" in fields

    def _fields(self, answer: Any) -> set[bytes]:
        fields = set()
        while (line := answer.readline()) != b"\r\n":
            if not line:
                raise WrongError("cut short in its header")
            fields.add(line.lower())
        return fields

    def _check(self, answer: Any, *, chunked: bool) -> None:
        size, crc = 0, 0
        while True:
            wanted = int(answer.readline(), 16) if chunked else self.size - size
            taken = 0
            while taken < wanted and (piece := answer.read(min(wanted - taken, 1 << 16))):
                taken += len(piece)
                crc = zlib.crc32(piece, crc)
            size += taken
            if taken < wanted:
                raise WrongError(f"cut short after {size} bytes")
            if chunked and answer.readline() != b"\r\n":
                raise WrongError("a chunk without its end")
            if not chunked or not wanted:
                break
        if (size, crc) != (self.size, self.crc):
            raise WrongError(f"{size} bytes, but not those of {self.path}")

    def _hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def nobody_waits() -> bool:
    """Whether our standard input has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(kind: str, port: str, path: str, size: str, crc: str) -> None:
    visitor = Visitor(int(port), path, int(size), int(crc))
    while not nobody_waits() and len(visitor.failures) < TOO_MANY:
        visitor.visit(stays=kind == "regular")
    json.dump(
        {"requests": visitor.requests, "worst": visitor.worst, "failures": visitor.failures},
        sys.stdout,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
