"""Several ranges in one answer: multipart/byteranges, RFC 9110 §14.6, §15.3.7.2.

What stands between the parts is made here, beforehand, so that the length of the whole is known
and the parts themselves can go from the disk to the client without passing through us.
"""

from dataclasses import dataclass
from itertools import chain

from forkhttpd.http1.ranges import Range, content_range


@dataclass(frozen=True, slots=True)
class Multipart:
    """An answer of several parts of a representation.

    content_type: of the answer; parts: for each the bytes that go before it, its start and its
    length; end: the bytes after the last; length: of it all.
    """

    content_type: str
    parts: tuple[tuple[bytes, int, int], ...]
    end: bytes

    @property
    def length(self) -> int:
        return len(self.end) + sum(len(head) + length for head, _, length in self.parts)

    def of(self, content: bytes) -> bytes:
        """Return the body that this makes of a representation in memory."""
        pieces = ((head, content[start : start + length]) for head, start, length in self.parts)
        return b"".join(chain(chain.from_iterable(pieces), (self.end,)))


def compose(parts: list[Range], size: int, *, content_type: str, boundary: str) -> Multipart:
    """Describe the parts of a representation of `size` bytes and its `content_type`.

    `boundary` must not occur in the content.  Nobody looks: it has to be too long to occur by
    chance, and new each time, so that nobody can write it into a file beforehand.
    """
    opening = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: "
    heads = [
        (f"{opening}{content_range(part, size)}\r\n\r\n".encode("latin-1"), *part) for part in parts
    ]
    return Multipart(
        f"multipart/byteranges; boundary={boundary}",
        tuple(heads),
        f"\r\n--{boundary}--\r\n".encode("latin-1"),
    )
