"""A request: what the parser made of the wire, and what the connection knows around it.

A request's head is two independent parts, a `RequestLine` and a `HeaderSection`.  Both are
immutable and are shared between requests that spelled them alike: browsers send the same fields
with every line, and many clients the same line, so neither is parsed again (see `parser.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

from forkhttpd.http1.account import Account
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.target import Target

_CONDITIONS = (
    "range",
    "if-none-match",
    "if-modified-since",
    "if-match",
    "if-unmodified-since",
)


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
    expects_continue: the client waits for 100 before it sends the body (RFC 9110 §10.1.1);
    conditional: a field asks for something else than the whole as it is (RFC 9110 §13.1, §14.2).
    """

    fields: Fields
    host: str
    length: int | None
    keep_alive: bool
    expects_continue: bool
    conditional: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditional", any(name in self.fields for name in _CONDITIONS))


class RequestBody(Protocol):
    """The body, pulled by whoever wants it; not pulling is backpressure."""

    @property
    def length(self) -> int | None:
        """Bytes that were announced, None when chunked."""

    @property
    def is_read(self) -> bool:
        """Whether it was read to its end."""

    @property
    def can_be_discarded(self) -> bool:
        """Whether reading on to the next request is possible, and worth it."""

    async def discard(self) -> bool:
        """Read what was left unread; False when it is more than it is worth, or broken."""

    async def invite(self) -> None:
        """Send `100 Continue` if the client waits for it.

        For a handler that answers while it reads: once an answer has begun it is too late for one.
        """

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end.

        Raises HTTPError: 408 past the deadline, 413 past the limit, 400 for bad framing; and what
        the connection raises when the client has left.  The first call invites.
        """


class Endpoint(NamedTuple):
    """One end of a connection: a numeric address and a port; a Unix socket has "" and 0."""

    host: str
    port: int


class _NoBody:
    """The body of a request that has none."""

    __slots__ = ()
    length = 0
    is_read = True
    can_be_discarded = True

    async def discard(self) -> bool:
        return True

    async def invite(self) -> None:
        pass

    async def read(self) -> bytes:
        return b""


NO_BODY: RequestBody = _NoBody()


def _watch_nobody(_grace: float) -> None:
    """There is no client that could leave."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What client and server agreed on: "TLSv1.3", the cipher suite by its name in OpenSSL.

    server_name: that the client asked for (SNI), "" if none.
    """

    protocol: str
    cipher: str
    server_name: str


@dataclass(frozen=True, slots=True)
class Hop:
    """The connection that a request came over, as far as a handler may know it.

    scheme: "http" or "https"; name: distinguishes the connection from every other of this boot;
    request_id: what a trusted proxy calls the request, "" when we name it ourselves;
    watch_client: for a handler that is going to wait for somebody else: from this call on it is
    cancelled when the client leaves.  One that sends no more has left after `grace` seconds,
    which may be infinite; one that is gone altogether, at once.
    encryption: of the connection, None where it is plain.
    """

    client: Endpoint
    server: Endpoint
    scheme: str
    name: str
    watch_client: Callable[[float], None] = _watch_nobody
    request_id: str = ""
    encryption: Encryption | None = None

    def seen_as(self, client: Endpoint, scheme: str, request_id: str) -> "Hop":
        """Return the hop as it is for one request of another client, whom it was passed on for.

        Spelled out, for dataclasses.replace takes 16 µs where this takes 2, for each request.
        """
        return Hop(
            client,
            self.server,
            scheme,
            self.name,
            self.watch_client,
            request_id,
            self.encryption,
        )


class Request:
    """One request on its way through a handler.

    number: how many requests came over the hop before it, plus one; received: monotonic seconds,
    when its head was complete; account: of the program that works for it, if one does; user: who
    has said a right password, as latin-1 text of the wire's bytes, "" for everybody else.
    """

    __slots__ = ("account", "body", "hop", "line", "number", "received", "section", "user")

    def __init__(
        self,
        line: RequestLine,
        section: HeaderSection,
        *,
        hop: Hop,
        number: int,
        received: float,
        body: RequestBody = NO_BODY,
    ) -> None:
        self.line = line
        self.section = section
        self.hop = hop
        self.number = number
        self.received = received
        self.body = body
        self.account: Account | None = None
        self.user = ""

    @property
    def id(self) -> str:
        """What names the request in every log line, on its error page, and to its program."""
        return self.hop.request_id or f"{self.hop.name}-{self.number:x}"

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
