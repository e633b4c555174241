"""One program's run: its three pipes are served at once, under their deadlines.

A program may read before it writes, write before it reads, do both, or neither.  Whoever serves
its pipes one after the other deadlocks with some of them (C1); here stdin is fed by a task, stderr
read by a callback, and stdout by whoever sends it, as long as the client takes all at once.  What
it does not take yet is kept (`backlog.py`), so that a slow client does not hold a program.

Most programs read nothing, complain of nothing and are read by a quick client, so nothing of that
has a task before it is needed: 45 µs less of the 310 that a request took of its worker.

Three clocks run: until the first byte of output, between two pieces, and from start to end.  Past
any of them the program is ended: 504 before the header, an answer cut short after it (C4).

The answer ends where the output does.  A program that has ended, and left something running that
holds its output open, has said all it had to say: what is still in the pipe is read, and after
`drain_grace` without more the answer is complete (C11).

A body that breaks off ends the program, too, and before it can see the end of its input: a script
that reads to the end, as most do, would take what came for the whole (C2).
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from forkhttpd.handlers.cgi import diagnosis, output
from forkhttpd.handlers.cgi.backlog import Backlog
from forkhttpd.handlers.cgi.program import Fate, Program, Terms
from forkhttpd.handlers.cgi.scripts import first_line
from forkhttpd.handlers.cgi.stderr import Stderr
from forkhttpd.http1.account import Account, Usage
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import RequestBody
from forkhttpd.loop import (
    FOREVER,
    DeadlineExceeded,
    Disconnected,
    Future,
    Loop,
    Pipe,
    Task,
)

T = TypeVar("T")

_EXIT_PATIENCE = 1.0  # seconds between the end of output and that of the program, for the log


class Exchange:
    """A program between its request's body and its response; `close` ends it.

    account: what it costs, settled when it has ended.
    """

    __slots__ = (
        "_backlog",
        "_ends",
        "_exit",
        "_failure",
        "_fate",
        "_fed",
        "_feeder",
        "_file",
        "_held",
        "_log",
        "_loop",
        "_overdue",
        "_prefix",
        "_program",
        "_reader",
        "_settled",
        "_stderr",
        "_terms",
        "account",
    )

    def __init__(
        self,
        loop: Loop,
        program: Program,
        *,
        terms: Terms,
        log: logging.Logger,
        id: str,  # noqa: A002 - the request's
        file: str,
    ) -> None:
        self._loop = loop
        self._program = program
        self._terms = terms
        self._log = log
        self._file = file
        self._prefix = f"{id}: {file}[{program.pid}]"
        self._ends = loop.now + terms.total
        self._failure: Exception | None = None
        self._fate = Fate.OPEN
        self._feeder: Task | None = None  # body to stdin
        self._backlog: Backlog | None = None  # of the client
        self._reader: Task | None = None  # whoever waits for stdout
        self._held: Pipe | None = None  # stdin, kept open until the program is gone
        self._overdue = False  # one of its clocks has run out
        self._fed: Future[None] = Future(loop)
        self._exit: Future[Usage] = Future(loop)
        self._settled: Future[None] = Future(loop)
        self.account = Account(program.queue_wait)
        self._stderr = Stderr(loop, program.stderr, log, prefix=self._prefix, account=self.account)

    async def start(self, body: RequestBody) -> None:
        """Begin to serve stdin, and to wait for the end."""
        self._loop.spawn(self._watch())
        if self._program.stdin is not None:
            self._feeder = self._loop.spawn(self._feed(self._program.stdin, body))
            await body.invite()  # now: the answer may begin before the feeder comes to read
        else:
            self._fed.set(None)

    async def read_head(self) -> tuple[output.Head, bytes]:
        """Return the header, and what came of the body with it.

        Raises HTTPError: 504 when it takes too long, 502 when it makes no sense, or what became
        of the request's body.
        """
        head, data, end = await self._read(output.find_end, output.parse)
        return head, data[end:]

    async def read_status_line(self) -> tuple[int, bytes]:
        """Return the status that an NPH script begins with, and all that came of its answer.

        Raises HTTPError as `read_head` does.
        """
        status, data, _ = await self._read(output.find_line_end, output.parse_status_line)
        return status, data

    async def _read(
        self, find: Callable[[bytes, int], int | None], parse: Callable[[bytes], T]
    ) -> tuple[T, bytes, int]:
        """Return what comes first, parsed; all that came, and where in it the rest begins."""
        data, patience, end = b"", self._terms.first_byte, None
        while end is None:
            piece = await self._receive(patience)
            if not piece:
                raise await self._no_header(data)
            patience = self._terms.silence
            data += piece
            end = find(data, len(data) - len(piece))
            if (end or len(data)) > output.HEADER_LIMIT:
                raise HTTPError(502, f"{self._file}: header over {output.HEADER_LIMIT} bytes")
        if self._failure is not None:
            raise self._failure
        try:
            return parse(data[:end]), data, end
        except output.OutputError as error:
            raise HTTPError(502, f"{self._file}: {error}") from None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Return what follows of the body by pieces, which end in an HTTPError when it stays
        incomplete.
        """
        while piece := await self._next_piece():
            yield piece
        if self._failure is not None:
            raise self._failure
        self.dismiss()

    def keep(self) -> None:
        """Keep what follows until it is taken: the client is slower than the program (C20)."""
        if self._backlog is None:
            self._backlog = Backlog(
                self._loop, self._receive_body, limit=self._terms.spool, ends=self._ends
            )

    def dismiss(self) -> None:
        """Let the program go on to its end: nothing more is wanted of it."""
        self._fate = Fate.FREE
        self._log_ending()

    async def close(self) -> None:
        """Stop serving the program.

        One whose answer was taken to its end may go on to its own, and so may one that is to
        finish without its client (C12), if it has its whole input; any other is ended.  The body
        is left alone when this returns.
        """
        if self._backlog is not None:
            self._backlog.close()
        if self._may_finish():
            self.dismiss()
            self._loop.spawn(self._discard())
        else:
            self._program.stdout.close()
            self._end_program()
        if self._feeder is not None:
            self._feeder.cancel()
        await self._fed.wait(self._loop.now + _EXIT_PATIENCE)

    async def explain(self) -> tuple[tuple[str, str], ...]:
        """Return how the program ended and what it complained of, for a page (O9)."""
        with contextlib.suppress(DeadlineExceeded):
            await self._settled.wait(self._loop.now + _EXIT_PATIENCE)
        told: tuple[tuple[str, str], ...] = ()
        if (usage := self.account.usage) is not None and self._fate is not Fate.ENDED:
            told += (("How it ended", f"It {diagnosis.ending(usage)}."),)
        if self._stderr.tail:
            told += (("Its standard error", self._stderr.tail.decode("utf-8", "replace")),)
        return told

    def _may_finish(self) -> bool:
        is_fit = self._fate is Fate.OPEN and self._failure is None
        return self._terms.finish and is_fit and self._fed.done

    def _end_program(self) -> None:
        """End the program, unless it may go on, or has ended."""
        if self._fate is Fate.OPEN and not self._exit.done:
            self._fate = Fate.ENDED
            self._program.kill(overdue=self._overdue)

    # stdout

    async def _next_piece(self) -> bytes:
        if self._backlog is None:
            return await self._receive_body()
        try:
            return await self._backlog.take()
        except DeadlineExceeded:
            self._failure = HTTPError(504, f"{self._file}: the client was too slow")
            return b""

    async def _receive_body(self) -> bytes:
        """Return output that is for the client, b"" at its end, for whatever reason it ends."""
        try:
            while piece := await self._receive(self._terms.silence):
                if self._fate is Fate.OPEN:  # else nobody takes it any more
                    return piece
        except HTTPError as error:
            self._failure = error
        return b""

    async def _discard(self) -> None:
        """Take output that nobody waits for, so that the program does not have to, either."""
        patience = max(self._terms.first_byte, self._terms.silence)
        try:
            while await self._receive(patience):
                pass
        except HTTPError as error:
            self._log.error("%s: %s", self._prefix, error.reason)
            self._program.stdout.close()
            self._program.kill(overdue=self._overdue)

    async def _receive(self, patience: float) -> bytes:
        """Return output, b"" at its end, when stdout is closed.  Raises HTTPError 504."""
        stdout = self._program.stdout
        if self._exit.done:
            patience = min(patience, self._terms.drain_grace)
        self._reader = self._loop.current
        try:
            piece = await stdout.receive(min(self._loop.now + patience, self._ends))
        except DeadlineExceeded:
            if not self._exit.done or self._loop.now >= self._ends:
                raise self._too_slow(patience) from None
            piece = b""  # nobody is left who would say more (C11)
        finally:
            self._reader = None
        if not piece:
            stdout.close()
        return piece

    def _too_slow(self, patience: float = 0.0) -> HTTPError:
        self._overdue = True
        silent = patience if self._loop.now < self._ends else None
        total = self._terms.total
        return diagnosis.too_slow(self._file, self._program.pid, silent=silent, ran=total)

    async def _no_header(self, seen: bytes) -> Exception:
        """Return why there is no header: worth waiting a moment for the exit status."""
        if self._failure is not None:
            return self._failure
        usage = None
        with contextlib.suppress(DeadlineExceeded):
            usage = await self._exit.wait(self._loop.now + _EXIT_PATIENCE)
        return HTTPError(502, diagnosis.no_header(self._file, usage, seen, first_line(self._file)))

    # stdin

    async def _feed(self, stdin: Pipe, body: RequestBody) -> None:
        try:
            while piece := await self._pull(body):
                await stdin.send(piece, self._ends)
        except Disconnected:
            pass  # the program reads no more
        except DeadlineExceeded:
            self._fail(self._too_slow())
        finally:
            if self._fate is Fate.ENDED and not self._exit.done:
                self._held = stdin
            else:
                stdin.close()
            self._fed.set(None)

    async def _pull(self, body: RequestBody) -> bytes:
        """Return the next piece of the body; a broken one ends the program, and the request."""
        try:
            return await body.read()
        except (HTTPError, Disconnected) as error:
            self._fail(error)
            return b""

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._end_program()

    # stderr, and the end

    async def _watch(self) -> None:
        """See the program to its end, which comes at the end of its time at the latest."""
        try:
            usage = await self._program.exited.wait(self._ends)
        except DeadlineExceeded:
            self._fail(self._too_slow())
            self._program.kill(overdue=self._overdue)  # also one that is free
            usage = await self._program.exited.wait(FOREVER)
        self.account.usage = usage
        self._exit.set(usage)
        if self._held is not None:
            self._held.close()
        if self._reader is not None:
            self._reader.hurry(self._loop.now + self._terms.drain_grace)
        self._log_ending()
        await self._hear_out(self._loop.now + self._terms.drain_grace)
        self.account.settle()
        self._settled.set(None)
        await self._hear_out(self._ends + self._terms.silence)
        self._stderr.close()

    async def _hear_out(self, until: float) -> None:
        """Wait for the end of stderr, which what the program has left running may hold open."""
        if not self._stderr.done.done:
            with contextlib.suppress(DeadlineExceeded):
                await self._stderr.done.wait(until)

    def _log_ending(self) -> None:
        """Log a bad end of a program that has answered; of another one its error tells."""
        usage = self.account.usage
        if usage is not None and (usage.status or usage.starved) and self._fate is Fate.FREE:
            self._log.warning("%s %s", self._prefix, diagnosis.ending(usage))
