"""Bytes in and out of a connected socket, encrypted (TLS): the same interface as a `Stream`.

OpenSSL never sees the socket.  It turns bytes into other bytes in memory, and the encrypted ones
travel through a plain `Stream`, whose rules for edges, deadlines and fairness hold unchanged: what
arrived is decrypted at once and whole, so nothing can lie in OpenSSL that no edge will tell of.

Facts
    * OpenSSL on the socket itself reads a record in two calls (five bytes, then the rest), and
      writes one record of at most 16 KiB per call.  In memory a request costs one recv and one
      send, as without TLS, and 3 µs of CPU for both directions (1 KB, AES-GCM).
    * Encrypting 10 MB takes 5.0 to 5.7 ms in pieces of 16 to 256 KiB; with pieces of 1 MiB, which
      fall out of the processor's cache, 9.5 ms.
    * A memory BIO never shrinks: it stays as large as the most that was ever in it.  With pieces
      of 128 KiB in it an idle connection that had got a file held 138 KiB, now it holds 25 KiB,
      and 19 KiB, nearly all of it OpenSSL's, if it had got nothing large.

Decision
    One record at a time goes through the BIOs, so that they stay at 22 KiB each however much is
    sent, and a piece of 128 KiB, eight records, goes into one send.

Kernel TLS, and with it sendfile(2), needs OpenSSL on the socket: that is `KernelTLSStream`.
"""

import os
import socket
import ssl
from contextlib import suppress

from forkhttpd.loop.kernel import AWAKE, Loop, Taker
from forkhttpd.loop.stream import GLANCE_SIZE, READ_SIZE, Disconnected, Stream

_RECORD = 16384  # bytes in the largest record, RFC 8446 §5.1
_PIECE = 8 * _RECORD  # of a file, per send
_MORE = int(socket.MSG_MORE)  # without its name: an enum's `&` costs 1 µs
_MOST_GLANCES = READ_SIZE // GLANCE_SIZE  # at what has arrived, more than a record takes
_MOST_ANSWERS = 4096  # bytes that OpenSSL may have to say by itself to who does not listen


class HandshakeFailed(Exception):
    """The client and we do not come together; the text is OpenSSL's reason."""


class NotEncrypted(Exception):
    """The client speaks plain HTTP; it can be answered over `TLSStream.wire`."""


class TLSStream:
    """A connected, non-blocking stream socket that TLS is spoken on; we are the server.

    Nothing but `handshake` may come first.
    """

    __slots__ = (
        "_ended",
        "_held",
        "_incoming",
        "_loop",
        "_outgoing",
        "_received",
        "_returned",
        "_tls",
        "port",
        "wire",
    )

    def __init__(self, loop: Loop, connected: socket.SocketType, context: ssl.SSLContext) -> None:
        self.wire = Stream(loop, connected)
        self.port = self.wire.port
        self._loop = loop
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._received = b""  # decrypted before somebody asked for it
        self._held = b""  # to share a record with what is sent next
        self._returned: bytes | None = None
        self._ended = False  # the peer has said that nothing more comes

    @property
    def protocol(self) -> str:
        """The version that was agreed on, as in "TLSv1.3"."""
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        """The cipher suite that was agreed on, by OpenSSL's name."""
        cipher = self._tls.cipher()
        return cipher[0] if cipher else ""

    @property
    def server_name(self) -> str:
        """The name that the client asked for (SNI), "" if it named none."""
        return getattr(self._tls, "server_name", "")

    async def handshake(self, deadline: float) -> None:
        """Agree with the client on keys.

        Raises HandshakeFailed (after the client was told), NotEncrypted, DeadlineExceeded,
        Disconnected.
        """
        data = await self._receive_hello(deadline)
        while not self._accept(data):
            await self._send_answers(deadline)
            data = await self.wire.receive(deadline)
            if not data:
                raise Disconnected
        await self._send_answers(deadline)
        self._received = self._decrypt(b"")  # what the client sent right behind its handshake

    async def receive(self, deadline: float) -> bytes:
        """Return what has arrived, b"" at the end of the stream; see `Stream`.

        An end without a word of TLS is an end, too: many clients leave so, and a message that was
        cut short shows by its framing.
        """
        data, self._received = self._received, b""
        while not data and not self._ended:
            encrypted = await self.wire.receive(deadline)
            if not encrypted:
                return b""
            data = self._decrypt(encrypted)
        return data

    async def receive_unless(self, taker: Taker, deadline: float) -> bytes | None:
        """Receive what a taker has not taken; see `Stream`.

        After what it took may come more that no edge will tell of, like the end that TLS says.
        """

        def take() -> float:
            until = taker()
            return AWAKE if self._ended or self.port.can_read else until

        while self._returned is None:
            if not self._received and not self._ended:
                await self.port.readable(deadline, take)
            if self._returned is None and taker() > AWAKE:
                return None
        data, self._returned = self._returned, None
        return data

    def receive_now(self) -> bytes | None:
        """Return what has arrived, None when that is nothing whole; see `Stream`.

        The wire is read until it is empty: what is left there of a record has no edge of its own.
        """
        data, self._received = self._received, b""
        if data:
            return data
        for _ in range(_MOST_GLANCES):
            encrypted = b"" if self._ended else self.wire.receive_now()
            if not encrypted:
                return data or encrypted
            try:
                data += self._decrypt(encrypted)
            except Disconnected:
                return data
            if not self.port.can_read and not self._ended:
                return data or None
        return data  # nothing of so much: whoever sends only empty records has nothing to say

    def give_back(self, data: bytes) -> None:
        """Have the next `receive_unless` return what was not used; see `Stream`."""
        self._returned = data

    @property
    def is_sending(self) -> bool:
        """Whether there is a rest that waits to be flushed."""
        return self.wire.is_sending

    async def send(self, data: bytes, patience: float, *, flags: int = 0) -> None:
        """Send all of it; see `Stream`."""
        if not self.send_now(data, flags):
            await self.wire.flush(patience)

    def send_now(self, data: bytes | memoryview, flags: int = 0) -> bool:
        """Send without waiting, return whether that was all; see `Stream`."""
        if flags & _MORE:
            self._held += data
            return True
        if self._held:
            data, self._held = self._held + data, b""
        return self.wire.send_now(self._encrypt(data))

    async def flush(self, patience: float) -> None:
        """Send what `send_now` has left; see `Stream`."""
        await self.wire.flush(patience)

    async def send_file(self, fd: int, start: int, length: int, patience: float) -> int:
        """Send some of a file; return how much; see `Stream`."""
        data = read_piece(fd, start, length)
        await self.send(data, patience)
        if len(data) == _PIECE:
            await self._loop.yield_turn()
        return len(data)

    def send_file_now(self, fd: int, start: int, length: int) -> int:
        """Send nothing: what has to be encrypted is more than a moment's work; see `Stream`."""
        del fd, start, length
        return 0

    def has_left(self) -> bool:
        """Whether the peer has closed its side and nothing of it is left to read.

        Its last words are of TLS, and it takes TLS to tell them from a request.
        """
        if not self._received and not self._ended:
            data = self.receive_now()
            if data == b"":
                return True
            self._received = data or b""
        return self._ended and not self._received

    def has_finished(self) -> bool:
        """Whether the peer sends no more; see `Stream`."""
        return self.wire.has_finished()

    def is_reset(self) -> bool:
        """Whether the connection is torn down; see `Stream`."""
        return self.wire.is_reset()

    async def finish(self, patience: float, longest: float, *, is_last: bool = False) -> None:
        """Say that nothing more comes, in TLS (RFC 8446 §6.1) and below; see `Stream`.

        Raises Disconnected, DeadlineExceeded.
        """
        with suppress(ssl.SSLError):  # it would wait for the peer to say the same
            self._tls.unwrap()
        await self._send_answers(self._loop.now + patience)
        await self.wire.finish(patience, longest, is_last=is_last)

    def abort(self) -> None:
        """Close by a reset; see `Stream`."""
        self.wire.abort()

    def close(self) -> None:
        """Close; a second call does nothing."""
        self.wire.close()

    async def _receive_hello(self, deadline: float) -> bytes:
        data = await self.wire.receive(deadline)
        if not data:
            raise Disconnected
        if data[:1].isalpha():  # a method; a handshake begins with 22
            raise NotEncrypted
        return data

    def _accept(self, data: bytes) -> bool:
        """Take in the client's part of the handshake; return whether it is complete."""
        self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._answer()
            raise HandshakeFailed(error.reason or str(error)) from None
        return True

    def _decrypt(self, encrypted: bytes) -> bytes:
        """Return what is in the records that are complete now, b"" if none is."""
        pieces: list[bytes] = []
        try:
            for start in range(0, len(encrypted) or 1, _RECORD):
                self._incoming.write(encrypted[start : start + _RECORD])
                self._read_records(pieces)
        except ssl.SSLError as error:
            self._answer()
            raise Disconnected from error
        if self._outgoing.pending:
            self._answer()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_records(self, pieces: list[bytes]) -> None:
        # A read takes a whole record, so with the BIO empty there is nothing left to decrypt, and
        # no need to ask: an SSLWantReadError costs 1.6 µs.
        read, incoming = self._tls.read, self._incoming
        try:
            while incoming.pending and not self._ended:
                data = read(_RECORD)
                pieces.append(data)
                if not data:
                    self._ended = True
        except ssl.SSLWantReadError:  # `suppress` costs 0.4 µs
            pass

    def _encrypt(self, data: bytes | memoryview) -> bytes:
        """Return the records that hold some bytes."""
        write, read = self._tls.write, self._outgoing.read
        try:
            done = write(data if len(data) <= _RECORD else memoryview(data)[:_RECORD])
            records = [read()]
            while done < len(data):  # a client may ask for smaller records, too (RFC 6066 §4)
                done += write(memoryview(data)[done : done + _RECORD])
                records.append(read())
        except ssl.SSLError as error:
            raise Disconnected from error
        return records[0] if len(records) == 1 else b"".join(records)

    def _answer(self) -> None:
        """Send what OpenSSL says by itself: an alert, a refusal, the answer to a new key.

        Behind what is being sent it waits for what is sent next.  There is a bound to it, or a
        client that asks and never listens could fill our memory.
        """
        if not self.wire.is_sending:
            if self._outgoing.pending and not self.wire.send_now(self._outgoing.read()):
                raise Disconnected
        elif self._outgoing.pending > _MOST_ANSWERS:
            raise Disconnected

    async def _send_answers(self, deadline: float) -> None:
        if self._outgoing.pending:
            await self.wire.send(self._outgoing.read(), deadline - self._loop.now)


def read_piece(fd: int, start: int, length: int) -> bytes:
    """Return some of a file, as much as is good to encrypt at once.  Raises EOFError, OSError."""
    data = os.pread(fd, min(length, _PIECE), start)
    if not data:
        raise EOFError(f"{length} bytes are missing")
    return data
