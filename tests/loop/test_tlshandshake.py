"""Handshakes over real sockets, good ones and bad ones.

Each promise is kept by OpenSSL in memory, by OpenSSL on the socket, and by the kernel.
"""

import contextlib
import os
import socket
import ssl
import struct
import tempfile

import pytest

from forkhttpd.loop import (
    DeadlineExceeded,
    Disconnected,
    HandshakeFailed,
    KernelTLSStream,
    NotEncrypted,
)
from tests.loop.tlsline import PATIENCE, Line, failure, listen


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
