"""A response: a description that a handler returns and that only the connection writes.

The body is one of six things.  Whoever holds a response closes it, once, whatever happened; the
connection does so in `finally`, and there a file is closed and a program ended.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from forkhttpd.http1.headers import Items


@dataclass(frozen=True, slots=True)
class Empty:
    """No body: 204, 304 and the like."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A body in memory."""

    data: bytes


class FileSlice(NamedTuple):
    """`length` bytes of an open file from `start` on; the response owns the descriptor."""

    fd: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class FileParts:
    """Parts of an open file, each with bytes before it, and bytes at the end (multipart).

    parts: (bytes before, start, length) in the order of sending; the response owns the descriptor.
    Not `Chunks`, because nobody has to read what sendfile(2) can send.
    """

    fd: int
    parts: tuple[tuple[bytes, int, int], ...]
    end: bytes

    @property
    def length(self) -> int:
        """Bytes of it all."""
        return len(self.end) + sum(len(before) + length for before, _, length in self.parts)


class Chunks(NamedTuple):
    """Pieces as they come, after `first`, which is there already; `length` is the sum if known.

    on_lag: called whenever the client does not take a piece at once, so the next has to wait.
    """

    pieces: AsyncIterator[bytes]
    length: int | None = None
    first: bytes = b""
    on_lag: Callable[[], None] | None = None


class Raw(NamedTuple):
    """The whole answer, status line included, as a program wrote it (NPH); then close.

    on_lag: as of Chunks.
    """

    pieces: AsyncIterator[bytes]
    first: bytes = b""
    on_lag: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A response in memory as it went out: `wire`, with the `sent` bytes of its body.

    It is good for another answer in the same second (`date`, by identity) to a request of the
    same `variant`, which stands for all of the request that makes a difference.
    """

    date: str
    variant: int
    wire: bytes
    sent: int
    keep_alive: bool


class Proof(Protocol):
    """What shows, as long as it holds, that the same request has the same answer as before."""

    def holds(self) -> bool:
        """Look whether it does."""

    def open(self) -> int:
        """Return a descriptor of the file that the answer is read from, -1 if it holds no more."""


Body = Empty | Bytes | FileSlice | FileParts | Chunks | Raw
EMPTY = Empty()


@dataclass(slots=True)
class Response:
    """A status, fields and a body.

    `fields` leave out what the writer adds by itself: Date, Server, Connection, Content-Length,
    Transfer-Encoding.  `reason` is the phrase beside the status, where it is not the usual one.
    For HEAD a handler returns the same response as for GET; the connection keeps the body back.

    A response may be shared by many requests when its body is Empty or Bytes (the response cache
    does so); `rendered` is then the memory of who sends it.
    """

    status: int
    fields: Items = ()
    body: Body = EMPTY
    on_close: Callable[[], Awaitable[None]] | None = None
    close_connection: bool = False
    reason: str = ""
    rendered: Rendered | None = field(default=None, compare=False, repr=False)

    async def close(self) -> None:
        """Release what the body holds; a second call does nothing."""
        match self.body:
            case FileSlice(fd=fd) | FileParts(fd=fd):
                self.body = EMPTY
                os.close(fd)
        if self.on_close is not None:
            on_close, self.on_close = self.on_close, None
            await on_close()
