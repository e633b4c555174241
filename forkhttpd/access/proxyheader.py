"""The PROXY protocol: what a proxy says of a connection, before the client's first byte.

Both versions, as haproxy's proxy-protocol.txt has them: a line of text (v1), or a binary header
(v2) with more fields behind the addresses, which are skipped.  Whatever is not exactly one of them
is refused: there is no guessing where the client begins to speak.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass

from forkhttpd.http1.request import Endpoint

LONGEST = 4096  # bytes of a header of v2 that are accepted; v1 has at most 107

_SIGNATURE_1 = b"PROXY "
_SIGNATURE_2 = b"\r\n\r\n\x00\r\nQUIT\n"
_LONGEST_1 = 107
_PORT = rb"(0|[1-9][0-9]{0,4})"
_LINE = re.compile(rb"PROXY TCP([46]) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) %b %b" % (_PORT, _PORT))
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [ -~]*)?")

_HEAD_2 = struct.Struct("!12sBBH")  # signature, version and command, family, length of the rest
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP_4, _TCP_6, _UNIX = 0x00, 0x11, 0x21, 0x31
_ADDRESSES = {_TCP_4: struct.Struct("!4s4sHH"), _TCP_6: struct.Struct("!16s16sHH")}


class ProxyHeaderError(Exception):
    """What came is no such header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header of `length` bytes; both ends are None where it says nothing of them.

    So says a proxy of its own connections, like those that look whether we are well.
    """

    length: int
    client: Endpoint | None = None
    server: Endpoint | None = None


def parse(data: bytes) -> ProxyHeader | None:
    """Read the header that data begins with; None while it is not complete.

    Raises ProxyHeaderError as soon as it can be none any more.
    """
    if data[:12] == _SIGNATURE_2[: len(data)]:
        return _parse_2(data)
    if data[:6] == _SIGNATURE_1[: len(data)]:
        return _parse_1(data)
    raise ProxyHeaderError("it begins like none")


def _parse_1(data: bytes) -> ProxyHeader | None:
    line, end, _ = data[:_LONGEST_1].partition(b"\r\n")
    if not end:
        if len(data) >= _LONGEST_1:
            raise ProxyHeaderError(f"a line of more than {_LONGEST_1} bytes")
        return None
    length = len(line) + len(end)
    if _UNKNOWN.fullmatch(line):
        return ProxyHeader(length)
    match = _LINE.fullmatch(line)
    if match is None:
        raise ProxyHeaderError("a line of another form")
    version, *hosts = (text.decode() for text in match.groups()[:3])
    ports = [int(port) for port in match.groups()[3:]]
    kind = ipaddress.IPv4Address if version == "4" else ipaddress.IPv6Address
    try:
        client, server = (str(kind(host)) for host in hosts)
    except ValueError:
        raise ProxyHeaderError("an address that is none") from None
    if max(ports) > 65535:
        raise ProxyHeaderError("a port that is none")
    return ProxyHeader(length, Endpoint(client, ports[0]), Endpoint(server, ports[1]))


def _parse_2(data: bytes) -> ProxyHeader | None:
    if len(data) < _HEAD_2.size:
        return None
    _, command, family, rest = _HEAD_2.unpack_from(data)
    length = _HEAD_2.size + rest
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"version and command 0x{command:02x}")
    if length > LONGEST:
        raise ProxyHeaderError(f"a header of {length} bytes, at most {LONGEST}")
    if command == _PROXY and family not in (_UNSPECIFIED, _UNIX, *_ADDRESSES):
        raise ProxyHeaderError(f"family 0x{family:02x}")
    form = _ADDRESSES.get(family) if command == _PROXY else None
    if form is not None and rest < form.size:
        raise ProxyHeaderError(f"{rest} bytes of addresses, which take {form.size}")
    if len(data) < length:
        return None
    if form is None:
        return ProxyHeader(length)
    client, server, *ports = form.unpack_from(data, _HEAD_2.size)
    return ProxyHeader(
        length,
        Endpoint(str(ipaddress.ip_address(client)), ports[0]),
        Endpoint(str(ipaddress.ip_address(server)), ports[1]),
    )
