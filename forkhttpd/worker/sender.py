"""Sends responses: the only place that writes to a client.

A response in memory leaves with its head in one `send`, and what was sent is remembered for the
next request of the same second (a date takes a second to change, and 1.5 µs to put together with
the rest).  A file's head waits for its first packet (MSG_MORE).  Pieces leave as they come.
"""

import logging
import socket
from collections.abc import Callable
from dataclasses import replace

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import RequestLine
from forkhttpd.http1.response import Bytes, Chunks, FileParts, FileSlice, Raw, Rendered, Response
from forkhttpd.http1.writer import LAST_CHUNK, Framing, choose_framing, chunk, render_head
from forkhttpd.loop import ByteStream

_RAW = Framing(fields=(), sends_body=True, chunked=False, keep_alive=False)


class CutShort(Exception):
    """The answer stays incomplete, and the client has to see that: reset the connection."""


class Sender:
    """Sends the responses of one connection, one after the other.

    `sent` counts the bytes of the current body, also while sending and after a failure.
    """

    __slots__ = ("_log", "_patience", "_server", "_stream", "sent")

    def __init__(
        self, stream: ByteStream, *, patience: float, server: str, log: logging.Logger
    ) -> None:
        self._stream = stream
        self._patience = patience
        self._server = server
        self._log = log
        self.sent = 0

    async def send(
        self, response: Response, line: RequestLine, date: str, *, keep_alive: bool
    ) -> bool:
        """Answer the request of a line; return whether the connection stays open for another.

        Raises DeadlineExceeded, Disconnected, and CutShort (the reason is logged).
        """
        rendered = response.rendered
        if rendered is None or rendered.variant != variant(line, keep_alive=keep_alive):
            self.sent = 0
            match response.body:
                case FileSlice() | FileParts() | Chunks() | Raw():
                    framing = _framing(response, line, keep_alive=keep_alive)
                    await self._send_apart(response, framing, date)
                    return framing.keep_alive
            rendered = render(response, line, date, keep_alive=keep_alive, server=self._server)
        elif rendered.date is not date:
            rendered = response.rendered = redated(rendered, date)
        self.sent = rendered.sent
        if not self._stream.send_now(rendered.wire):
            await self._stream.flush(self._patience)
        return rendered.keep_alive

    async def _send_apart(self, response: Response, framing: Framing, date: str) -> None:
        """Send a head, and then a body that is not in memory."""
        body = response.body
        if isinstance(body, Raw):
            await self._send_pieces(body, framing, b"")
            return
        head = render_head(response, framing, date=date, server=self._server)
        if isinstance(body, Chunks):
            await self._send_pieces(body, framing, head)
            return
        from_file = framing.sends_body and isinstance(body, FileSlice | FileParts)
        await self._stream.send(head, self._patience, flags=socket.MSG_MORE if from_file else 0)
        match body:
            case FileSlice(fd, start, length) if from_file:
                await self.send_slice(fd, start, length)
            case FileParts() if from_file:
                await self._send_parts(body)

    async def send_slice(self, fd: int, start: int, length: int) -> None:
        """Send a part of a file, of which the head is sent; raises as `send` does."""
        end = start + length
        try:
            while start < end:
                sent = await self._stream.send_file(fd, start, end - start, self._patience)
                start += sent
                self.sent += sent
        except EOFError as error:
            self._log.warning("a file shrank while it was sent: %s", error)
            raise CutShort from None
        except OSError as error:
            self._log.error("a file failed while it was sent: %s", error.strerror)
            raise CutShort from None

    async def _send_parts(self, body: FileParts) -> None:
        for before, start, length in body.parts:
            await self._stream.send(before, self._patience, flags=socket.MSG_MORE)
            self.sent += len(before)
            await self.send_slice(body.fd, start, length)
        await self._stream.send(body.end, self._patience)
        self.sent += len(body.end)

    async def _send_pieces(self, body: Chunks | Raw, framing: Framing, head: bytes) -> None:
        """Send pieces as they come, exactly as many bytes of them as were promised."""
        length = body.length if isinstance(body, Chunks) else None
        try:
            await self._send_piece(head + self._frame(body.first, length, framing), body.on_lag)
            async for piece in body.pieces:
                if framed := self._frame(piece, length, framing):
                    await self._send_piece(framed, body.on_lag)
        except HTTPError as error:
            self._log.error("answer cut short: %s", error.reason)
            raise CutShort from None
        if not framing.sends_body:
            return
        if length is not None and self.sent < length:
            self._log.error("answer cut short: %d of %d bytes came", self.sent, length)
            raise CutShort
        if framing.chunked:
            await self._stream.send(LAST_CHUNK, self._patience)

    async def _send_piece(self, data: bytes, on_lag: Callable[[], None] | None) -> None:
        if not self._stream.send_now(data):
            if on_lag is not None:
                on_lag()
            await self._stream.flush(self._patience)

    def _frame(self, piece: bytes, length: int | None, framing: Framing) -> bytes:
        """Return a piece as it is sent, b"" for nothing, and count it."""
        if not framing.sends_body:  # for HEAD a program runs as for GET, and to its end
            return b""
        if length is not None and len(piece) > length - self.sent:
            # What is too much would be read as the next answer on this connection (C9).
            piece = piece[: length - self.sent]
        self.sent += len(piece)
        return chunk(piece) if framing.chunked and piece else piece


def render(
    response: Response, line: RequestLine, date: str, *, keep_alive: bool, server: str
) -> Rendered:
    """Return a response in memory as it goes out, and remember it there; of a file the head."""
    framing = _framing(response, line, keep_alive=keep_alive)
    wire = render_head(response, framing, date=date, server=server)
    sent = 0
    if framing.sends_body:
        match response.body:
            case Bytes(data=data):
                wire += data
                sent = len(data)
            case FileSlice(length=length):
                sent = length
    response.rendered = Rendered(
        date, variant(line, keep_alive=keep_alive), wire, sent, framing.keep_alive
    )
    return response.rendered


def redated(rendered: Rendered, date: str) -> Rendered:
    """Return what went out before with another date: it is the first of its fields (`writer`)."""
    wire = rendered.wire.replace(rendered.date.encode(), date.encode(), 1)
    return replace(rendered, date=date, wire=wire)


def variant(line: RequestLine, *, keep_alive: bool) -> int:
    """Return a number for all of a request that makes a difference to a rendered response."""
    return (line.method == "HEAD") << 8 | keep_alive << 7 | line.version


def _framing(response: Response, line: RequestLine, *, keep_alive: bool) -> Framing:
    if isinstance(response.body, Raw):
        return _RAW
    return choose_framing(line.method, line.version, response=response, keep_alive=keep_alive)
