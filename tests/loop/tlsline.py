"""An encrypted stream and its client, which is OpenSSL in memory, so that it can be rude."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from forkhttpd import kerneltls
from forkhttpd.loop import KernelTLSStream, Loop, Task, TLSStream
from tests.tls.authority import Pair

PATIENCE = 60.0


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
