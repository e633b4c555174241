"""One program's run: its three pipes are served at once, under their deadlines.

A program may read before it writes, write before it reads, do both, or neither.  Whoever serves
its pipes one after the other deadlocks with some of them (C1); here each has a task.  Output
reaches the client as fast as it takes it, and what it does not take yet is kept (`spill.py`), so
that a slow client does not hold a program.

Three clocks run: until the first byte of output, between two pieces of output, and from start to
end.  Past any of them the program is ended.  Before the header that is 504; after it the answer
has to be cut short.
"""

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from forkhttpd.handlers.cgi import diagnosis, output
from forkhttpd.handlers.cgi.spill import Spill
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import RequestBody
from forkhttpd.loop import (
    FOREVER,
    DeadlineExceeded,
    Disconnected,
    Event,
    Future,
    Loop,
    Pipe,
    Task,
)

STDERR_LIMIT = 65536  # bytes of a program's stderr that reach the log
STDERR_LINE_LIMIT = 4096
_EXIT_PATIENCE = 1.0  # seconds between the end of output and that of the program, for the log


class Exit(Protocol):
    """How a program ended: its exit code, negative for a signal."""

    @property
    def status(self) -> int: ...


class End(Protocol):
    """The end of a program, to be waited for; raises DeadlineExceeded."""

    async def wait(self, deadline: float) -> Exit: ...


class Program(Protocol):
    """A running program, as `launch` returns it; the exchange closes the pipes."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> Pipe | None: ...
    @property
    def stdout(self) -> Pipe: ...
    @property
    def stderr(self) -> Pipe: ...
    @property
    def exited(self) -> End: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds: to the first byte of output, between two pieces, from start to end."""

    first_byte: float
    silence: float
    total: float


class Exchange:
    """A program between its request's body and its response; `close` ends it."""

    __slots__ = (
        "_arrived",
        "_clocks",
        "_ends",
        "_failure",
        "_fed",
        "_feeder",
        "_file",
        "_filler",
        "_id",
        "_is_filled",
        "_log",
        "_loop",
        "_program",
        "_room",
        "_spill",
    )

    def __init__(
        self,
        loop: Loop,
        program: Program,
        *,
        clocks: Clocks,
        spool: int,
        log: logging.Logger,
        id: str,  # noqa: A002 - the request's
        file: str,
    ) -> None:
        self._loop = loop
        self._program = program
        self._clocks = clocks
        self._log = log
        self._id = id
        self._file = file
        self._ends = loop.now + clocks.total
        self._failure: Exception | None = None
        self._feeder: Task | None = None  # body to stdin
        self._filler: Task | None = None  # stdout to spill
        self._is_filled = False
        self._spill = Spill(spool)
        self._arrived = Event(loop)  # something in the spill, or its end
        self._room = Event(loop)  # in the spill
        self._fed: Future[None] = Future(loop)

    def start(self, body: RequestBody) -> None:
        """Begin to serve stdin and stderr."""
        self._loop.spawn(self._log_stderr())
        if self._program.stdin is not None:
            self._feeder = self._loop.spawn(self._feed(self._program.stdin, body))
        else:
            self._fed.set(None)

    async def read_head(self) -> tuple[output.Head, bytes]:
        """Return the header, and what came of the body with it.

        Raises HTTPError: 504 when it takes too long, 502 when it makes no sense, or what became
        of the request's body.
        """
        data = b""
        deadline = min(self._loop.now + self._clocks.first_byte, self._ends)
        while (end := output.find_end(data)) is None:
            if len(data) > output.HEADER_LIMIT:
                raise HTTPError(502, f"{self._file}: header over {output.HEADER_LIMIT} bytes")
            piece = await self._receive(deadline)
            if not piece:
                raise await self._no_header(data)
            deadline = min(self._loop.now + self._clocks.silence, self._ends)
            data += piece
        try:
            return output.parse(data[:end]), data[end:]
        except output.OutputError as error:
            raise HTTPError(502, f"{self._file}: {error}") from None

    async def pieces(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield the body, beginning with `first`.  Raises HTTPError when it stays incomplete."""
        if first:
            self._spill.put(first)
        self._filler = self._loop.spawn(self._fill())
        while True:
            piece = self._spill.take()
            if piece:
                self._room.set()
                yield piece
            elif self._is_filled:
                break
            else:
                await self._arrived.wait(FOREVER)
        if self._failure is not None:
            raise self._failure
        self._loop.spawn(self._log_exit())

    async def close(self) -> None:
        """Stop serving the program.

        One that has closed its output by itself may go on to its end; any other is ended.  The
        body is left alone when this returns.
        """
        program = self._program
        if self._filler is not None:
            self._filler.cancel()
        self._spill.close()
        if program.stdout.port.fd >= 0:
            program.stdout.close()
            program.kill()
        if self._feeder is not None:
            self._feeder.cancel()
        await self._fed.wait(self._loop.now + _EXIT_PATIENCE)

    async def _fill(self) -> None:
        """Keep the program's output until the client takes it, as much as may be kept."""
        try:
            while piece := await self._receive(
                min(self._loop.now + self._clocks.silence, self._ends)
            ):
                self._spill.put(piece)
                self._arrived.set()
                while self._spill.is_full:
                    await self._room.wait(self._ends)
        except HTTPError as error:
            self._failure = error
        except DeadlineExceeded:
            self._failure = HTTPError(504, f"{self._file}: the client was too slow")
        finally:
            self._is_filled = True
            self._arrived.set()

    async def _receive(self, deadline: float) -> bytes:
        """Return output, b"" at its end, when stdout is closed."""
        stdout = self._program.stdout
        try:
            piece = await stdout.receive(deadline)
        except DeadlineExceeded:
            raise HTTPError(504, f"{self._file} (pid {self._program.pid}) was too slow") from None
        if not piece:
            stdout.close()
        return piece

    async def _feed(self, stdin: Pipe, body: RequestBody) -> None:
        try:
            while piece := await self._pull(body):
                await stdin.send(piece, self._ends)
        except (Disconnected, DeadlineExceeded):
            return  # the program reads no more, or its time is up, which its output will tell
        finally:
            stdin.close()
            self._fed.set(None)

    async def _pull(self, body: RequestBody) -> bytes:
        """Return the next piece of the body; a broken one ends the program, and the request."""
        try:
            return await body.read()
        except (HTTPError, Disconnected) as error:
            self._failure = error
            self._program.kill()
            return b""

    async def _log_stderr(self) -> None:
        """Pass stderr to the log by lines, up to a limit; what is beyond is read all the same."""
        rest, logged = b"", 0
        with self._program.stderr as stderr:
            while piece := await self._receive_stderr(stderr):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > STDERR_LINE_LIMIT:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    logged = self._log_line(line, logged)
        if rest:
            self._log_line(rest, logged)

    async def _receive_stderr(self, stderr: Pipe) -> bytes:
        with contextlib.suppress(DeadlineExceeded):
            return await stderr.receive(self._ends + self._clocks.silence)
        return b""

    def _log_line(self, line: bytes, logged: int) -> int:
        """Log a line unless too much was; return the bytes logged with it."""
        if logged > STDERR_LIMIT:
            return logged
        text = line[:STDERR_LINE_LIMIT].decode("latin-1")
        self._log.warning("%s: %s[%d]: %s", self._id, self._file, self._program.pid, text)
        if logged + len(line) > STDERR_LIMIT:
            self._log.warning(
                "%s: %s[%d]: stderr over %d bytes, the rest is not logged",
                self._id, self._file, self._program.pid, STDERR_LIMIT,
            )  # fmt: skip
        return logged + len(line) + 1

    async def _no_header(self, seen: bytes) -> Exception:
        """Return why there is no header, which is worth waiting a moment for the exit status."""
        if self._failure is not None:
            return self._failure
        status = None
        with contextlib.suppress(DeadlineExceeded):
            status = (await self._program.exited.wait(self._loop.now + _EXIT_PATIENCE)).status
        return HTTPError(502, diagnosis.no_header(self._file, status, seen))

    async def _log_exit(self) -> None:
        """See a program to its end that has closed its output."""
        try:
            ended = await self._program.exited.wait(self._ends)
        except DeadlineExceeded:
            self._program.kill()
            return
        if ended.status:
            self._log.warning(
                "%s: %s[%d] %s",
                self._id, self._file, self._program.pid, diagnosis.ending(ended.status),
            )  # fmt: skip
