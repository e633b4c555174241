"""Bytes in and out of a connected socket or a pipe, each wait under a deadline.

A `Stream` or `Pipe` owns its descriptor: `close` is the only close.  Reading returns b"" at the
end.  Writing to nobody raises `Disconnected`, whatever the kernel called it (EPIPE, ECONNRESET,
ETIMEDOUT …): the peer is gone, and there is nobody left to tell.
"""

import contextlib
import os
import select
import socket
import struct
from types import TracebackType
from typing import Self

from forkhttpd.loop.kernel import AWAKE, DeadlineExceeded, Loop, Port, Taker

READ_SIZE = 65536  # the most that one receive returns
GLANCE_SIZE = 4096  # the same of `receive_now`: what recv makes room for costs, 0.55 µs for 64 KiB
_SENDFILE_SIZE = 2 << 20  # per call, so that one fast client does not hold the loop
_NO_LINGER = struct.pack("ii", 1, 0)
_NOTHING = memoryview(b"")
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT


class Disconnected(Exception):
    """The peer is gone."""


class Stream:
    """A connected, non-blocking stream socket."""

    __slots__ = ("_loop", "_recv", "_rest", "_returned", "_send", "_socket", "port")

    def __init__(self, loop: Loop, connected: socket.SocketType) -> None:
        self.port = Port(loop, connected.fileno())
        self._loop = loop
        self._socket = connected
        self._recv = connected.recv
        self._send = connected.send
        self._rest = _NOTHING
        self._returned: bytes | None = None

    async def receive(self, deadline: float) -> bytes:
        """Return what has arrived, at most READ_SIZE bytes, b"" at the end of the stream.

        Raises DeadlineExceeded, Disconnected.
        """
        port = self.port
        while True:
            await port.readable(deadline)
            try:
                data = self._recv(READ_SIZE)
            except BlockingIOError:
                port.can_read = port.hung_up = False
                continue
            except OSError as error:
                raise Disconnected from error
            if len(data) < READ_SIZE:
                port.can_read = port.hung_up
            return data

    async def receive_unless(self, taker: Taker, deadline: float) -> bytes | None:
        """Receive what a taker (see `Port.readable`) has not taken; None when it took something.

        The taker reads by `receive_now` and gives back by `give_back`.  Raises as `receive` does.
        """
        while self._returned is None:
            await self.port.readable(deadline, taker)
            if self._returned is None and taker() > AWAKE:
                return None
        data, self._returned = self._returned, None
        return data

    def receive_now(self) -> bytes | None:
        """Return what has arrived, at most GLANCE_SIZE bytes, None when there is nothing.

        A connection that failed has come to its end: whoever writes to it learns the rest.
        """
        port = self.port
        try:
            data = self._recv(GLANCE_SIZE)
        except BlockingIOError:
            port.can_read = port.hung_up = False
            return None
        except OSError:
            return b""
        port.can_read = port.hung_up or len(data) == GLANCE_SIZE
        return data

    def give_back(self, data: bytes) -> None:
        """Have the next `receive_unless` return what was received and not used."""
        self._returned = data

    async def send(self, data: bytes, patience: float, *, flags: int = 0) -> None:
        """Send all of it; raises DeadlineExceeded when the peer takes nothing for `patience`.

        With socket.MSG_MORE in `flags` it may wait for what is sent next, to share a packet.
        """
        if not self.send_now(data, flags):
            await self.flush(patience, flags=flags)

    def send_now(self, data: bytes | memoryview, flags: int = 0) -> bool:
        """Send without waiting, return whether that was all; if not, `flush` sends the rest.

        Raises Disconnected.
        """
        try:
            sent = self._send(data, flags)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise Disconnected from error
        if sent == len(data):
            return True
        self._rest = memoryview(data)[sent:]
        return False

    async def flush(self, patience: float, *, flags: int = 0) -> None:
        """Send what `send_now` has left; raises as `send` does."""
        rest = self._rest
        while True:
            await self.port.writable(self._loop.now + patience)
            if self.send_now(rest, flags):
                self._rest = _NOTHING
                return
            rest = self._rest

    @property
    def is_sending(self) -> bool:
        """Whether there is a rest that waits to be flushed."""
        return bool(self._rest)

    async def send_file(self, fd: int, start: int, length: int, patience: float) -> int:
        """Send some of a file without it passing through us (sendfile(2)); return how much.

        Raises DeadlineExceeded, Disconnected, EOFError when the file ends before `start`, and
        OSError when it cannot be read.
        """
        while True:
            try:
                sent = os.sendfile(self.port.fd, fd, start, min(length, _SENDFILE_SIZE))
            except BlockingIOError:
                await self.port.writable(self._loop.now + patience)
                continue
            except OSError as error:
                os.pread(fd, 1, start)  # sendfile does not say which of the two ends has failed
                raise Disconnected from error
            if sent == 0:
                raise EOFError(f"{length} bytes are missing")
            if sent == _SENDFILE_SIZE:
                await self._loop.yield_turn()
            return sent

    def send_file_now(self, fd: int, start: int, length: int) -> int:
        """Send of a file what finds room now, return how much.

        0 may also mean that there is no more of the file, or nobody to send to: `send_file` tells.
        """
        try:
            return os.sendfile(self.port.fd, fd, start, min(length, _SENDFILE_SIZE))
        except OSError:
            return 0

    def has_left(self) -> bool:
        """Whether the peer has closed its side and nothing of it is left to read."""
        try:
            return not self._recv(1, _PEEK)
        except BlockingIOError:
            self.port.hung_up = False
            return False
        except OSError:
            return True

    def has_finished(self) -> bool:
        """Whether the peer sends no more, though there may be something left to read."""
        poll = select.poll()
        poll.register(self.port.fd, select.POLLRDHUP)
        return bool(poll.poll(0))

    def is_reset(self) -> bool:
        """Whether the connection is torn down; a peer that only finished leaves it half open."""
        try:
            self._socket.getpeername()
        except OSError:  # ENOTCONN
            return True
        return False

    async def finish(self, patience: float, longest: float, *, is_last: bool = False) -> None:
        """Say that nothing more comes, and wait for the peer to say the same (RFC 9112 §9.6).

        A socket that is closed with unread input resets the connection, and the peer may lose the
        answer that it was just sent; hence half a close, and the input read and thrown away for
        `longest` seconds, or until there is none for `patience`.  Raises Disconnected.

        A peer that has said itself that it `is_last`, what we have read, sends no more: there is
        nothing to wait for if nothing is left unread.  That saves four system calls and a turn.
        """
        if is_last and not self.port.can_read:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        end = self._loop.now + longest
        with contextlib.suppress(DeadlineExceeded):
            while await self.receive(min(self._loop.now + patience, end)):
                if self._loop.now >= end:
                    return

    def abort(self) -> None:
        """Close by a reset: the peer must not take what it got for the whole (SO_LINGER 0)."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.close()

    def close(self) -> None:
        """Close; a second call does nothing."""
        self.port.close()
        self._socket.close()


class Pipe:
    """One end of a pipe, or of anything that read(2) and write(2) move as a stream."""

    __slots__ = ("_loop", "port")

    def __init__(self, loop: Loop, fd: int) -> None:
        os.set_blocking(fd, False)
        self.port = Port(loop, fd)
        self._loop = loop

    async def receive(self, deadline: float) -> bytes:
        """Return what has been written, at most READ_SIZE bytes, b"" when no writer is left."""
        port = self.port
        while True:
            await port.readable(deadline)
            try:
                data = os.read(port.fd, READ_SIZE)
            except BlockingIOError:
                port.can_read = port.hung_up = False
                continue
            if len(data) < READ_SIZE:
                port.can_read = port.hung_up
            return data

    async def send(self, data: bytes, deadline: float) -> None:
        """Write all of it; raises DeadlineExceeded, and Disconnected when no reader is left."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.port.fd, rest) :]
            except BlockingIOError:
                await self.port.writable(deadline)
            except OSError as error:
                raise Disconnected from error

    def close(self) -> None:
        """Close; a second call does nothing."""
        if self.port.fd >= 0:
            self.port.close()
            os.close(self.port.fd)
            self.port.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
