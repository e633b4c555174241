"""A worker's channel to a spawner, whose end of it is in the test's hands."""

import os
import socket
from collections.abc import Iterator

import pytest

from forkhttpd import channel
from forkhttpd.inheritance import Door
from forkhttpd.loop import Task
from forkhttpd.spawner.protocol import (
    Exited,
    How,
    Kill,
    Message,
    Reason,
    Refused,
    Start,
    Started,
    decode,
    encode,
)
from forkhttpd.worker.launcher import Answer, Heir, Program
from forkhttpd.worker.launcher import Line as Channel
from tests.worker.making import Line, open_line

LONG = b"a" * 100_000


class Spawner:
    """The other end, and what the worker got."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.loop = line.loop
        self._outside, self._inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = Channel(line.loop, Door(self._outside, self._inside))
        self.answers: list[Answer] = []
        self._ends: list[int] = []
        self._near: socket.socket | None = None

    def launch(self, value: bytes = b"b", *, heir: Heir | None = None) -> Task:
        """Have the worker ask for a program."""

        async def launch() -> None:
            start = Start(
                self.channel.new_id(), (b"/bin/true",), {b"A": value}, b"/", leave_background=False
            )
            self.answers.append(await self.channel.launch(start, None, heir))

        task = self.loop.spawn(launch())
        self.loop.turn(0)
        return task

    def receive(self) -> Message:
        """Return what the worker has sent."""
        if self._near is None:
            _, fds = channel.receive(self._inside)
            self._near = socket.socket(fileno=fds[0])
        data, _ = channel.receive(self._near)
        return decode(data)

    def send(self, message: Message) -> None:
        """Send an answer; pipes go with Started."""
        self.send_raw(encode(message), pipes=2 if isinstance(message, Started) else 0)

    def send_raw(self, data: bytes, *, pipes: int) -> None:
        """Send what may be no answer, with the ends of so many pipes."""
        assert self._near is not None
        made = [os.pipe() for _ in range(pipes)]
        channel.send(self._near, data, [reading for reading, _ in made])
        for reading, writing in made:
            os.close(reading)
            self._ends.append(writing)

    def hang_up(self) -> None:
        """Be lost, as the worker hears in its next turn."""
        if self._near is not None:
            self._near.close()
        self.loop.turn(0)

    def close(self) -> None:
        """Close all."""
        self.hang_up()
        self._outside.close()
        self._inside.close()
        for end in self._ends:
            os.close(end)

    def has_readers(self) -> bool:
        """Whether the worker holds its end of any pipe."""
        for end in self._ends:
            try:
                os.write(end, b"x")
            except BrokenPipeError:
                continue
            return True
        return False


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    with open_line() as line:
        spawner = Spawner(line)
        yield spawner
        spawner.close()


def test_programs_start_and_exit(spawner: Spawner) -> None:
    spawner.launch()
    start = spawner.receive()
    spawner.send(Started(start.id, 4711, 0.25))
    spawner.loop.turn(1)
    (program,) = spawner.answers
    assert isinstance(program, Program)
    assert (program.pid, program.queue_wait) == (4711, 0.25)
    assert not os.get_blocking(program.stderr)
    spawner.send(Exited(start.id, 3 << 8, 0.1, 0.2, 300, 0.4))
    spawner.loop.turn(1)
    assert not spawner.channel.is_busy
    assert spawner.line.run(program.exited.wait(spawner.loop.now + 5)).status == 3
    program.close()


def test_C15_who_leaves_while_the_program_starts_leaves_no_pipe_open(spawner: Spawner) -> None:
    task = spawner.launch()
    start = spawner.receive()
    task.cancel()
    spawner.send(Started(start.id, 4711, 0.0))
    assert spawner.has_readers()
    spawner.loop.turn(1)
    spawner.loop.turn(0)
    assert spawner.answers == []
    assert not spawner.has_readers()
    assert isinstance(spawner.receive(), Kill)


def test_C12_who_leaves_while_the_program_starts_leaves_it_to_an_heir(spawner: Spawner) -> None:
    inherited: list[Program] = []
    task = spawner.launch(heir=inherited.append)
    start = spawner.receive()
    task.cancel()
    spawner.loop.turn(0)
    assert spawner.receive() == Kill(start.id, How.UNLESS_RUNNING)
    assert spawner.channel.is_busy
    spawner.send(Started(start.id, 4711, 0.0))
    spawner.loop.turn(1)
    (program,) = inherited
    assert (program.pid, spawner.answers) == (4711, [])
    program.close()


def test_C12_an_heir_gets_what_has_started_at_the_moment_of_leaving(spawner: Spawner) -> None:
    inherited: list[Program] = []
    task = spawner.launch(heir=inherited.append)
    spawner.send(Started(spawner.receive().id, 4711, 0.0))
    task.cancel()
    spawner.loop.turn(1)
    (program,) = inherited
    assert spawner.answers == []
    program.close()


@pytest.mark.parametrize("is_refused", [True, False])
def test_C12_what_does_not_start_has_no_heir(spawner: Spawner, is_refused: bool) -> None:
    inherited: list[Program] = []
    task = spawner.launch(heir=inherited.append)
    start = spawner.receive()
    task.cancel()
    spawner.loop.turn(0)
    if is_refused:
        spawner.send(Refused(start.id, Reason.CANCELLED, 0))
        spawner.loop.turn(1)
    else:
        spawner.hang_up()
    assert not spawner.channel.is_busy
    assert inherited == []


def test_who_is_refused_at_the_moment_of_leaving_leaves_nothing(spawner: Spawner) -> None:
    task = spawner.launch(heir=lambda _: None)
    spawner.send(Refused(spawner.receive().id, Reason.QUEUE_FULL, 0))
    task.cancel()
    spawner.loop.turn(1)
    assert not spawner.channel.is_busy


def test_what_was_not_sent_yet_when_its_asker_leaves_is_never_sent(spawner: Spawner) -> None:
    """Its spool is closed by then, and the number may be another file's."""
    tasks = [spawner.launch(LONG) for _ in range(20)]
    tasks[-1].cancel()
    spawner.loop.turn(0)
    ids = []
    while spawner.channel.is_busy:
        ids.append(spawner.receive().id)
        spawner.send(Refused(ids[-1], Reason.QUEUE_FULL, 0))
        spawner.loop.turn(1)
    assert ids == list(range(1, 20))


def test_what_finds_no_room_is_sent_when_there_is_some(spawner: Spawner) -> None:
    for _ in range(20):
        spawner.launch(LONG)
    ids = []
    for _ in range(20):
        ids.append(spawner.receive().id)
        spawner.loop.turn(0)
    assert ids == list(range(1, 21))
    spawner.loop.turn(0)


def test_a_spawner_that_is_lost_is_the_answer(spawner: Spawner) -> None:
    spawner.launch()
    spawner.receive()
    spawner.hang_up()
    assert spawner.answers == [None]
    assert not spawner.channel.is_busy


@pytest.mark.parametrize(
    ("data", "pipes"),
    [
        (encode(Started(1, 4711, 0.0)), 0),
        (encode(Started(1, 4711, 0.0)), 1),
        (encode(Started(1, 4711, 0.0)), 4),
        (encode(Refused(1, Reason.QUEUE_FULL, 0)), 1),
        (encode(Exited(1, 0, 0.0, 0.0, 0, 0.0)), 2),
        (encode(Kill(1, How.NOW)), 1),
        (b"nothing of ours", 2),
        (b"", 1),
    ],
    ids=["no pipe", "one pipe", "four", "refused", "exited", "no answer", "no message", "the end"],
)
def test_a_spawner_that_sends_no_answer_is_lost_and_its_descriptors_are_closed(
    spawner: Spawner, data: bytes, pipes: int
) -> None:
    """It runs as the pool's user, whose programs could make it say anything."""
    spawner.launch()
    spawner.receive()
    spawner.send_raw(data, pipes=pipes)
    spawner.loop.turn(1)
    spawner.loop.turn(0)
    assert spawner.answers == [None]
    assert not spawner.has_readers()
