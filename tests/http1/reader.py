"""A second reader of requests, by the grammar of RFC 9112 and nothing else, to hold the parser to.

It has all of the input at once and no limits, and it knows nothing of llhttp or of how the parser
works.  It is strict: what it does not accept, nobody should.
"""

import re
from dataclasses import dataclass

Items = tuple[tuple[bytes, bytes], ...]

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE = rb"[\t -~\x80-\xff]*"

_LINE = re.compile(rb"(?P<method>%b) (?P<target>[!-~]+) HTTP/1\.(?P<minor>[01])\r\n" % TOKEN)
_FIELD = re.compile(rb"(?P<name>%b):(?P<value>%b)\r\n" % (TOKEN, VALUE))
_CHUNK = re.compile(rb"(?P<size>[0-9A-Fa-f]+)(?:[ \t]*;%b)?\r\n" % VALUE)


class Refused(Exception):
    """No request, or not a whole one, begins here."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One request.  Names are in lower case, values without the white space around them."""

    method: bytes
    target: bytes
    minor: int
    fields: Items
    body: bytes
    stays: bool


def read_all(data: bytes) -> list[Reading]:
    """Return the requests at the beginning of some input, up to the first that is refused."""
    readings: list[Reading] = []
    position = 0
    while not readings or readings[-1].stays:
        try:
            reading, position = _read(data, position)
        except Refused:
            break
        readings.append(reading)
    return readings


def _read(data: bytes, position: int) -> tuple[Reading, int]:
    if data.startswith(b"\r\n", position):  # RFC 9112 §2.2
        position += 2
    line = _match(_LINE, data, position)
    fields, position = _fields(data, line.end())
    minor = int(line["minor"])
    body, position = _body(data, position, fields, minor)
    reading = Reading(line["method"], line["target"], minor, fields, body, _stays(fields, minor))
    return reading, position


def _match(pattern: re.Pattern[bytes], data: bytes, position: int) -> re.Match[bytes]:
    match = pattern.match(data, position)
    if match is None:
        raise Refused
    return match


def _fields(data: bytes, position: int) -> tuple[Items, int]:
    fields = []
    while not data.startswith(b"\r\n", position):
        field = _match(_FIELD, data, position)
        fields.append((field["name"].lower(), field["value"].strip(b" \t")))
        position = field.end()
    return tuple(fields), position + 2


def _body(data: bytes, position: int, fields: Items, minor: int) -> tuple[bytes, int]:
    """RFC 9112 §6.3."""
    codings, lengths = _all(fields, b"transfer-encoding"), _all(fields, b"content-length")
    if codings:
        if lengths or minor == 0 or [coding.lower() for coding in codings] != [b"chunked"]:
            raise Refused
        return _chunks(data, position)
    if not lengths:
        return b"", position
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]+", lengths[0]):
        raise Refused
    return _exactly(data, position, int(lengths[0]))


def _chunks(data: bytes, position: int) -> tuple[bytes, int]:
    """RFC 9112 §7.1."""
    pieces: list[bytes] = []
    while True:
        chunk = _match(_CHUNK, data, position)
        position = chunk.end()
        if int(chunk["size"], 16) == 0:
            return b"".join(pieces), _fields(data, position)[1]
        piece, position = _exactly(data, position, int(chunk["size"], 16))
        pieces.append(piece)
        if not data.startswith(b"\r\n", position):
            raise Refused
        position += 2


def _exactly(data: bytes, position: int, length: int) -> tuple[bytes, int]:
    if position + length > len(data):
        raise Refused
    return data[position : position + length], position + length


def _stays(fields: Items, minor: int) -> bool:
    """RFC 9112 §9.3."""
    options = b",".join(_all(fields, b"connection")).lower().split(b",")
    words = {option.strip(b" \t") for option in options}
    return b"close" not in words and (minor == 1 or b"keep-alive" in words)


def _all(fields: Items, name: bytes) -> list[bytes]:
    return [value for key, value in fields if key == name]
