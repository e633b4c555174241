"""Encrypted streams over real sockets; the client is OpenSSL in memory, so that it can be rude.

Each promise is kept by OpenSSL in memory, by OpenSSL on the socket, and by the kernel.
"""

import contextlib
import os
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from forkhttpd import kerneltls
from forkhttpd.loop import (
    ASLEEP,
    AWAKE,
    DeadlineExceeded,
    Disconnected,
    HandshakeFailed,
    KernelTLSStream,
    Loop,
    NotEncrypted,
    Task,
    TLSStream,
)
from tests.tls.authority import Pair, make_pair

PATIENCE = 60.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("certificates"), "one", "localhost")


class Line:
    """A served stream and its client: a socket, and what encrypts and decrypts for it.

    encryption: whose it is, "memory", "socket" or "kernel".
    """

    def __init__(self, pair: Pair, encryption: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        obstacle = kerneltls.use_kernel(context, wanted=encryption == "kernel")
        if obstacle and encryption == "kernel":
            pytest.skip(f"no kernel TLS: {obstacle}")
        self.encryption = encryption
        self._pair = pair
        self.failures: list[Exception] = []
        self.loop = Loop(report=self.failures.append)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.socket = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
            served, _ = listener.accept()
        served.setblocking(False)
        served.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as our listeners have it
        self.socket.setblocking(False)
        kind = TLSStream if encryption == "memory" else KernelTLSStream
        self.stream = kind(self.loop, served, context)
        self._incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = pair.client().wrap_bio(
            self._incoming, self.outgoing, server_hostname="localhost"
        )
        self.got = bytearray()
        self.ended = ""  # how the server has ended it: "closed" in TLS, or only "cut"

    def use_tls_1_2(self, cipher: str) -> None:
        """Let the client speak nothing else."""
        context = self._pair.client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        self.tls = context.wrap_bio(self._incoming, self.outgoing, server_hostname="localhost")

    def run(self, body: Coroutine[Any, Any, None]) -> Task:
        return self.loop.spawn(body)

    def turn_until(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, "not in time"
            self.loop.turn(0.02)
        assert self.failures == []

    def shake_hands(self) -> None:
        """Let both ends agree."""

        async def body() -> None:
            await self.stream.handshake(self.loop.now + PATIENCE)

        task = self.run(body())
        self.turn_until(lambda: self._has_shaken() and task.ended)

    def _has_shaken(self) -> bool:
        done = False
        self.pull()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
            done = True
        self.push()
        return done

    def pull(self) -> None:
        """Take in what the server has sent."""
        with contextlib.suppress(BlockingIOError):
            data = self.socket.recv(1 << 20)
            self._incoming.write(data) if data else self._incoming.write_eof()

    def push(self) -> None:
        """Send what the client has to say."""
        while data := self.outgoing.read(1 << 16):
            self.socket.sendall(data)

    def say(self, data: bytes) -> bytes:
        """Return some bytes, encrypted."""
        for start in range(0, len(data), 1 << 14):
            self.tls.write(data[start : start + (1 << 14)])
        return self.outgoing.read()

    def hear(self) -> bool:
        """Decrypt what has come into `got`; whether the server has ended it."""
        self.pull()
        try:
            while data := self.tls.read(1 << 16):
                self.got += data
            self.ended = "closed"
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            self.ended = "cut"
        return bool(self.ended)

    def close(self) -> None:
        self.stream.close()
        self.socket.close()
        self.loop.close()


@pytest.fixture(params=["memory", "socket", "kernel"])
def raw(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Line]:
    """A line before its handshake."""
    with contextlib.closing(Line(pair, request.param)) as line:
        yield line


@pytest.fixture
def line(raw: Line) -> Line:
    raw.shake_hands()
    return raw


def listen(line: Line, into: bytearray) -> Task:
    """Receive until the end."""

    async def body() -> None:
        while data := await line.stream.receive(line.loop.now + PATIENCE):
            into.extend(data)

    return line.run(body())


def failure(line: Line, body: Coroutine[Any, Any, object]) -> list[Exception]:
    """Return the list that what the body raises will be in."""
    raised: list[Exception] = []

    async def caught() -> None:
        try:
            await body
        except Exception as error:
            raised.append(error)

    line.run(caught())
    return raised


def test_what_was_agreed_on_can_be_asked(line: Line) -> None:
    assert line.stream.protocol == "TLSv1.3"
    assert line.stream.cipher == line.tls.cipher()[0]  # type: ignore[index]


def test_a_handshake_that_comes_byte_by_byte_is_one(raw: Line) -> None:
    task = raw.run(raw.stream.handshake(raw.loop.now + PATIENCE))
    rest = bytearray()

    def agreed() -> bool:
        raw.pull()
        with contextlib.suppress(ssl.SSLWantReadError):
            raw.tls.do_handshake()
        rest.extend(raw.outgoing.read())
        if rest:
            raw.socket.sendall(rest[:1])
            del rest[:1]
        return task.ended

    raw.turn_until(agreed)
    assert raw.failures == []
    assert raw.stream.send_now(b"at last")
    raw.turn_until(lambda: raw.hear() or raw.got == b"at last")


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"])
def test_who_encrypts_depends_on_the_cipher_and_nothing_else_does(raw: Line, cipher: str) -> None:
    """The kernel knows no CBC: such a connection is encrypted by OpenSSL."""
    raw.use_tls_1_2(cipher)
    raw.shake_hands()
    assert (raw.stream.protocol, raw.stream.cipher) == ("TLSv1.2", cipher)
    if isinstance(raw.stream, KernelTLSStream):
        assert raw.stream.is_in_kernel == (raw.encryption == "kernel" and "GCM" in cipher)
    got = bytearray()
    listen(raw, got)
    raw.socket.sendall(raw.say(b"request"))
    raw.turn_until(lambda: got == b"request")
    content = os.urandom(1 << 20)
    raw.run(raw.stream.send(content, PATIENCE))
    raw.turn_until(lambda: raw.hear() or len(raw.got) == len(content))
    assert raw.got == content


def test_what_comes_right_behind_the_handshake_is_not_lost(raw: Line) -> None:
    got = bytearray()

    async def body() -> None:
        await raw.stream.handshake(raw.loop.now + PATIENCE)
        got.extend(await raw.stream.receive(raw.loop.now + PATIENCE))

    task = raw.run(body())
    with contextlib.suppress(ssl.SSLWantReadError):
        raw.tls.do_handshake()
    raw.push()

    def answered() -> bool:
        raw.pull()
        with contextlib.suppress(ssl.SSLWantReadError):
            raw.tls.do_handshake()
            return True
        return False

    raw.turn_until(answered)
    finished = raw.outgoing.read()
    raw.socket.sendall(finished + raw.say(b"GET"))
    raw.turn_until(lambda: task.ended)
    assert got == b"GET"


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


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1\r\n", b"OPTIONS * HTTP/1.1\r\n"])
def test_plain_http_is_recognized_and_can_be_answered(raw: Line, request_line: bytes) -> None:
    raw.socket.sendall(request_line)
    raised = failure(raw, raw.stream.handshake(raw.loop.now + PATIENCE))
    raw.turn_until(lambda: raised)
    assert isinstance(raised[0], NotEncrypted)
    assert raw.stream.wire.send_now(b"plain")
    assert raw.socket.recv(10) == b"plain"


def test_garbage_is_answered_with_an_alert(raw: Line) -> None:
    raw.socket.sendall(b"\x16\x03\x01\x00\x05nonse")
    raised = failure(raw, raw.stream.handshake(raw.loop.now + PATIENCE))
    raw.turn_until(lambda: raised)
    assert isinstance(raised[0], HandshakeFailed)
    assert raw.socket.recv(10)[:1] == b"\x15"  # an alert, RFC 8446 §5.1


@pytest.mark.parametrize("begun", [True, False])
def test_half_a_handshake_ends_at_its_deadline(raw: Line, *, begun: bool) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        raw.tls.do_handshake()
    hello = raw.outgoing.read()
    raw.socket.sendall(hello[: len(hello) // 2] if begun else b"")
    raised = failure(raw, raw.stream.handshake(raw.loop.now + 0.05))
    raw.turn_until(lambda: raised)
    assert isinstance(raised[0], DeadlineExceeded)


def test_a_client_that_leaves_in_the_handshake_is_a_disconnect(raw: Line) -> None:
    raised = failure(raw, raw.stream.handshake(raw.loop.now + PATIENCE))
    raw.socket.close()
    raw.turn_until(lambda: raised)
    assert isinstance(raised[0], Disconnected)


def test_a_client_that_resets_behind_its_hello_costs_nobody_a_descriptor(raw: Line) -> None:
    """OpenSSL's socket of it closes the descriptor, whose number may soon be another's."""
    with contextlib.suppress(ssl.SSLWantReadError):
        raw.tls.do_handshake()
    raw.push()
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.socket.close()
    raised = failure(raw, raw.stream.handshake(raw.loop.now + PATIENCE))
    raw.turn_until(lambda: raised)
    assert isinstance(raised[0], Disconnected)
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        raw.stream.close()
        assert os.fstat(first.fileno()) != os.fstat(second.fileno())
