"""The parser of a connection: bytes are pushed in, requests and bodies are pulled out.

    parser.feed(data)         records
    parser.next_request()     a head, or None: feed more
    parser.next_data()        a piece of its body, b"" at its end, or None: feed more

Nothing is parsed before it is asked for, so a good request is answered before a bad one behind it
is looked at, a pipeline costs the memory of its bytes, and not asking is backpressure.  After an
error nothing is parsed at all, and nothing recorded (H4).

What makes this simple is that the parser itself knows where a message ends (the head at CRLF CRLF,
a sized body by counting, a chunked one as `chunked.py` says), and that llhttp, which judges the
syntax (`head.py`), never sees a byte of the next.  Limits are applied to what has been recorded,
before any of it is parsed: a 10 MB header without an end is refused when it exceeds the limit by
one read (H7).  Feed and ask by turns: what has been fed is held.

Heads are remembered (`memory.py`).  Feed and next_request together, for a head of 306 bytes with
10 fields (Python 3.11, a shared 2-core machine, best of 5): 0.75 µs when it is remembered, 6.5 µs
when its line is new and its fields are known, 12 µs when it is new.
"""

from enum import Enum, auto

from forkhttpd.http1.chunked import ChunkedBody
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.head import TOKEN_BYTES, read_fields, read_line, read_section
from forkhttpd.http1.limits import ParserLimits
from forkhttpd.http1.memory import HeadMemory
from forkhttpd.http1.request import HeaderSection, RequestLine

Head = tuple[RequestLine, HeaderSection]

_CRLF = b"\r\n"
_END = b"\r\n\r\n"
_VERSION_BYTES = len(b"HTTP/1.1")


class _State(Enum):
    HEAD = auto()  # between messages, or within a head
    SIZED = auto()  # within a body of known length
    CHUNKED = auto()
    CLOSED = auto()  # nothing more is read: the last request said so, or an error


_HEAD = _State.HEAD  # a global is found faster than a member, and this one is asked per request


class Parser:
    """The guard over one connection's input.

    Everything it raises but RuntimeError (a caller's mistake) is an HTTPError with `close` set, and
    is raised again by whatever is called after it.
    """

    __slots__ = (
        "_buffer",
        "_chunked",
        "_error",
        "_limits",
        "_line",
        "_memory",
        "_position",
        "_remaining",
        "_scanned",
        "_state",
        "_stays",
    )

    def __init__(self, limits: ParserLimits, memory: HeadMemory | None = None) -> None:
        """Parse under `limits`, which a memory must share: it knows nothing of others."""
        if memory is None:
            memory = HeadMemory(limits, entries=0)
        elif memory.limits != limits:
            raise ValueError("a memory of heads that were read under other limits")
        self._limits = limits
        self._memory = memory
        self._state = _HEAD
        self._error: HTTPError | None = None
        self._buffer = b""
        self._position = 0  # where the next message begins, or the rest of this one's body
        self._scanned = 0  # bytes from there on in which no end of a head begins
        self._line: RequestLine | None = None  # read before its fields were there
        self._remaining = 0  # of a sized body
        self._chunked: ChunkedBody | None = None
        self._stays = True  # another request may follow this one

    @property
    def started(self) -> bool:
        """Whether some byte of the next request is here (an empty line before it is none)."""
        return self._state is _HEAD and self._buffer[self._position :] not in (b"", b"\r", _CRLF)

    @property
    def buffered(self) -> bool:
        """Whether there is input that has not been pulled yet."""
        return self._position < len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Record what the client sent."""
        if self._state is _State.CLOSED:
            return
        if self._position < len(self._buffer):
            data = self._buffer[self._position :] + data
        self._buffer = data
        self._position = 0

    def next_request(self) -> Head | None:
        """Return the head of the next request, or None when it has not arrived whole.

        A request without a body leaves nothing to pull; the body of any other must have been pulled
        to its end.  After a request that does not keep the connection alive there is no next one.
        """
        if self._state is not _HEAD:
            self._refuse_request()
            return None
        # The short way: both parts of the head are known.  Whatever else it is, goes the long way.
        buffer, start, memory = self._buffer, self._position, self._memory
        end = buffer.find(_END, start + self._scanned)
        if end > start:
            line_end = buffer.find(_CRLF, start)
            line = memory.lines.get(buffer[start:line_end])
            if line is not None:
                section = memory.sections.get(buffer[line_end - _VERSION_BYTES : end + 4])
                if section is not None:
                    self._position = end + 4
                    self._scanned = 0
                    self._line = None
                    if not section.keep_alive:
                        self._close()
                    return line, section
        try:
            return self._read_head()
        except HTTPError as error:
            raise self._fail(error) from None

    def next_data(self) -> bytes | None:
        """Return the next piece of the body, b"" at its end, None when more must be fed first."""
        match self._state:
            case _State.SIZED:
                return self._next_sized()
            case _State.CHUNKED:
                return self._next_chunked()
            case _:
                self._repeat_error()
                return b""

    def _refuse_request(self) -> None:
        self._repeat_error()
        if self._state is not _State.CLOSED:
            raise RuntimeError("the body of the last request has not been pulled")

    def _repeat_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _fail(self, error: HTTPError) -> HTTPError:
        """H4: nothing behind an error is parsed, since nobody knows where it begins."""
        self._error = HTTPError(error.status, error.reason, fields=error.fields, close=True)
        self._close()
        return self._error

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._buffer = b""
        self._position = 0

    def _read_head(self) -> Head | None:
        """Check and read the line as soon as it is there, and the fields when their end is."""
        start = self._find_start()
        if start is None:
            return None
        line_end = self._buffer.find(_CRLF, start)
        self._check_line_size(start, line_end)
        if line_end < 0:
            return None
        line = self._line or self._read_line(self._buffer[start:line_end])
        end = self._buffer.find(_END, max(line_end, self._position + self._scanned))
        self._check_header_size(line_end, end)
        if end < 0:
            self._line = line
            self._scanned = max(0, len(self._buffer) - self._position - len(_END) + 1)
            return None
        section = self._read_section(line, start, line_end=line_end, end=end + len(_END))
        self._leave_head(section, end + len(_END))
        return line, section

    def _find_start(self) -> int | None:
        """Return where the request line begins; None when there is no byte of it yet.

        RFC 9112 §2.2: one empty line before it is ignored.  What cannot begin a method (a second
        empty line, a TLS handshake) is refused at its first byte.
        """
        buffer, start = self._buffer, self._position
        if buffer.startswith(_CRLF, start):
            start += len(_CRLF)
        elif buffer[start:] == b"\r":
            return None
        if start >= len(buffer):
            return None
        if buffer[start] not in TOKEN_BYTES:
            raise HTTPError(400, "not a request line")
        return start

    def _check_line_size(self, start: int, line_end: int) -> None:
        """H7.  A line whose end is not here may still have its CR at the end of the buffer."""
        size = (line_end if line_end >= 0 else len(self._buffer) - 1) - start
        if size > self._limits.request_line:
            raise HTTPError(414, "the request line is too long")

    def _check_header_size(self, line_end: int, end: int) -> None:
        first = line_end + len(_CRLF)
        size = (end + len(_END) if end >= 0 else len(self._buffer)) - first
        if size > self._limits.header:
            raise HTTPError(431, "the header is too long")
        if end >= 0 and self._buffer.count(_CRLF, first, end + 2) > self._limits.header_fields:
            raise HTTPError(431, "too many fields")

    def _read_line(self, line: bytes) -> RequestLine:
        return self._memory.lines.get(line) or read_line(line)

    def _read_section(
        self, line: RequestLine, start: int, *, line_end: int, end: int
    ) -> HeaderSection:
        """Read the fields, or recall them; llhttp reads every head that is not known whole."""
        memory = self._memory
        raw = read_fields(self._buffer[start:end], line.version)
        key = self._buffer[line_end - _VERSION_BYTES : end]
        known = None if line.target.authority else memory.sections.get(key)
        section = known or read_section(raw, line)
        memory.remember(self._buffer[start:line_end], line, section_key=key, section=section)
        return section

    def _leave_head(self, section: HeaderSection, position: int) -> None:
        self._position = position
        self._scanned = 0
        self._line = None
        self._stays = section.keep_alive
        if section.length == 0:
            self._end_message()
        elif section.length is None:
            self._state = _State.CHUNKED
            self._chunked = ChunkedBody(self._limits)
        else:
            self._state = _State.SIZED
            self._remaining = section.length

    def _end_message(self) -> None:
        if self._stays:
            self._state = _HEAD
        else:
            self._close()

    def _next_sized(self) -> bytes | None:
        if not self._remaining:
            self._end_message()
            return b""
        data = self._buffer[self._position : self._position + self._remaining]
        self._position += len(data)
        self._remaining -= len(data)
        return data or None

    def _next_chunked(self) -> bytes | None:
        body = self._chunked
        if body is None or body.complete:
            self._chunked = None
            self._end_message()
            return b""
        try:
            data, self._position = body.decode(self._buffer, self._position)
        except HTTPError as error:
            raise self._fail(error) from None
        if data:
            return data
        return self._next_chunked() if body.complete else None
