"""What a program says before its body, as the head of a response (RFC 3875 §6).

The grammar is strict, because a header that makes no sense must never become a page with status
200 and the text of an error in it: whoever breaks it gets 502, and the operator the line that was
wrong.  Lines end in LF or CRLF, and an empty line ends the header.
"""

import os
import re
from dataclasses import dataclass
from functools import lru_cache

from forkhttpd.http1.headers import Items

HEADER_LIMIT = 65536  # bytes; Apache and lighttpd stop at 8 K to 64 K
_MEMORY_SIZE = 256  # headers
_MEMORABLE = 512  # bytes of one

_END = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # token, RFC 9110 §5.6.2
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_STATUS = re.compile(r"([1-9][0-9]{2})(?: +([\t -~\x80-\xff]*))?")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: [\t -~\x80-\xff]*)?\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_ONCE = ("status", "location", "content-type", "content-length", "x-sendfile")
# Python's cgitb begins its page with it, whatever the script has said before.  Servers were to take
# it for a field; its name is none, and that of an uncaught exception is no page with status 200.
_CGITB = b"<!--: spam\n"

_ONE_OF = frozenset({"content-type", "location", "status", "x-sendfile"})

_HINT = '; lines like "Content-Type: text/html" come first, then an empty one'

# Between the program's server and the client, not for the program to say (RFC 9110 §7.6.1), and
# what the writer itself adds.
_DROPPED = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "status",
        "content-length",
        "date",
        "server",
    }
)


class OutputError(Exception):
    """The header makes no sense; the message names the line, for the operator."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and fields, spelled as they were.

    reason: the phrase that came with the status, "" without one; length: of the body where given,
    else None; local: the path and query of this server that are to be answered instead (§6.2.2),
    "" where it is no local redirect.
    """

    status: int
    reason: str
    fields: Items
    length: int | None
    local: str


def find_end(data: bytes, known: int) -> int | None:
    """Return where the body begins, None when the header is not complete yet.

    `known` is how much of `data` was looked through before, so that output that comes byte by
    byte is not looked through as often.
    """
    if data[:1] == b"\n":
        return 1
    if data[:2] == b"\r\n":
        return 2
    match = _END.search(data, max(0, known - 3))
    return match.end() if match else None


def find_line_end(data: bytes, known: int) -> int | None:
    """Return where the second line begins, None when the first is not complete yet."""
    return data.find(b"\n", known) + 1 or None


def parse_status_line(line: bytes) -> int:
    """Return the status that an NPH script's answer begins with (§5).  Raises OutputError."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise OutputError(
            'its name begins with "nph-", so its output must begin like "HTTP/1.1 200 OK", '
            f"not with {_shown(line.decode('latin-1').rstrip())}"
        )
    return int(match[1])


def parse(header: bytes) -> Head:
    """Read a complete header.  Raises OutputError.

    Short ones are remembered, for many a program always says the same: 3.8 µs.
    """
    return _recall(header) if len(header) <= _MEMORABLE else _parse(header)


def _parse(header: bytes) -> Head:
    _, traceback, rest = header.partition(_CGITB)
    items = _parse_lines(b"Status: 500\n" + rest if traceback else header)
    names = [name.lower() for name, _ in items]
    first = dict(zip(names, (value for _, value in items), strict=True))
    if len(first) != len(names):
        for name in _ONCE:
            if names.count(name) > 1:
                raise OutputError(f"more than one {name.title()}")
    if _ONE_OF.isdisjoint(first):
        raise OutputError("none of Content-Type, Location and Status in the header")
    if _DROPPED.isdisjoint(first):
        fields = items
    else:
        fields = tuple(
            item for item, name in zip(items, names, strict=True) if name not in _DROPPED
        )
    return Head(*_status(first), fields, _length(first), _local(first))


_recall = lru_cache(_MEMORY_SIZE)(_parse)


def _parse_lines(header: bytes) -> Items:
    lines = header.decode("latin-1").split("\n")
    return tuple(_parse_line(line.removesuffix("\r")) for line in lines if line not in ("", "\r"))


def _parse_line(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise OutputError(f"not a header line: {_shown(line)}{_HINT}")
    return name, value


def _status(first: dict[str, str]) -> tuple[int, str]:
    """Return status and phrase: what it says, 302 for a redirect without one, else 200 (§6.2)."""
    text = first.get("status")
    if text is None:
        return (302 if "location" in first else 200), ""
    match = _STATUS.fullmatch(text)
    if match is None or not 200 <= int(match[1]) <= 599:
        raise OutputError(f"not a status from 200 to 599: {_shown(text)}")
    return int(match[1]), (match[2] or "").rstrip()


def _local(first: dict[str, str]) -> str:
    """Return where a local redirect leads, "" for none.

    It is a Location alone.  With a cookie or anything else beside it, the client has to see it,
    so it is told to go there; so it is with `//host/path`, which names another host to a browser.
    """
    location = first.get("location", "")
    is_local = len(first) == 1 and location.startswith("/") and not location.startswith("//")
    return location if is_local else ""


def _length(first: dict[str, str]) -> int | None:
    text = first.get("content-length")
    if text is None:
        return None
    if not _LENGTH.fullmatch(text):
        raise OutputError(f"not a length: {_shown(text)}")
    return int(text)


def _shown(text: str) -> str:
    """Return the beginning of a text in quotes, as the bytes that it was; the log escapes them."""
    return f"'{os.fsdecode(text[:200].encode('latin-1'))}'"
