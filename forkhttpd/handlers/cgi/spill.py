"""Output that a client has not taken yet: in memory first, then in a file without a name.

A program that writes faster than its client reads is not held back: what it writes is kept, so it
can finish and give its place in the pool to the next.  Only past the limit does it have to wait.
It also keeps a program that answers before it has read its input, and a client that reads only
after it has sent everything, from waiting for each other for ever.
"""

import contextlib
import os
import tempfile
from collections import deque

MEMORY_LIMIT = 1 << 18  # bytes; beyond, the pieces go to the disk
_READ_SIZE = 1 << 16


class Spill:
    """A queue of bytes, in the order in which they came; `close` releases the file."""

    __slots__ = ("_fd", "_in_memory", "_limit", "_pieces", "_read_at", "_written_to")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._in_memory = 0
        self._fd = -1
        self._read_at = 0  # in the file; what is in memory is older than all of it
        self._written_to = 0

    @property
    def size(self) -> int:
        """Bytes that wait to be taken."""
        return self._in_memory + self._written_to - self._read_at

    @property
    def is_full(self) -> bool:
        """Whether the next piece had better wait; one piece is always taken."""
        return self.size > 0 and self.size >= self._limit

    def put(self, piece: bytes) -> None:
        """Add a piece.  Without room on the disk it is kept in memory, and the spill is full."""
        if self._written_to == self._read_at and self._in_memory < MEMORY_LIMIT:
            self._keep(piece)
        elif not self._write(piece):
            self._limit = min(self._limit, MEMORY_LIMIT)
            self._recall()
            self._keep(piece)

    def take(self) -> bytes:
        """Return the oldest bytes, b"" when there are none."""
        if self._pieces:
            piece = self._pieces.popleft()
            self._in_memory -= len(piece)
            return piece
        if self._read_at == self._written_to:
            return b""
        piece = os.pread(self._fd, min(_READ_SIZE, self._written_to - self._read_at), self._read_at)
        self._read_at += len(piece)
        if self._read_at == self._written_to:  # all taken: begin anew instead of growing
            self._read_at = self._written_to = 0
            os.ftruncate(self._fd, 0)
        return piece

    def close(self) -> None:
        """Drop everything; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._pieces.clear()
        self._in_memory = self._read_at = self._written_to = 0

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._in_memory += len(piece)

    def _recall(self) -> None:
        """Take what is in the file back into memory, so that later pieces stay behind it."""
        while self._read_at < self._written_to:
            rest = self._written_to - self._read_at
            self._keep(os.pread(self._fd, rest, self._read_at))
            self._read_at += rest

    def _write(self, piece: bytes) -> bool:
        """Append to the file; False when that cannot be."""
        with contextlib.suppress(OSError):
            if self._fd < 0:
                flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
                self._fd = os.open(tempfile.gettempdir(), flags, 0o600)
            done = 0
            while done < len(piece):
                done += os.pwrite(self._fd, piece[done:], self._written_to + done)
            self._written_to += len(piece)
            return True
        return False
