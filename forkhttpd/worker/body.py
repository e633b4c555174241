"""A request's body, pulled from the connection by whoever wants it.

Nothing is read ahead: the parser is fed only when a handler asks, so a handler that is slow holds
back its client through the socket's own window.

A least rate (H9) is about the client alone: only the time in which we wait for it counts, so a slow
handler makes no slow client.  It begins to count after a grace, for what is short may be slow.
"""

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.parser import Parser
from forkhttpd.http1.request import HeaderSection
from forkhttpd.http1.writer import CONTINUE
from forkhttpd.loop import ByteStream, DeadlineExceeded, Disconnected, Loop

RATE_GRACE = 5.0  # seconds, or the patience with one piece where that is less

# What a handler left unread is read and thrown away up to here, to keep the connection; beyond,
# a new connection is cheaper for both sides.
_DISCARD_LIMIT = 1 << 18


class Body:
    """The body of one request; implements `http1.request.RequestBody`."""

    __slots__ = (
        "_ended",
        "_expected",
        "_limit",
        "_loop",
        "_parser",
        "_patience",
        "_rate",
        "_received",
        "_stream",
        "_waited",
        "length",
    )

    def __init__(
        self,
        section: HeaderSection,
        *,
        parser: Parser,
        stream: ByteStream,
        loop: Loop,
        limit: int,
        patience: float,
        rate: int = 0,
    ) -> None:
        """`rate`: fewest bytes a second on average, 0 for any."""
        self.length = section.length
        self._parser = parser
        self._stream = stream
        self._loop = loop
        self._limit = limit
        self._patience = patience
        self._expected = section.expects_continue
        self._rate = rate
        self._received = 0
        self._waited = 0.0  # seconds, for the client
        self._ended = section.length == 0

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end; see the protocol for what is raised."""
        if self._ended:
            return b""
        if self._expected:
            await self.invite()
        data = await self._next_piece()
        if not data:
            self._ended = True
        self._received += len(data)
        if self._received > self._limit:
            raise HTTPError(413, f"body exceeds {self._limit} bytes", close=True)
        return data

    async def invite(self) -> None:
        """Send `100 Continue` if the client waits for it."""
        if self._expected:
            self._expected = False
            await self._stream.send(CONTINUE, self._patience)

    @property
    def is_read(self) -> bool:
        """Whether it was read to its end."""
        return self._ended

    @property
    def can_be_discarded(self) -> bool:
        """Whether reading on to the next request is possible, and worth it."""
        if self._ended:
            return True
        if self._expected:  # the client may send the body, or not (RFC 9110 §10.1.1)
            return False
        return self.length is None or self.length - self._received <= _DISCARD_LIMIT

    async def discard(self) -> bool:
        """Read what was left unread; False when it is more than it is worth, or broken."""
        start = self._received
        try:
            while not self._ended:
                if self._received - start > _DISCARD_LIMIT:
                    return False
                await self.read()
        except HTTPError:  # the request is answered already: all that is left is to close
            return False
        return True

    async def _next_piece(self) -> bytes:
        while (data := self._parser.next_data()) is None:
            start = self._loop.now
            try:
                received = await self._stream.receive(start + self._allowance())
            except DeadlineExceeded:
                raise HTTPError(408, "the body stopped coming", close=True) from None
            self._waited += self._loop.now - start
            if not received:
                raise Disconnected
            self._parser.feed(received)
        return data

    def _allowance(self) -> float:
        """Return how long we wait for the next piece, in seconds."""
        if not self._rate:
            return self._patience
        earned = min(RATE_GRACE, self._patience) + self._received / self._rate
        return min(self._patience, max(earned - self._waited, 0.0))
