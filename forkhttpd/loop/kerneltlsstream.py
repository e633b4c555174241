"""Bytes in and out of a connected socket, encrypted by the kernel: the interface of a `Stream`.

OpenSSL is on the socket itself.  It shakes hands and decrypts; what is sent it leaves to the kernel
(kernel TLS), so that everything goes out as from a plain `Stream`, sendfile(2) included, and is
encrypted on its way.  Two socket objects stand for the one descriptor: OpenSSL's, and that of
`wire`, which closes it.

Facts
    * Whether the kernel has the key shows after the handshake only: it does not know each cipher,
      and OpenSSL hands it nothing over while something is unsent.  Where it has no key, OpenSSL
      encrypts, and a file is read in pieces.
    * OpenSSL reads a record in two calls, and never beyond it.  So the socket is empty when OpenSSL
      has seen it empty (SSLWantReadError), and no sooner: until then `Port.can_read` stays set, and
      nothing lies where no edge will tell of it.  A read has room for a whole record, so nothing
      stays inside of OpenSSL either.
    * A failed SSL_write must be repeated with the same bytes; one record at a time, from the start
      of the rest, is the same each time.
    * With its next write OpenSSL answers who asks for a new key of ours (RFC 8446 §4.6.3), and
      where the kernel writes there is none.  That is as well, for the kernel would not know of the
      key (before Linux 6.14 it takes no second one): such a client goes on with the first, until it
      hears of another.

`TLSStream`, in memory, is the faster one for what is small: it reads a request in one call.
"""

import socket
import ssl
from contextlib import suppress

from forkhttpd.loop.kernel import AWAKE, Loop, Taker
from forkhttpd.loop.stream import READ_SIZE, Disconnected, Stream
from forkhttpd.loop.tlsstream import HandshakeFailed, NotEncrypted, read_piece

_RECORD = 16384  # bytes in the largest record, RFC 8446 §5.1
_MORE = int(socket.MSG_MORE)
_SOL_TLS, _TLS_TX = 282, 1  # linux/socket.h and linux/tls.h
_CRYPTO_INFO_SIZE = 4  # bytes of struct tls_crypto_info: version and cipher, without the key


class KernelTLSStream:
    """A connected, non-blocking stream socket that TLS is spoken on; we are the server.

    The context has to allow it (ssl.OP_ENABLE_KTLS).  Nothing but `handshake` may come first.
    """

    __slots__ = (
        "_context",
        "_held",
        "_is_in_kernel",
        "_is_wrapped",
        "_loop",
        "_received",
        "_rest",
        "_returned",
        "_socket",
        "_tls",
        "port",
        "wire",
    )

    def __init__(self, loop: Loop, connected: socket.SocketType, context: ssl.SSLContext) -> None:
        self.wire = Stream(loop, connected)
        self.port = self.wire.port
        self._loop = loop
        self._socket = connected
        self._context = context
        self._tls: ssl.SSLSocket
        self._is_wrapped = False
        self._is_in_kernel = False
        self._received = b""  # decrypted before somebody asked for it
        self._returned: bytes | None = None
        self._held = b""  # to share a record with what is sent next
        self._rest = memoryview(b"")  # not yet encrypted by OpenSSL

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

    @property
    def is_in_kernel(self) -> bool:
        """Whether the kernel encrypts what is sent."""
        return self._is_in_kernel

    async def handshake(self, deadline: float) -> None:
        """Agree with the client on keys; raises as that of `TLSStream` does."""
        await self._await_hello(deadline)
        self._tls = self._wrap()
        self._is_wrapped = True
        while not await self._has_agreed(deadline):
            pass
        self._is_in_kernel = has_kernel_key(self._socket)

    async def receive(self, deadline: float) -> bytes:
        """Return what has arrived, b"" at the end of the stream; see `TLSStream`."""
        data, self._received = self._received, b""
        while not data:
            await self.port.readable(deadline)
            try:
                arrived = self._read()
            except OSError as error:
                raise Disconnected from error
            if arrived is not None:
                return arrived
        return data

    async def receive_unless(self, taker: Taker, deadline: float) -> bytes | None:
        """Receive what a taker has not taken; see `Stream`."""

        def take() -> float:
            until = taker()
            return AWAKE if self.port.can_read else until

        while self._returned is None:
            if not self._received:
                await self.port.readable(deadline, take)
            if self._returned is None and taker() > AWAKE:
                return None
        data, self._returned = self._returned, None
        return data

    def receive_now(self) -> bytes | None:
        """Return what has arrived, None when that is nothing whole; see `Stream`."""
        data, self._received = self._received, b""
        if data:
            return data
        try:
            return self._read()
        except OSError:
            return b""

    def give_back(self, data: bytes) -> None:
        """Have the next `receive_unless` return what was not used; see `Stream`."""
        self._returned = data

    @property
    def is_sending(self) -> bool:
        """Whether there is a rest that waits to be flushed."""
        return bool(self._rest) or self.wire.is_sending

    async def send(self, data: bytes, patience: float, *, flags: int = 0) -> None:
        """Send all of it; see `Stream`."""
        if not self.send_now(data, flags):
            await self.flush(patience)

    def send_now(self, data: bytes | memoryview, flags: int = 0) -> bool:
        """Send without waiting, return whether that was all; see `Stream`."""
        if self._is_in_kernel:
            return self.wire.send_now(data, flags)
        if flags & _MORE:
            self._held += data
            return True
        if self._held:
            data, self._held = self._held + data, b""
        self._rest = memoryview(data)
        return self._write_rest()

    async def flush(self, patience: float) -> None:
        """Send what `send_now` has left; see `Stream`."""
        if self._is_in_kernel:
            await self.wire.flush(patience)
        while self._rest:
            await self.port.writable(self._loop.now + patience)
            self._write_rest()

    async def send_file(self, fd: int, start: int, length: int, patience: float) -> int:
        """Send some of a file; return how much; see `Stream`."""
        if self._is_in_kernel:
            return await self.wire.send_file(fd, start, length, patience)
        data = read_piece(fd, start, length)
        await self.send(data, patience)
        await self._loop.yield_turn()
        return len(data)

    def send_file_now(self, fd: int, start: int, length: int) -> int:
        """Send of a file what finds room now, return how much; see `Stream`."""
        return self.wire.send_file_now(fd, start, length) if self._is_in_kernel else 0

    def has_left(self) -> bool:
        """Whether the peer has closed its side and nothing of it is left to read."""
        if not self._received:
            data = self.receive_now()
            if data == b"":
                return True
            self._received = data or b""
        return False

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
        while self._is_wrapped and not self._has_said_goodbye():
            await self.port.writable(self._loop.now + patience)
        await self.wire.finish(patience, longest, is_last=is_last)

    def abort(self) -> None:
        """Close by a reset; see `Stream`."""
        self._unwrap()
        self.wire.abort()

    def close(self) -> None:
        """Close; a second call does nothing."""
        self._unwrap()
        self.wire.close()

    async def _await_hello(self, deadline: float) -> None:
        """Wait for the client's first byte, and leave it to OpenSSL."""
        while True:
            await self.port.readable(deadline)
            try:
                first = self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                self.port.can_read = self.port.hung_up = False
                continue
            except OSError as error:
                raise Disconnected from error
            if not first:
                raise Disconnected
            if first.isalpha():  # a method; a handshake begins with 22
                raise NotEncrypted
            return

    def _wrap(self) -> ssl.SSLSocket:
        """Return OpenSSL's socket of our descriptor."""
        ours = self._socket
        twin = socket.socket(ours.family, ours.type, ours.proto, fileno=ours.fileno())
        twin.setblocking(False)
        try:
            return self._context.wrap_socket(twin, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:  # of a client that has left already
            ours.detach()  # for the descriptor was closed with the twin
            self.wire.close()
            raise Disconnected from error

    def _unwrap(self) -> None:
        if self._is_wrapped:
            self._tls.detach()

    async def _has_agreed(self, deadline: float) -> bool:
        """Go on with the handshake, after a wait for the client; whether it is complete."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.port.can_read = self.port.hung_up = False
            await self.port.readable(deadline)
            return False
        except ssl.SSLWantWriteError:
            await self.port.writable(deadline)
            return False
        except (ssl.SSLEOFError, ssl.SSLSyscallError) as error:
            raise Disconnected from error
        except ssl.SSLError as error:
            raise HandshakeFailed(error.reason or str(error)) from None
        except OSError as error:
            raise Disconnected from error
        return True

    def _read(self) -> bytes | None:
        """Return what has arrived, b"" at the end, None when that is nothing.  Raises OSError.

        OpenSSL remembers an end and a failure, so behind other data they may wait for the next
        call.  It may also have to write, and no room for that (SSLWantWriteError): a client that
        asks for something and does not take it has failed, too.
        """
        pieces: list[bytes] = []
        self.port.can_read = True
        try:
            while len(pieces) < READ_SIZE // _RECORD and (data := self._tls.recv(_RECORD)):
                pieces.append(data)
        except ssl.SSLWantReadError:
            self.port.can_read = self.port.hung_up = False
            if not pieces:
                return None
        except OSError:
            if not pieces:
                raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _write_rest(self) -> bool:
        """Let OpenSSL write for as long as there is room; whether that was all."""
        try:
            while self._rest:
                self._rest = self._rest[self._tls.send(self._rest[:_RECORD]) :]
        except ssl.SSLWantWriteError:
            return False
        except OSError as error:
            raise Disconnected from error
        return True

    def _has_said_goodbye(self) -> bool:
        """Say that nothing more comes; False when there was no room for it."""
        try:
            with suppress(ssl.SSLWantReadError):  # it would wait for the peer to say the same
                self._tls.unwrap()
        except ssl.SSLWantWriteError:
            return False
        except (OSError, ValueError):  # there is nobody to tell, or nothing was agreed on
            pass
        return True


def has_kernel_key(connected: socket.SocketType) -> bool:
    """Whether what is sent on a socket is encrypted by the kernel."""
    try:
        return bool(connected.getsockopt(_SOL_TLS, _TLS_TX, _CRYPTO_INFO_SIZE))
    except OSError:  # ENOPROTOOPT; EOPNOTSUPP of a Unix socket; EBUSY without a key
        return False
