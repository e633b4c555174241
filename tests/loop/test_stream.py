"""Streams over real sockets on this machine."""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from forkhttpd.loop import ASLEEP, AWAKE, DeadlineExceeded, Disconnected, Loop, Stream, Task
from forkhttpd.loop.stream import GLANCE_SIZE, READ_SIZE

PATIENCE = 60.0


class Line:
    """A served socket and its client's end."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.loop = Loop(report=self.failures.append)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
            served, _ = listener.accept()
        served.setblocking(False)
        self.stream = Stream(self.loop, served)

    def run(self, body: Coroutine[Any, Any, None]) -> Task:
        return self.loop.spawn(body)

    def turn_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, "not in time"
            self.loop.turn(0.05)
        assert self.failures == []


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.stream.close()
    line.client.close()
    line.loop.close()


def test_receive_returns_what_came_and_then_the_end(line: Line) -> None:
    got: list[bytes] = []

    async def body() -> None:
        while data := await line.stream.receive(line.loop.now + PATIENCE):
            got.append(data)

    task = line.run(body())
    line.client.sendall(b"one")
    line.turn_until(lambda: got == [b"one"])
    line.client.sendall(b"two")
    line.client.close()
    line.turn_until(lambda: task.ended)
    assert got == [b"one", b"two"]


def test_receive_ends_at_its_deadline(line: Line) -> None:
    seen: list[str] = []

    async def body() -> None:
        try:
            await line.stream.receive(line.loop.now + 0.05)
        except DeadlineExceeded:
            seen.append("late")

    task = line.run(body())
    line.turn_until(lambda: task.ended)
    assert seen == ["late"]


def test_send_waits_for_a_slow_reader_and_sends_everything(line: Line) -> None:
    content = os.urandom(8 << 20)

    async def body() -> None:
        await line.stream.send(content, PATIENCE)
        line.stream.close()

    task = line.run(body())
    got = bytearray()
    line.client.setblocking(False)

    def read_some() -> bool:
        with contextlib.suppress(BlockingIOError):
            got.extend(line.client.recv(1 << 20))
        return task.ended and len(got) == len(content)

    line.turn_until(read_some)
    assert got == content


def test_send_to_a_reader_that_takes_nothing_ends_at_the_deadline(line: Line) -> None:
    seen: list[str] = []

    async def body() -> None:
        try:
            await line.stream.send(bytes(64 << 20), 0.05)
        except DeadlineExceeded:
            seen.append("late")

    task = line.run(body())
    line.turn_until(lambda: task.ended)
    assert seen == ["late"]


def test_send_file_sends_exactly_the_slice(line: Line) -> None:
    content = os.urandom(3 << 20)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        length = len(content) - 3000

        async def body() -> None:
            sent = 0
            while sent < length:
                sent += await line.stream.send_file(
                    file.fileno(), 1000 + sent, length - sent, PATIENCE
                )
            line.stream.close()

        task = line.run(body())
        got = bytearray()
        line.client.setblocking(False)

        def read_some() -> bool:
            with contextlib.suppress(BlockingIOError):
                got.extend(line.client.recv(1 << 20))
            return task.ended and len(got) == length

        line.turn_until(read_some)
    assert got == content[1000 : 1000 + length]


def test_S9_send_file_of_a_file_that_ends_early_says_so(line: Line) -> None:
    seen: list[str] = []
    with tempfile.TemporaryFile() as file:
        file.write(b"short")
        file.flush()

        async def body() -> None:
            try:
                assert await line.stream.send_file(file.fileno(), 0, 10, PATIENCE) == 5
                await line.stream.send_file(file.fileno(), 5, 5, PATIENCE)
            except EOFError as error:
                seen.append(str(error))

        task = line.run(body())
        line.turn_until(lambda: task.ended)
    assert seen == ["5 bytes are missing"]


def test_a_file_that_cannot_be_read_is_no_client_that_has_left(line: Line) -> None:
    """A directory stands for a file on a broken disk: it opens, and read(2) fails."""

    async def body(fd: int) -> None:
        assert line.stream.send_file_now(fd, 0, 10) == 0
        with pytest.raises(IsADirectoryError):
            await line.stream.send_file(fd, 0, 10, PATIENCE)
        os.close(fd)

    task = line.run(body(os.open("/", os.O_RDONLY)))
    line.turn_until(lambda: task.ended)


def test_a_reset_is_told_from_a_half_close(line: Line) -> None:
    hangups: list[str] = []
    port = line.stream.port
    port.on_hangup = lambda: hangups.append("reset" if line.stream.is_reset() else "half")
    port.watch()
    line.client.shutdown(socket.SHUT_WR)
    line.turn_until(lambda: hangups == ["half"])
    assert line.stream.has_left()
    line.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.client.close()
    line.turn_until(lambda: "reset" in hangups)


def test_a_client_with_something_left_to_read_has_not_left(line: Line) -> None:
    line.client.sendall(b"next request")
    line.client.shutdown(socket.SHUT_WR)
    line.turn_until(lambda: not line.stream.has_left())
    assert line.stream.has_finished()


def test_who_sends_nothing_just_now_has_not_finished(line: Line) -> None:
    assert not line.stream.has_finished()
    line.client.sendall(b"half")
    assert not line.stream.has_finished()


def test_writing_to_nobody_is_a_disconnect(line: Line) -> None:
    seen: list[str] = []
    line.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.client.close()

    async def body() -> None:
        try:
            while True:
                await line.stream.send(b"anybody?", PATIENCE)
        except Disconnected:
            seen.append("gone")

    task = line.run(body())
    line.turn_until(lambda: task.ended)
    assert seen == ["gone"]


def test_finish_lets_the_client_read_the_answer_though_its_input_was_not(line: Line) -> None:
    """Closing with unread input would reset the connection under the answer."""
    line.client.sendall(bytes(100_000))

    async def body() -> None:
        await line.stream.send(b"answer", PATIENCE)
        await line.stream.finish(PATIENCE, PATIENCE)
        line.stream.close()

    task = line.run(body())
    got = bytearray()
    line.client.setblocking(False)

    def read_some() -> bool:
        try:
            data = line.client.recv(100)
        except BlockingIOError:
            return False
        got.extend(data)
        return not data

    line.turn_until(read_some)
    line.client.shutdown(socket.SHUT_WR)
    line.turn_until(lambda: task.ended)
    assert got == b"answer"


def test_abort_resets(line: Line) -> None:
    line.stream.abort()
    with pytest.raises(ConnectionResetError):
        line.client.recv(1)


def test_a_taker_spares_the_task_the_waking_and_moves_its_deadline(line: Line) -> None:
    stream, taken, got = line.stream, list[bytes | None](), list[bytes | None]()

    def take() -> float:
        data = stream.receive_now()
        taken.append(data)
        if data is None:
            return ASLEEP
        if data.startswith(b"known"):
            return line.loop.now + PATIENCE
        stream.give_back(data)
        return AWAKE

    async def body() -> None:
        while not got or got[-1]:
            got.append(await stream.receive_unless(take, line.loop.now + 0.5))

    task = line.run(body())
    line.turn_until(lambda: taken == [None])
    line.client.sendall(b"known")
    line.turn_until(lambda: len(taken) == 2)
    assert got == []
    assert task.deadline > line.loop.now + 1
    line.client.sendall(b"other")
    line.turn_until(lambda: got == [b"other"])
    line.client.close()
    line.turn_until(lambda: task.ended)
    assert got == [b"other", b""]


def test_a_taker_that_finds_nothing_leaves_the_deadline(line: Line) -> None:
    """As TLS does, of whose record a part has come; a client could go on so for ever."""
    stream, taken, ended = line.stream, list[bytes | None](), list[str]()

    def take() -> float:
        taken.append(stream.receive_now())
        return ASLEEP

    async def body() -> None:
        try:
            await stream.receive_unless(take, line.loop.now + 0.3)
        except DeadlineExceeded:
            ended.append("late")

    line.run(body())
    line.turn_until(lambda: taken == [None])
    line.client.sendall(b"x")
    line.turn_until(lambda: taken == [None, b"x"])
    line.turn_until(lambda: ended == ["late"])


def test_more_than_a_glance_is_left_for_the_next(line: Line) -> None:
    line.client.sendall(b"x" * (GLANCE_SIZE + 1))
    seen: list[bytes] = []

    def look() -> bool:
        data = line.stream.receive_now()
        seen.append(data or b"")
        return sum(map(len, seen)) == GLANCE_SIZE + 1

    line.turn_until(look)
    assert max(map(len, seen)) <= GLANCE_SIZE
    assert not line.stream.port.can_read
    assert line.stream.receive_now() is None


def test_who_said_that_it_was_the_last_is_not_waited_for(line: Line) -> None:
    ended: list[str] = []

    async def body() -> None:
        await line.stream.receive(line.loop.now + PATIENCE)
        await line.stream.finish(PATIENCE, PATIENCE, is_last=True)
        ended.append("at once")
        line.stream.close()

    line.client.sendall(b"the last")
    line.run(body())
    line.turn_until(lambda: ended == ["at once"])
    assert line.client.recv(10) == b""


def test_M6_unread_input_is_waited_for_all_the_same(line: Line) -> None:
    """Closed upon it, the connection would be reset, and the answer lost."""
    ended: list[str] = []

    async def body() -> None:
        await line.stream.receive(line.loop.now + PATIENCE)
        await line.stream.send(b"answer", PATIENCE)
        await line.stream.finish(PATIENCE, PATIENCE, is_last=True)
        ended.append("when it was read")
        line.stream.close()

    line.client.sendall(b"x" * (READ_SIZE + 100_000))
    line.run(body())
    line.turn_until(lambda: not line.loop.ready)
    assert ended == []
    line.client.shutdown(socket.SHUT_WR)
    line.turn_until(lambda: bool(ended))
    assert line.client.recv(100) == b"answer"
    assert line.client.recv(100) == b""
