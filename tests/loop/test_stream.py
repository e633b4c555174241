"""Streams over real sockets on this machine."""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from forkhttpd.loop import DeadlineExceeded, Disconnected, Loop, Stream, Task

PATIENCE = 5.0


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
