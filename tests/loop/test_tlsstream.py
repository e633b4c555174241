"""Encrypted streams over real sockets: bytes in and out, files, and the end.

Each promise is kept by OpenSSL in memory, by OpenSSL on the socket, and by the kernel.
"""

import contextlib
import os
import socket
import ssl
import tempfile

import pytest

from forkhttpd.loop import ASLEEP, AWAKE, DeadlineExceeded, Disconnected
from tests.loop.tlsline import PATIENCE, Line, failure, listen


def test_records_that_arrive_byte_by_byte_are_read_whole(line: Line) -> None:
    got = bytearray()
    listen(line, got)
    for byte in line.say(b"first") + line.say(b"second"):
        line.socket.sendall(bytes([byte]))
        line.loop.turn(0.0)
    line.turn_until(lambda: got == b"firstsecond")


def test_nothing_stays_inside_openssl_when_no_edge_comes_any_more(line: Line) -> None:
    content = os.urandom(3 << 20)
    encrypted = memoryview(line.say(content))
    got = bytearray()
    listen(line, got)

    def send_some() -> bool:
        nonlocal encrypted
        with contextlib.suppress(BlockingIOError):
            encrypted = encrypted[line.socket.send(encrypted) :]
        return len(got) == len(content)

    line.turn_until(send_some)
    assert got == content


@pytest.mark.parametrize("sizes", [[16384], [9000], [100, 9000], [4070, 5000], [1] * 500])
def test_who_glances_first_loses_nothing_of_what_has_one_edge(line: Line, sizes: list[int]) -> None:
    """As the short way of a request does: it looks, and gives back what it does not know."""
    got = bytearray()

    def glance() -> float:
        data = line.stream.receive_now()
        if data is None:
            return ASLEEP
        line.stream.give_back(data)
        return AWAKE

    async def body() -> None:
        while data := await line.stream.receive_unless(glance, line.loop.now + PATIENCE):
            got.extend(data)

    line.run(body())
    line.loop.turn(0.0)
    line.socket.sendall(b"".join(line.say(bytes(size)) for size in sizes))
    line.turn_until(lambda: len(got) == sum(sizes))


def test_send_waits_for_a_slow_reader_and_sends_everything(line: Line) -> None:
    content = os.urandom(4 << 20)

    async def body() -> None:
        await line.stream.send(content, PATIENCE)
        await line.stream.finish(PATIENCE, PATIENCE)

    line.run(body())
    line.turn_until(line.hear)
    assert line.got == content
    assert line.ended == "closed"


def test_requests_are_read_while_the_answer_finds_no_room(line: Line) -> None:
    content, body, got = os.urandom(8 << 20), os.urandom(200_000), bytearray()
    assert not line.stream.send_now(content)
    assert line.stream.is_sending
    listen(line, got)
    encrypted = memoryview(line.say(body))

    def send_some() -> bool:
        nonlocal encrypted
        with contextlib.suppress(BlockingIOError):
            encrypted = encrypted[line.socket.send(encrypted) :]
        return got == body

    line.turn_until(send_some)
    line.run(line.stream.flush(PATIENCE))
    line.turn_until(lambda: line.hear() or len(line.got) == len(content))
    assert line.got == content
    assert not line.stream.is_sending


def test_send_to_a_reader_that_takes_nothing_ends_at_the_deadline(line: Line) -> None:
    raised = failure(line, line.stream.send(bytes(32 << 20), 0.05))
    line.turn_until(lambda: raised)
    assert isinstance(raised[0], DeadlineExceeded)


def test_send_file_sends_exactly_the_slice_behind_its_head(line: Line) -> None:
    content = os.urandom(1 << 20)
    length = len(content) - 3000
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()

        async def body() -> None:
            await line.stream.send(b"head", PATIENCE, flags=socket.MSG_MORE)
            sent = 0
            while sent < length:
                sent += await line.stream.send_file(
                    file.fileno(), 1000 + sent, length - sent, PATIENCE
                )
            await line.stream.finish(PATIENCE, PATIENCE)

        line.run(body())
        line.turn_until(line.hear)
    assert line.got == b"head" + content[1000 : 1000 + length]


def test_a_file_goes_out_at_once_where_nothing_has_to_be_done_for_it(line: Line) -> None:
    """As the short way of a request does it: what finds no room is left for later."""
    content = os.urandom(8 << 20)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        assert line.stream.send_now(b"head", socket.MSG_MORE)
        sent = line.stream.send_file_now(file.fileno(), 0, len(content))
        assert (sent > 0) == (line.encryption == "kernel")

        async def body() -> None:
            done = sent
            while done < len(content):
                left = len(content) - done
                done += await line.stream.send_file(file.fileno(), done, left, PATIENCE)

        line.run(body())
        line.turn_until(lambda: line.hear() or len(line.got) == len(content) + 4)
    assert line.got == b"head" + content


def test_S9_send_file_of_a_file_that_ends_early_says_so(line: Line) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"short")
        file.flush()

        async def body() -> None:
            assert await line.stream.send_file(file.fileno(), 0, 10, PATIENCE) == 5
            await line.stream.send_file(file.fileno(), 5, 5, PATIENCE)

        raised = failure(line, body())
        line.turn_until(lambda: raised)
    assert str(raised[0]) == "5 bytes are missing"


@pytest.mark.parametrize("politely", [True, False])
def test_the_end_is_the_end_with_and_without_a_word_of_tls(line: Line, *, politely: bool) -> None:
    got = bytearray()
    task = listen(line, got)
    line.socket.sendall(line.say(b"request"))
    line.turn_until(lambda: got == b"request")
    assert not line.stream.has_left()
    if politely:
        with contextlib.suppress(ssl.SSLError):
            line.tls.unwrap()
        line.push()
    line.socket.shutdown(socket.SHUT_WR)
    line.turn_until(lambda: task.ended)
    assert line.stream.has_left()


def test_the_end_that_comes_with_what_a_taker_took_is_not_waited_for(line: Line) -> None:
    ended: list[bytes | None] = []

    def take() -> float:
        data = line.stream.receive_now()
        if data:
            return line.loop.now + PATIENCE
        line.stream.give_back(b"")
        return AWAKE

    async def body() -> None:
        while (data := await line.stream.receive_unless(take, line.loop.now + PATIENCE)) is None:
            pass
        ended.append(data)

    line.run(body())
    line.loop.turn(0.0)
    request = line.say(b"request")
    with contextlib.suppress(ssl.SSLError):
        line.tls.unwrap()
    line.socket.sendall(request + line.outgoing.read())
    line.turn_until(lambda: ended)
    assert ended == [b""]


def test_has_left_reads_the_last_words_that_nobody_waits_for(line: Line) -> None:
    """A browser whose tab is closed says so in TLS, and then there is a FIN."""
    assert not line.stream.has_left()
    with contextlib.suppress(ssl.SSLError):
        line.tls.unwrap()
    line.push()
    line.socket.shutdown(socket.SHUT_WR)
    line.turn_until(line.stream.has_left)


def test_a_request_before_the_last_words_is_still_there_to_be_read(line: Line) -> None:
    line.socket.sendall(line.say(b"last request"))
    with contextlib.suppress(ssl.SSLError):
        line.tls.unwrap()
    line.push()
    line.socket.shutdown(socket.SHUT_WR)
    for _ in range(5):
        line.loop.turn(0.01)
        assert not line.stream.has_left()
    got = bytearray()
    task = listen(line, got)
    line.turn_until(lambda: task.ended)
    assert got == b"last request"


def test_a_record_that_was_tampered_with_ends_the_connection(line: Line) -> None:
    record = bytearray(line.say(b"pay 1"))
    record[-1] ^= 1
    line.socket.sendall(record)
    raised = failure(line, line.stream.receive(line.loop.now + PATIENCE))
    line.turn_until(lambda: raised)
    assert isinstance(raised[0], Disconnected)
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        line.hear()
