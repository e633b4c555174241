"""How much of a request's head a client may send."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """H7: each limit has its own status.

    request_line: bytes of the request line without its CRLF, else 414;
    header: bytes of the fields with every CRLF and the empty line, else 431; trailers and the
        framing of a chunked body have the same allowance once more;
    header_fields: fields of a head, else 431; and of the trailers of a chunked body.
    """

    request_line: int
    header: int
    header_fields: int
