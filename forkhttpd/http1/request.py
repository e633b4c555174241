"""A request: what the parser made of the wire, and what the connection knows around it.

A request's head is two independent parts, a `RequestLine` and a `HeaderSection`.  Both are
immutable and are shared between requests that spelled them alike: browsers send the same fields
with every line, and many clients the same line, so neither is parsed again (see `parser.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from forkhttpd.http1.headers import Fields
from forkhttpd.http1.target import Target


class Version(IntEnum):
    """The versions we speak, as major * 10 + minor."""

    HTTP_1_0 = 10
    HTTP_1_1 = 11


@dataclass(frozen=True, slots=True)
class RequestLine:
    """`GET /path?query HTTP/1.1`.  `text` is the line as received (latin-1), for the log."""

    method: str
    target: Target
    version: Version
    text: str


@dataclass(frozen=True, slots=True)
class HeaderSection:
    """The fields, and what they say of the message and the connection.

    host: the Host field's value without port, lower-case, "" when there is none (HTTP/1.0);
    length: of the body in bytes, 0 without a body, None when it is chunked;
    keep_alive: the client wants the connection to stay open (RFC 9112 §9.3);
    expects_continue: the client waits for 100 before it sends the body (RFC 9110 §10.1.1).
    """

    fields: Fields
    host: str
    length: int | None
    keep_alive: bool
    expects_continue: bool


class RequestBody(Protocol):
    """The body, pulled by whoever wants it; not pulling is backpressure."""

    @property
    def length(self) -> int | None:
        """Bytes that were announced, None when chunked."""

    @property
    def can_be_discarded(self) -> bool:
        """Whether reading on to the next request is possible, and worth it."""

    async def discard(self) -> bool:
        """Read what was left unread; False when it is more than it is worth."""

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end.

        Raises HTTPError: 408 past the deadline, 413 past the limit, 400 for bad framing or a
        client that left.  The first call sends `100 Continue` where the client waits for it.
        """


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection: a numeric address and a port; a Unix socket has "" and 0."""

    host: str
    port: int


def _watch_nobody() -> None:
    """Watch no client: there is none that could leave."""


class Request:
    """One request on its way through a handler."""

    __slots__ = (
        "body",
        "client",
        "id",
        "line",
        "received",
        "scheme",
        "section",
        "server",
        "watch_client",
    )

    def __init__(
        self,
        line: RequestLine,
        section: HeaderSection,
        *,
        body: RequestBody,
        client: Endpoint,
        server: Endpoint,
        scheme: str,
        id: str,  # noqa: A002 - the field's term
        received: float,
        watch_client: Callable[[], None] = _watch_nobody,
    ) -> None:
        self.line = line
        self.section = section
        self.body = body
        self.client = client
        self.server = server
        self.scheme = scheme  # "http" or "https"
        self.id = id  # names the request in every log line, and to its program
        self.received = received  # monotonic seconds, when its head was complete
        # For a handler that is going to wait for somebody else: from this call on it is cancelled
        # when the client leaves.
        self.watch_client = watch_client

    @property
    def method(self) -> str:
        return self.line.method

    @property
    def target(self) -> Target:
        return self.line.target

    @property
    def path(self) -> str:
        return self.line.target.path

    @property
    def fields(self) -> Fields:
        return self.section.fields
