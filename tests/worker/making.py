"""Requests out of bytes, and a connection whose two ends are in the test's hands."""

import contextlib
import socket
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from forkhttpd.http1.limits import ParserLimits
from forkhttpd.http1.parser import Parser
from forkhttpd.http1.request import Endpoint, Hop, Request
from forkhttpd.loop import Loop, Stream

LIMITS = ParserLimits(request_line=8192, header=32768, header_fields=100)
CLIENT, SERVER = Endpoint("192.0.2.7", 54321), Endpoint("192.0.2.1", 80)
PATIENCE = 60.0  # seconds that anything may take

T = TypeVar("T")


def request(
    raw: bytes,
    *,
    client: Endpoint = CLIENT,
    server: Endpoint = SERVER,
    scheme: str = "http",
    received: float = 100.0,
) -> Request:
    """Return the request that these bytes begin with."""
    parser = Parser(LIMITS)
    parser.feed(raw)
    head = parser.next_request()
    assert head is not None
    hop = Hop(client, server, scheme, "hop")
    return Request(*head, hop=hop, number=1, received=received)


def get(target: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> Request:
    """Return a request without a body; `fields` are whole lines, in latin-1."""
    lines = [f"{method} {target} HTTP/{version}", "Host: example.org", *fields, "", ""]
    return request("\r\n".join(lines).encode("latin-1"))


class Line:
    """A stream, the loop that serves it, and the client's socket."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.loop = Loop(report=self.failures.append)
        near, self.client = socket.socketpair()
        near.setblocking(False)
        self.client.settimeout(PATIENCE)
        self.stream = Stream(self.loop, near)

    def run(self, body: Coroutine[Any, Any, T]) -> T:
        """Run to the end; return or raise what comes of it."""
        results: list[T] = []
        errors: list[Exception] = []

        async def wrapped() -> None:
            try:
                results.append(await body)
            except Exception as error:
                errors.append(error)

        task = self.loop.spawn(wrapped())
        deadline = time.monotonic() + PATIENCE
        while not task.ended:
            assert time.monotonic() < deadline, "not in time"
            self.loop.turn(0.05)
        assert self.failures == []
        if errors:
            raise errors[0]
        return results[0]

    def received(self) -> bytes:
        """Return what has been sent to the client so far."""
        data = bytearray()
        self.client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while piece := self.client.recv(65536):
                data += piece
        return bytes(data)


@contextlib.contextmanager
def open_line() -> Iterator[Line]:
    """Make a Line and close all of it."""
    line = Line()
    try:
        yield line
    finally:
        line.stream.close()
        line.client.close()
        line.loop.close()
