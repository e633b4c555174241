"""H10 by the daemon's own clock: who leaves in a body frees slot, spool and program in a second."""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forkhttpd.config.load import load
from forkhttpd.handlers.cgi.environ import Server
from forkhttpd.handlers.cgi.gateway import Gateway
from forkhttpd.http1.account import Usage
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Response
from forkhttpd.loop import Future, Loop, Pipe, Stream
from forkhttpd.loop.kernel import SWEEP_DELAY
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.connection import Connection
from forkhttpd.worker.context import Context
from forkhttpd.worker.entrance import Entrance
from forkhttpd.worker.errorpage import error_response
from forkhttpd.worker.shortcut import Shortcut
from tests.config.files import LISTEN, write
from tests.worker.making import CLIENT, PATIENCE, SERVER

SITE = '[[site]]\n[[site.mount]]\npath = "/cgi-bin/"\ncgi = "cgi-bin"\n'
PROMISED = 1.0  # seconds
STEP = 0.125  # of the clock
LEAST_TURNS = 20  # in which nothing happens, until the clock goes on

HEAD = b"POST /cgi-bin/program HTTP/1.1\r\nHost: x\r\n"
SIZED = HEAD + b"Content-Length: 1000000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\nF4240\r\n"


@dataclass
class Program:
    """One that writes nothing, and does not even end when it is told to."""

    stdin: Pipe | None
    stdout: Pipe
    stderr: int
    exited: Future[Usage]
    pid: int = 1
    queue_wait: float = 0.0
    kills: int = 0

    def kill(self, *, overdue: bool) -> None:
        assert not overdue
        self.kills += 1


@dataclass
class Scene:
    """A worker's part that answers, under a clock that goes on only when nothing happens."""

    directory: Path
    now: float = 1000.0
    programs: list[Program] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of pipes, the programs'

    def __post_init__(self) -> None:
        script = self.directory / "cgi-bin" / "program"
        script.parent.mkdir()
        script.touch(0o755)
        config = load(write(self.directory, LISTEN + SITE))
        log = logging.getLogger("test")
        self.failures: list[Exception] = []
        self.loop = Loop(report=self.failures.append, clock=lambda: self.now)
        self.log = os.open(self.directory / "access.log", os.O_CREAT | os.O_WRONLY)
        self.context = Context(
            config,
            name="w",
            loop=self.loop,
            refuse=lambda request, error: error_response(error, id=request.id),
            access_log=AccessLog(self.log, format="combined"),
            log=log,
        )
        self.gateway = Gateway(
            config.site[0].mount[0],
            name="0/0",
            pool=config.pool["default"],
            server=Server("test", "", ""),
            debug=None,
            loop=self.loop,
            launch=self.launch,  # type: ignore[arg-type]
            log=log,
        )

    async def launch(self, _pool: str, **_terms: object) -> Program:
        stdin, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
        self.ends += (stdin[0], stdout[1], stderr[1])
        program = Program(
            stdin=Pipe(self.loop, stdin[1]),
            stdout=Pipe(self.loop, stdout[0]),
            stderr=stderr[0],
            exited=Future(self.loop),
        )
        self.programs.append(program)
        return program

    async def respond(self, request: Request) -> Response:
        return await self.gateway(request, request.path.removeprefix("/cgi-bin"))

    def connect(self) -> socket.socket:
        near, client = socket.socketpair()
        near.setblocking(False)
        stream = Stream(self.loop, near)
        shortcut = Shortcut(self.context, stream, Entrance(SERVER, self.respond), CLIENT, id=1)
        self.loop.spawn(Connection(self.context, shortcut).serve())
        return client

    def settle(self) -> None:
        """Turn until nothing happens any more, at this moment of the clock."""
        deadline, idle = time.monotonic() + PATIENCE, 0
        while idle < LEAST_TURNS:
            assert time.monotonic() < deadline
            before = len(self.loop.tasks), open_fds()
            self.loop.turn(0.001)
            idle = (
                0
                if self.loop.ready
                or self.loop.rested
                or before != (len(self.loop.tasks), open_fds())
                else idle + 1
            )
        assert self.failures == []

    def until_gone(self) -> float:
        """Return the seconds by the clock until no connection is left."""
        began = self.now
        self.settle()
        while self.context.connections:
            self.now += STEP
            self.settle()
        return self.now - began

    def close(self) -> None:
        for program in self.programs:
            program.exited.set(Ended())
        self.settle()
        self.loop.close()
        for fd in (*self.ends, self.log):
            os.close(fd)


@dataclass(frozen=True)
class Ended:
    """The end of a program at last."""

    status: int = -9
    user_time: float = 0.0
    system_time: float = 0.0
    max_rss: int = 0
    wall: float = 0.0
    starved: bool = False


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with contextlib.closing(Scene(tmp_path)) as scene:
        yield scene


def test_H10_who_leaves_in_a_chunked_body_frees_slot_and_spool_at_once(scene: Scene) -> None:
    idle = open_fds()
    with scene.connect() as client:
        client.sendall(CHUNKED + bytes(1000))
        scene.settle()
        assert open_fds() == idle + 3  # both ends of the connection, and the spool
        client.shutdown(socket.SHUT_WR)
        assert scene.until_gone() == 0
    assert open_fds() == idle
    assert scene.programs == []


@pytest.mark.parametrize("sent", [4, 150_000], ids=["all is passed on", "the pipe is full"])
def test_H10_who_leaves_in_a_sized_body_frees_slot_and_program(scene: Scene, sent: int) -> None:
    """Within the second, though this program does not read, write or end."""
    with scene.connect() as client:
        client.setblocking(False)
        rest = memoryview(SIZED + bytes(sent))
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[client.send(rest) :]
            scene.settle()
        (program,) = scene.programs
        assert program.kills == 0
        client.shutdown(socket.SHUT_WR)
        assert scene.until_gone() <= PROMISED + SWEEP_DELAY + STEP
    assert program.kills == 1
