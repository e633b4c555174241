"""A worker, as far as a spawner can tell: a channel, and who asks over it."""

import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from forkhttpd import channel
from forkhttpd.spawner.protocol import (
    KNOCK,
    Exited,
    How,
    Kill,
    Reason,
    Refused,
    Start,
    Started,
    decode,
    encode,
)

PATIENCE = 60.0  # seconds, for anything that has to happen
PATH = b"PATH=/usr/local/bin:/usr/bin:/bin"


def wait_until(happened: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait for a condition of another process, which nothing announces."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        select.select([], [], [], 0.005)


@dataclass
class Run:
    """One request, and all that has come back for it."""

    id: int
    started: Started | None = None
    refused: Refused | None = None
    exited: Exited | None = None
    pipes: dict[int, bytearray] = field(default_factory=dict)  # by fd; those that are open
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    killed: bool = False

    @property
    def answered(self) -> bool:
        return self.started is not None or self.refused is not None

    @property
    def over(self) -> bool:
        """Whether nothing more can come: refused, or exited and both pipes at their end."""
        return self.refused is not None or (self.exited is not None and not self.pipes)

    @property
    def pid(self) -> int:
        assert self.started is not None
        return self.started.pid

    @property
    def code(self) -> int:
        """The exit code; negative for a signal."""
        assert self.exited is not None
        return os.waitstatus_to_exitcode(self.exited.status)

    @property
    def reason(self) -> Reason:
        assert self.refused is not None
        return self.refused.reason


class Worker:
    """A worker's end of a channel."""

    def __init__(self, door: socket.socket, token: str) -> None:
        self.channel, theirs = channel.pair()
        channel.send(door, KNOCK, [theirs.fileno()])
        theirs.close()
        self.runs: dict[int, Run] = {}
        self._token = token
        self._stdin: dict[int, bytes] = {}
        self._readers: dict[int, Run] = {}
        self._poll = select.epoll()
        self._poll.register(self.channel.fileno(), select.EPOLLIN)
        self.hung_up = False

    def start(
        self,
        *argv: str,
        env: Sequence[bytes] = (),
        cwd: Path | str = "/",
        stdin: bytes = b"",
        spool: int | None = None,
        leave_background: bool = False,
        has_input: bool = True,
        reused_id: int = 0,
    ) -> Run:
        """Ask for a program; `stdin` is at most a pipe's capacity."""
        run = Run(reused_id or len(self.runs) + 1)
        marker = f"UNIQUE_ID={self._token}-{run.id}".encode()
        words = tuple(os.fsencode(word) for word in argv)
        entries = dict([entry.split(b"=", 1) for entry in (PATH, marker, *env)])
        place = os.fsencode(str(cwd))
        start = Start(run.id, words, entries, place, leave_background, has_input=has_input)
        self.runs[run.id] = run
        self._stdin[run.id] = stdin
        self.send(encode(start), () if spool is None else (spool,))
        return run

    def shell(self, script: str, **options: object) -> Run:
        """Ask for /bin/sh -c."""
        return self.start("/bin/sh", "-c", script, **options)  # type: ignore[arg-type]

    def kill(self, run: Run, how: How) -> None:
        self.send(encode(Kill(run.id, how)))

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send, taking answers while the spawner makes room: both sides must never wait."""
        while True:
            try:
                return channel.send(self.channel, data, fds)
            except BlockingIOError:
                self.pump(0.05)

    def pump(self, seconds: float) -> None:
        """Take what has come."""
        for fd, _ in self._poll.poll(seconds):
            if fd == self.channel.fileno():
                self._take()
            elif fd in self._readers:
                self._read(fd)

    def wait(self, *runs: Run, seconds: float = PATIENCE) -> None:
        """Wait until these are over."""
        self.wait_for(lambda: all(run.over for run in runs), "programs to be over", seconds)

    def wait_started(self, *runs: Run) -> None:
        self.wait_for(lambda: all(run.answered for run in runs), "answers")
        assert all(run.started for run in runs), [run.refused for run in runs]

    def wait_for(self, happened: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Take answers until a condition holds."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
            assert not self.hung_up, f"the spawner has hung up while we waited for {what}"
            self.pump(0.05)

    def wait_hang_up(self) -> None:
        """Wait until the spawner has closed the channel."""
        deadline = time.monotonic() + PATIENCE
        while not self.hung_up:
            assert time.monotonic() < deadline, "not hung up"
            self.pump(0.05)

    def close(self) -> None:
        """Hang up, as a worker that dies."""
        for fd in list(self._readers):
            self.close_pipe(fd)
        self._poll.close()
        self.channel.close()

    def close_pipe(self, fd: int) -> None:
        self._readers.pop(fd).pipes.pop(fd)
        os.close(fd)

    def _take(self) -> None:
        data, fds = channel.receive(self.channel)
        if not data:
            self.hung_up = True
            self._poll.unregister(self.channel.fileno())
            return
        match decode(data):
            case Started() as started:
                self.runs[started.id].started = started
                self._take_pipes(self.runs[started.id], fds)
            case Refused() as refused:
                assert self.runs[refused.id].started is None
                self.runs[refused.id].refused = refused
            case Exited() as exited:
                assert self.runs[exited.id].started is not None
                self.runs[exited.id].exited = exited
            case other:
                raise AssertionError(other)

    def _take_pipes(self, run: Run, fds: list[int]) -> None:
        if len(fds) == 3:
            stdin = fds.pop(0)
            with suppress(BrokenPipeError):
                os.write(stdin, self._stdin[run.id])
            os.close(stdin)
        for fd, sink in zip(fds, (run.output, run.errors), strict=True):
            run.pipes[fd] = sink
            self._readers[fd] = run
            self._poll.register(fd, select.EPOLLIN)

    def _read(self, fd: int) -> None:
        data = os.read(fd, 1 << 16)
        self._readers[fd].pipes[fd].extend(data)
        if not data:
            self.close_pipe(fd)
