"""The PROXY protocol: byte by byte, and nothing that is not exactly it."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access.proxyheader import LONGEST, ProxyHeader, ProxyHeaderError, parse
from forkhttpd.http1.request import Endpoint

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


Address = ipaddress.IPv4Address | ipaddress.IPv6Address

V4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + struct.pack("!HH", 4711, 443)
V6 = ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("::1").packed
V6 += struct.pack("!HH", 1, 65535)
ENDS = (Endpoint("192.0.2.7", 4711), Endpoint("10.0.0.1", 443))
LONG = ":".join(["ffff"] * 8)
TLV = b"\x04\x00\x03abc"

GOOD = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", ENDS),
    (b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", ("2001:db8::7", "::1")),
    (f"PROXY TCP6 {LONG} {LONG} 65535 65535\r\n".encode(), (LONG, LONG)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    (version_2(0x21, 0x11, V4), ENDS),
    (version_2(0x21, 0x11, V4 + TLV * 100), ENDS),
    (version_2(0x21, 0x21, V6), ("2001:db8::7", "::1")),
    (version_2(0x20, 0x11, V4), None),  # LOCAL: whatever else it says
    (version_2(0x20, 0x00, b""), None),
    (version_2(0x20, 0xFF, b"x"), None),
    (version_2(0x21, 0x00, b""), None),
    (version_2(0x21, 0x31, bytes(216)), None),
]


@pytest.mark.parametrize(("data", "ends"), GOOD)
def test_a_header_is_taken_whole_and_nothing_after_it(
    data: bytes, ends: tuple[object, object] | None
) -> None:
    for behind in (b"", b"GET / HTTP/1.1\r\n", b"PROXY TCP4 ", b"\x16\x03\x01"):
        header = parse(data + behind)
        assert header is not None
        assert header.length == len(data)
        found = None if header.client is None or header.server is None else header
        if ends is None:
            assert found is None
        elif found is not None:
            hosts = tuple(end.host if isinstance(end, Endpoint) else end for end in ends)
            assert (header.client.host, header.server.host) == hosts  # type: ignore[union-attr]
            if ends is ENDS:
                assert (header.client, header.server) == ENDS
        else:
            pytest.fail("it names nobody")
    for length in range(len(data)):
        assert parse(data[:length]) is None, "it is not complete"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXX",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + b" " * 100,
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        b"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY \r\n",
        b"PROXY UNKNOWN\0\r\n",
        b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
        SIGNATURE[:-1] + b"X",
        version_2(0x11, 0x11, V4),
        version_2(0x22, 0x11, V4),
        version_2(0x21, 0x12, V4),
        version_2(0x21, 0x13, V4),
        version_2(0x21, 0x11, V4[:-1]),
        version_2(0x21, 0x21, V4),
        version_2(0x21, 0x11, bytes(LONGEST - 15)),
    ],
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse(data)


def outcome(data: bytes) -> ProxyHeader | str | None:
    try:
        return parse(data)
    except ProxyHeaderError:
        return "refused"


HEADS = st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\0\x0c"])


@given(HEADS, st.binary(max_size=120))
def test_what_is_decided_stays_decided_whatever_follows(head: bytes, tail: bytes) -> None:
    data = head + tail
    decided: ProxyHeader | str | None = None
    for length in range(len(data) + 1):
        now = outcome(data[:length])
        if decided is not None:
            assert now == decided
        elif isinstance(now, ProxyHeader):
            assert now.length == length, "it was complete before"
        decided = now


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 65535), st.integers(0, 65535))
def test_both_versions_say_the_same(one: Address, other: Address, port: int, target: int) -> None:
    if one.version != other.version:
        return
    family = 0x11 if one.version == 4 else 0x21
    text = f"PROXY TCP{one.version} {one} {other} {port} {target}\r\n".encode()
    rest = one.packed + other.packed + struct.pack("!HH", port, target)
    first, second = parse(text), parse(version_2(0x21, family, rest))
    assert first is not None
    assert second is not None
    expected = (Endpoint(str(one), port), Endpoint(str(other), target))
    assert (first.client, first.server) == (second.client, second.server) == expected
