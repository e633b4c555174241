"""A worker with one mount of files, the connections to it, and requests that it may know."""

import contextlib
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from forkhttpd.access.meter import Meter
from forkhttpd.census import Census
from forkhttpd.config import Config
from forkhttpd.config.load import load
from forkhttpd.config.rates import Rate
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.static import Static
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Proof, Response
from forkhttpd.loop import Stream
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.connection import serve
from forkhttpd.worker.context import Context
from forkhttpd.worker.counting import Counting
from forkhttpd.worker.entrance import Entrance
from forkhttpd.worker.errorpage import error_response
from forkhttpd.worker.notice import Notice
from forkhttpd.worker.pace import Pace
from forkhttpd.worker.shortcut import Shortcut
from tests.config.files import LISTEN, write
from tests.worker.making import CLIENT, PATIENCE, SERVER, Line

PAGE = b"GET /page.html HTTP/1.1\r\nHost: example.org\r\n\r\n"
AGENT = b"GET /page.html HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a\r\n\r\n"
LAST = b"GET /page.html HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
HEAD = b"HEAD /page.html HTTP/1.1\r\nHost: example.org\r\n\r\n"
ABSENT = b"GET /absent.html HTTP/1.1\r\nHost: example.org\r\n\r\n"


class Visit:
    """A worker with one mount of files, and connections to it.

    asked: the paths that took the long way.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log: Path,
        format: str = "combined",  # noqa: A002
        rate: Rate | None = None,
        options: str = "",
        of_mount: str = "",
    ) -> None:
        mount = load(
            write(
                directory.parent,
                options
                + LISTEN
                + f'[[site]]\n[[site.mount]]\npath = "/"\ndocroot = "{directory}"\n{of_mount}',
            )
        )
        self.asked: list[str] = []
        self.lines: list[Line] = []
        self.log = log
        site = mount.site[0].mount[0]
        self._static = Static(site, media_types=MediaTypes(), clock=lambda: time.time() + 3600)
        self._line = Line()
        self._census = Census()
        self._moments = self._census.meter("requests")
        self._fd = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.access_log = AccessLog(self._fd, format=format)
        self.context = Context(
            mount,
            name="w",
            loop=self._line.loop,
            refuse=lambda request, error: error_response(error, id=request.id),
            access_log=self.access_log,
            log=logging.getLogger("test"),
            pace=None if rate is None else self._pace(mount, rate),
        )
        self.entrance = Entrance(
            SERVER, self._respond, prove=self._prove, answers=self.context.answers
        )
        self._clients: list[socket.socket] = []

    def _pace(self, config: Config, rate: Rate) -> Pace:
        loop = self._line.loop
        meter = Meter(self._moments, rate)
        notice = Notice("refused", loop=loop, log=logging.getLogger("test"))
        return Pace(meter, counting=Counting(config, self._census), loop=loop, notice=notice)

    async def _respond(self, request: Request) -> Response:
        self.asked.append(request.path)
        return await self._static(request, request.path)

    def _prove(self, request: Request, response: Response) -> Proof | None:
        try:
            return self._static.proof(request, request.path, status=response.status)
        except HTTPError:
            return None

    def connect(self, *, first: bytes = b"", room: int | None = None) -> socket.socket:
        """Return the client's end of a new connection; `first` is there when it is accepted."""
        near, client = socket.socketpair()
        near.setblocking(False)
        if room is not None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        client.sendall(first)
        client.setblocking(False)
        self._clients.append(client)
        loop = self._line.loop
        shortcut = Shortcut(
            self.context, Stream(loop, near), self.entrance, CLIENT, id=len(self._clients)
        )
        if not shortcut.welcome():
            loop.start(serve(self.context, shortcut))
        return client

    def read(self, client: socket.socket, done: Callable[[bytes], bool]) -> bytes:
        """Turn until what the client has read is enough."""
        data, deadline = b"", time.monotonic() + PATIENCE
        while not done(data):
            assert time.monotonic() < deadline, data
            self._line.loop.turn(0.01)
            assert self._line.failures == []
            try:
                data += client.recv(1 << 20)
            except BlockingIOError:
                continue
        return data

    def turn_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline
            self._line.loop.turn(0.01)

    def ask(self, client: socket.socket, request: bytes) -> bytes:
        """Return the answer, which says how long it is."""
        client.sendall(request)
        return self.read(client, is_whole if not request.startswith(b"HEAD") else has_head)

    def logged(self) -> list[str]:
        self.access_log.flush()
        return self.log.read_text().splitlines()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.turn_until(lambda: not self.context.connections)
        self._line.stream.close()
        self._line.client.close()
        self._line.loop.close()
        self._moments.release()
        self._census.close()
        os.close(self._fd)


def has_ended(client: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        return client.recv(1000) == b""
    return False


def has_head(data: bytes) -> bool:
    return b"\r\n\r\n" in data


def is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and (length is None or len(body) >= int(length[1]))
