"""What a program says before its body, as the head of a response (RFC 3875 §6).

The grammar is strict, because a header that makes no sense must never become a page with status
200 and the text of an error in it: whoever breaks it gets 502, and the operator the line that was
wrong.  Lines end in LF or CRLF, and an empty line ends the header.
"""

import re
from dataclasses import dataclass

from forkhttpd.http1.headers import Items

HEADER_LIMIT = 65536  # bytes; Apache and lighttpd stop at 8 K to 64 K

_END = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # token, RFC 9110 §5.6.2
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_STATUS = re.compile(r"([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_LENGTH = re.compile(r"[0-9]{1,18}")
_ONCE = ("status", "location", "content-type", "content-length")

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
    """Status and fields, spelled as they were; `length` of the body where given, else None."""

    status: int
    fields: Items
    length: int | None


def find_end(data: bytes) -> int | None:
    """Return where the body begins, None when the header is not complete yet."""
    if data[:1] == b"\n":
        return 1
    if data[:2] == b"\r\n":
        return 2
    match = _END.search(data)
    return match.end() if match else None


def parse(header: bytes) -> Head:
    """Read a complete header.  Raises OutputError."""
    items = _parse_lines(header)
    first = {name.lower(): value for name, value in items}
    for name in _ONCE:
        if sum(key.lower() == name for key, _ in items) > 1:
            raise OutputError(f"more than one {name.title()}")
    if not first.keys() & {"content-type", "location", "status"}:
        raise OutputError("none of Content-Type, Location and Status in the header")
    fields = tuple((name, value) for name, value in items if name.lower() not in _DROPPED)
    return Head(_status(first), fields, _length(first))


def _parse_lines(header: bytes) -> Items:
    lines = header.decode("latin-1").split("\n")
    return tuple(_parse_line(line.removesuffix("\r")) for line in lines if line not in ("", "\r"))


def _parse_line(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise OutputError(f"not a header line: {line[:200]!r}")
    return name, value


def _status(first: dict[str, str]) -> int:
    """Return the status: what it says, 302 for a redirect without one, else 200 (§6.2)."""
    text = first.get("status")
    if text is None:
        return 302 if "location" in first else 200
    match = _STATUS.fullmatch(text)
    if match is None or not 200 <= int(match[1]) <= 599:
        raise OutputError(f"not a status from 200 to 599: {text[:200]!r}")
    return int(match[1])


def _length(first: dict[str, str]) -> int | None:
    text = first.get("content-length")
    if text is None:
        return None
    if not _LENGTH.fullmatch(text):
        raise OutputError(f"not a length: {text[:200]!r}")
    return int(text)
