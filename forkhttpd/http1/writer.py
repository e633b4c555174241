"""Responses on the wire: how a body is framed, and the one place where a head is written.

The framing is decided first (`choose_framing`), as a value: which fields the head gains, whether
the body goes out, whether the connection stays.  HEAD has the same fields as GET (RFC 9110 §9.3.2,
H14), so it differs in one member only.  The status line says HTTP/1.1 to everyone, which is what
an HTTP/1.0 client has to expect (RFC 9112 §2.3, RFC 9110 §6.2); what it cannot read, chunks, it
does not get.

The head's order is stable: Date, Server, the response's own fields, Content-Length or
Transfer-Encoding, Connection.
"""

import re
from typing import NamedTuple

from forkhttpd.http1.headers import Items
from forkhttpd.http1.request import Version
from forkhttpd.http1.response import Bytes, Chunks, Empty, FileParts, FileSlice, Raw, Response

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_OURS = frozenset(("connection", "content-length", "date", "server", "transfer-encoding"))
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")  # a token, RFC 9110 §5.6.2
_LENGTHLESS = (204, 304)  # RFC 9110 §8.6; a 304 would have to state the length of the 200
_REASONS = {
    100: "Continue",
    101: "Switching Protocols",
    102: "Processing",
    103: "Early Hints",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    207: "Multi-Status",
    208: "Already Reported",
    226: "IM Used",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    418: "I'm a teapot",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    511: "Network Authentication Required",
}
_CLASSES = ("Information", "Success", "Redirection", "Client Error", "Server Error")


class Framing(NamedTuple):
    """How one response is sent.

    fields: what the head gains; sends_body: body bytes follow the head; chunked: they go through
    `chunk` and end with LAST_CHUNK; keep_alive: the connection stays open after them.
    """

    fields: Items
    sends_body: bool
    chunked: bool
    keep_alive: bool


def choose_framing(
    method: str, version: Version, *, response: Response, keep_alive: bool
) -> Framing:
    """Return how to send a response whose body is not Raw; `keep_alive` is the client's wish.

    A body of unknown length is chunked on HTTP/1.1 and ends with the connection on HTTP/1.0.
    """
    bodyless = response.status in _LENGTHLESS or response.status < 200
    length = 0 if bodyless else body_length(response)
    chunked = length is None and version >= Version.HTTP_1_1
    stays = keep_alive and not response.close_connection and (length is not None or chunked)
    fields = () if bodyless else _length_fields(length, version)
    return Framing(
        fields=fields + _connection_fields(version, keep_alive=stays),
        sends_body=not bodyless and length != 0 and method != "HEAD",
        chunked=chunked,
        keep_alive=stays,
    )


def body_length(response: Response) -> int | None:
    """Return the bytes of a response's body, None when nobody knows before its end."""
    match response.body:
        case Empty():
            return 0
        case Bytes(data=data):
            return len(data)
        case FileSlice(length=length) | Chunks(length=length):
            return length
        case FileParts() as parts:
            return parts.length
        case Raw():
            raise ValueError("a raw answer frames itself")


def render_head(response: Response, framing: Framing, *, date: str, server: str) -> bytes:
    """Return the status line and the fields, with the empty line that ends them.

    `date` is an IMF-fixdate; `server` is left out when it is empty.  Raises ValueError for a name
    or value that would not be one field on the wire (H12), for a field that is the writer's own,
    and for a status that is not three digits.
    """
    _check_names(response.fields)
    lines = [_status_line(response.status, response.reason), f"Date: {date}"]
    if server:
        lines.append(f"Server: {server}")
    lines += [f"{name}: {value}" for name, value in response.fields]
    lines += [f"{name}: {value}" for name, value in framing.fields]
    return _checked(lines)


def reason_phrase(status: int) -> str:
    """Return the phrase for a status, that of its class when it is not registered."""
    known = _REASONS.get(status)
    return known or (_CLASSES[status // 100 - 1] if 100 <= status <= 599 else "Unknown")


def chunk(data: bytes) -> bytes:
    """Return data as one chunk; b"" for none, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _length_fields(length: int | None, version: Version) -> Items:
    if length is not None:
        return (("Content-Length", str(length)),)
    return (("Transfer-Encoding", "chunked"),) if version >= Version.HTTP_1_1 else ()


def _connection_fields(version: Version, *, keep_alive: bool) -> Items:
    """Say only what differs from the version's default (RFC 9112 §9.3)."""
    if version >= Version.HTTP_1_1:
        return () if keep_alive else (("Connection", "close"),)
    return (("Connection", "keep-alive"),) if keep_alive else ()


def _status_line(status: int, reason: str) -> str:
    if not 100 <= status <= 999:
        raise ValueError(f"{status} is not a status")
    return f"HTTP/1.1 {status} {reason or reason_phrase(status)}"


def _check_names(fields: Items) -> None:
    for name, _ in fields:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not the name of a field")
        if name.lower() in _OURS:
            raise ValueError(f"{name} is a field that the writer adds by itself")


def _checked(lines: list[str]) -> bytes:
    """Join lines; every CR and LF of the result must be one of ours, and NUL is nobody's."""
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise ValueError("a CR, LF or NUL in a field")
    return head
