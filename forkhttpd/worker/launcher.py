"""Asks spawners to start programs, on behalf of the gateway.

One `Line` per pool.  It makes a channel, passes the far end through the pool's door, and keeps it
until it hangs up: then the spawner has gone, and with it all that ran there.  What was asked of
the lost spawner fails; the next request makes a new channel, which waits in the door until the
next spawner takes it.
"""

import contextlib
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from forkhttpd import channel
from forkhttpd.http1.errors import HTTPError
from forkhttpd.inheritance import Door
from forkhttpd.loop import Cancelled, DeadlineExceeded, Future, Loop, Pipe
from forkhttpd.spawner.protocol import (
    KNOCK,
    Exited,
    How,
    Kill,
    Message,
    ProtocolError,
    Reason,
    Refused,
    Start,
    Started,
    TooLongError,
    decode,
    encode,
)

# The spawner itself keeps the time in the queue; this is for a spawner that does not answer.
ANSWER_PATIENCE = 30.0

_BUSY = (("Retry-After", "5"),)
_READ_AND_WRITE = select.EPOLLIN | select.EPOLLOUT


class Exit(NamedTuple):
    """How a program ended; `status` as os.waitstatus_to_exitcode has it: negative for a signal.

    user_time, system_time and wall are seconds, max_rss is KiB.  A program whose spawner was lost
    has `status` -9, for that is what happens to it, and zeros.
    """

    status: int
    user_time: float = 0.0
    system_time: float = 0.0
    max_rss: int = 0
    wall: float = 0.0
    starved: bool = False  # of memory, in its cgroup


_LOST = Exit(-9)


class Program:
    """A running program; its pipes are whose asked for it, to be closed there."""

    __slots__ = ("_id", "_line", "exited", "pid", "queue_wait", "stderr", "stdin", "stdout")

    def __init__(self, line: "Line", started: Started, fds: list[int]) -> None:
        self._line = line
        self._id = started.id
        self.pid = started.pid
        self.queue_wait = started.queue_wait
        self.stdin = Pipe(line.loop, fds[0]) if len(fds) == 3 else None
        self.stdout = Pipe(line.loop, fds[-2])
        self.stdout.port.can_read = False  # it has begun a moment ago: we shall be told
        self.stderr = fds[-1]
        os.set_blocking(self.stderr, False)
        self.exited: Future[Exit] = Future(line.loop)

    def close(self) -> None:
        """Close its pipes: whoever asked for it has gone."""
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self.stderr)

    def kill(self, *, overdue: bool) -> None:
        """End it and its process group: TERM, and after the pool's grace KILL.

        `overdue`: its time is up; that is counted.
        """
        if not self.exited.done:
            self._line.post(Kill(self._id, How.GRACEFUL, overdue))


Answer = Program | Refused | None  # None: the spawner was lost
Heir = Callable[[Program], object]  # gets a program that whoever asked for it has left


class Line:
    """This worker's channel to one pool's spawner."""

    __slots__ = ("_answers", "_door", "_heirs", "_ids", "_outbox", "_running", "_socket", "loop")

    def __init__(self, loop: Loop, door: Door) -> None:
        self.loop = loop
        self._door = door
        self._ids = 0
        self._answers: dict[int, Future[Answer]] = {}
        self._heirs: dict[int, Heir] = {}
        self._running: dict[int, Program] = {}
        self._outbox: deque[tuple[bytes, int | None]] = deque()
        self._socket: socket.socket | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a program runs, or is to."""
        return bool(self._answers or self._heirs or self._running)

    def new_id(self) -> int:
        """Return an id that no Start had yet."""
        self._ids += 1
        return self._ids

    async def launch(self, start: Start, spool: int | None, heir: Heir | None = None) -> Answer:
        """Send a Start and return what becomes of it.

        `spool` is a descriptor to read the body from; it stays the caller's.  Whoever is cancelled
        meanwhile may have an heir: it gets a program that runs already, which is ended otherwise.
        Raises TooLongError, DeadlineExceeded, OSError when there is no way to the spawner.
        """
        id_ = start.id
        message = encode(start)
        self._connect()
        answer: Future[Answer] = Future(self.loop)
        self._answers[id_] = answer
        self._send(message, spool)
        try:
            return await answer.wait(self.loop.now + ANSWER_PATIENCE)
        except BaseException as error:
            self._leave(id_, (message, spool), heir if isinstance(error, Cancelled) else None)
            raise

    def _leave(self, id_: int, sent: tuple[bytes, int | None], heir: Heir | None) -> None:
        """Nobody waits any more; without an heir the pipes of what starts yet are closed."""
        is_answered = self._answers.pop(id_, None) is None
        program = self._running.get(id_)
        if sent in self._outbox:  # the spawner has not heard of it
            self._outbox.remove(sent)
        elif heir is None:
            if program is not None:  # it has just started
                program.close()
            self.post(Kill(id_, How.NOW))
        elif program is not None:
            heir(program)
        elif not is_answered:
            self._heirs[id_] = heir
            self.post(Kill(id_, How.UNLESS_RUNNING))

    def post(self, message: Message) -> None:
        """Send a message that has no answer; lost when the spawner is."""
        if self._socket is not None:
            self._send(encode(message), None)

    def _connect(self) -> None:
        if self._socket is not None:
            return
        near, far = channel.pair()
        with far:
            try:
                channel.send(self._door.outside, KNOCK, [far.fileno()])
            except OSError:
                near.close()
                raise
        self._socket = near
        self.loop.watch(near.fileno(), self._turn)

    def _send(self, message: bytes, fd: int | None) -> None:
        self._outbox.append((message, fd))
        if len(self._outbox) == 1:
            self._flush()
            if self._outbox and self._socket is not None:
                self.loop.epoll.modify(self._socket.fileno(), _READ_AND_WRITE)

    def _flush(self) -> None:
        while self._outbox and self._socket is not None:
            message, fd = self._outbox[0]
            try:
                channel.send(self._socket, message, () if fd is None else (fd,))
            except BlockingIOError:
                return
            except OSError:  # hung up: it is heard, too, and fails what was asked
                self._outbox.clear()
                return
            self._outbox.popleft()

    def _turn(self, events: int) -> None:
        """Send what waits, as far as there is room, and take one message; more are another event.

        A task that took all would find out that there is no more by a receive for each.
        """
        near = self._socket
        if near is None:
            return
        if events & select.EPOLLOUT:
            self._flush()
            if not self._outbox:
                self.loop.epoll.modify(near.fileno(), select.EPOLLIN)
        try:
            self._take(*_receive_answer(near))
        except BlockingIOError:
            pass
        except (OSError, channel.ChannelError, ProtocolError):
            self._hang_up(near)

    def _take(self, message: Message, fds: list[int]) -> None:
        match message:
            case Started():
                self._take_started(message, fds)
            case Refused():
                self._heirs.pop(message.id, None)
                self._answer(message.id, message)
            case Exited():
                program = self._running.pop(message.id, None)
                if program is not None:
                    program.exited.set(_exit(message))

    def _take_started(self, started: Started, fds: list[int]) -> None:
        heir = self._heirs.pop(started.id, None)
        if heir is None and started.id not in self._answers:
            channel.close_all(fds)
            return
        program = Program(self, started, fds)
        self._running[started.id] = program
        if heir is None:
            self._answer(started.id, program)
        else:
            heir(program)

    def _answer(self, id_: int, answer: Answer) -> None:
        waiting = self._answers.pop(id_, None)
        if waiting is not None:
            waiting.set(answer)

    def _hang_up(self, near: socket.socket) -> None:
        self.loop.unwatch(near.fileno())
        near.close()
        self._socket = None
        self._outbox.clear()
        self._heirs.clear()
        for id_ in list(self._answers):
            self._answer(id_, None)
        while self._running:
            self._running.popitem()[1].exited.set(_LOST)


class Launcher:
    """Starts programs in pools.  Its `launch` is what the gateway is given."""

    __slots__ = ("_lines",)

    def __init__(self, loop: Loop, doors: Mapping[str, Door]) -> None:
        self._lines = {pool: Line(loop, door) for pool, door in doors.items()}

    @property
    def is_busy(self) -> bool:
        """Whether a program runs, or is to."""
        return any(line.is_busy for line in self._lines.values())

    async def launch(
        self,
        pool: str,
        *,
        argv: Sequence[str],
        env: dict[bytes, bytes],
        cwd: str,
        leave_background: bool,
        share: tuple[str, int],
        has_input: bool,
        spool: int | None,
        heir: Heir | None,
    ) -> Program:
        """Start a program and return it running; without input its `stdin` is None.

        `share` names who else it counts with, and how many of them may run at once; 0 is any.
        `heir` gets it if it runs already and whoever asks has been cancelled; else it is ended.

        Raises HTTPError 503 when the pool has no place, 502 when its spawner was lost, 431 when
        the request's header makes the environment too long, and OSError as the kernel gave it
        when the program cannot be started.
        """
        line = self._lines[pool]
        start = Start(
            id=line.new_id(),
            argv=tuple(map(os.fsencode, argv)),
            env=env,
            cwd=os.fsencode(cwd),
            leave_background=leave_background,
            share=os.fsencode(share[0]),
            most=share[1],
            has_input=has_input,
        )
        try:
            answer = await line.launch(start, spool, heir)
        except TooLongError as error:
            raise HTTPError(431, f"environment: {error}") from None
        except DeadlineExceeded:
            raise HTTPError(503, f"pool {pool} does not answer", fields=_BUSY) from None
        match answer:
            case Program():
                return answer
            case None:
                raise HTTPError(502, f"pool {pool}: the spawner was lost")
            case Refused(reason=Reason.SYSTEM, errno=number):
                raise OSError(number, os.strerror(number))
            case Refused(reason=reason):
                words = reason.name.lower().replace("_", " ")
                raise HTTPError(503, f"pool {pool}: {words}", fields=_BUSY)


def _receive_answer(near: socket.socket) -> tuple[Message, list[int]]:
    """Return an answer and its descriptors.  Raises ProtocolError at the end, and for all else.

    Who sends it runs as the pool's user, and so do its programs: nothing is taken on trust.
    """
    data, fds = channel.receive(near)
    try:
        message = decode(data)
        pipes = (2, 3) if isinstance(message, Started) else (0,)
        if isinstance(message, Start | Kill) or len(fds) not in pipes:
            raise ProtocolError("not an answer")
    except ProtocolError:
        channel.close_all(fds)
        raise
    return message, fds


def _exit(message: Exited) -> Exit:
    with contextlib.suppress(ValueError):
        return Exit(
            os.waitstatus_to_exitcode(message.status),
            message.user_time,
            message.system_time,
            message.max_rss,
            message.wall,
            message.starved,
        )
    return _LOST
