"""A chunked body: decoded by llhttp, bounded by us.

llhttp cannot be paused and does not say where it stands, so it is never given a byte of the next
message.  That works because a chunked message ends with CRLF CRLF, always (RFC 9112 §7.1: a line,
then an empty one): it is fed up to each CRLF CRLF, and asked whether that was the end.  Data that
is nothing but line ends costs most, 0.3 µs a byte; small requests cost as much to answer.

The decoder is an llhttp of its own that has read an unremarkable chunked head, whatever the head
of the request was: so an Upgrade, after which llhttp would skip the body, changes nothing (H6).
"""

from httptools import HttpParserError, HttpRequestParser

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.limits import ParserLimits

_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"\r\n\r\n"
_SEAM = len(_END) - 1  # bytes of one read that may begin an end in the next
# A byte of data may cost 16 of framing: `1 CRLF x CRLF` costs 5, zeros before the size some more.
_FRAMING_PER_BYTE = 16


class _Recorder:
    """What llhttp calls; it decides nothing."""

    __slots__ = ("complete", "messages", "on_body", "pieces", "trailers")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self.trailers = -1  # the head of the decoder has a field, too
        self.messages = 0
        self.complete = False

    def on_message_begin(self) -> None:
        self.messages += 1

    def on_header(self, _name: bytes, _value: bytes) -> None:
        self.trailers += 1

    def on_message_complete(self) -> None:
        self.complete = True


class ChunkedBody:
    """The decoder of one body.  Trailers are counted, limited and dropped (H5)."""

    __slots__ = ("_framing", "_limits", "_llhttp", "_recorder", "_size", "_tail")

    def __init__(self, limits: ParserLimits) -> None:
        self._limits = limits
        self._recorder = _Recorder()
        self._llhttp = HttpRequestParser(self._recorder)
        self._llhttp.feed_data(_HEAD)
        self._size = 0  # bytes of data so far
        self._framing = 0  # all other bytes so far
        self._tail = b""  # of what has been fed: an end may straddle two reads

    @property
    def complete(self) -> bool:
        """Whether the end of the message has been read."""
        return self._recorder.complete

    def decode(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the data in the buffer from `position` on, and the position after what was read.

        That is the end of the buffer or of the message.  Raises HTTPError: 400 bad framing, 431
        too much of it.
        """
        window = self._tail + buffer[position:]
        fed = self._feed(window, len(self._tail))
        position += fed - len(self._tail)
        self._framing += fed - len(self._tail)
        self._tail = window[max(0, fed - _SEAM) : fed]
        return self._take(), position

    def _feed(self, window: bytes, start: int) -> int:
        """Feed the window from `start` on, up to the end of the message; return where that is."""
        recorder, feed_data = self._recorder, self._llhttp.feed_data
        try:
            while start < len(window) and not recorder.complete:
                found = window.find(_END, max(0, start - _SEAM))
                end = found + len(_END) if found >= 0 else len(window)
                feed_data(window[start:end])
                start = end
        except HttpParserError as error:
            raise HTTPError(400, str(error)) from None
        if recorder.messages > 1 or (recorder.complete and not window.endswith(_END, 0, start)):
            raise HTTPError(400, "two readers disagree about where the body ends")
        return start

    def _take(self) -> bytes:
        recorder, limits = self._recorder, self._limits
        data = b"".join(recorder.pieces)
        recorder.pieces.clear()
        self._size += len(data)
        self._framing -= len(data)
        if self._framing > limits.header + _FRAMING_PER_BYTE * self._size:
            raise HTTPError(431, "more framing and trailers than data")
        if recorder.trailers > limits.header_fields:
            raise HTTPError(431, "too many trailers")
        return data
