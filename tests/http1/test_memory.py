"""The memory of heads changes nothing but the time it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.limits import ParserLimits
from forkhttpd.http1.memory import HeadMemory
from forkhttpd.http1.parser import Head, Parser
from tests.http1.transcript import LIMITS, bytewise, transcribe

LINES = (
    """
GET / HTTP/1.1|GET / HTTP/1.0|HEAD / HTTP/1.1|POST /p HTTP/1.1|POST /p HTTP/1.0|GET /a?b HTTP/1.1
GET http://other.example/ HTTP/1.1|GET http://other.example/ HTTP/1.0|OPTIONS * HTTP/1.1
GET * HTTP/1.1|GET / HTTP/2.0|CONNECT a:1 HTTP/1.1|TRACE / HTTP/1.1|BREW / HTTP/1.1|get / HTTP/1.1
GET /../ HTTP/1.1|GET  / HTTP/1.1|GET /|GET / HTTP/1.1 |
""".replace("\n", "|")
    .strip("|")
    .encode()
    .split(b"|")
)

FIELDS = (
    """
Host: x|Host: y|Host: X:80|Host:|Content-Length: 0|Content-Length: 3|Content-Length: 3, 3
Transfer-Encoding: chunked|Transfer-Encoding: gzip|Connection: close|Connection: keep-alive
Connection: upgrade|Upgrade: h2c|Expect: 100-continue|Expect: x|X_A: y|X-A: y|X-A : y| X-A: y
Content_Length: 3|Cookie: a=b
""".replace("\n", "|")
    .strip("|")
    .encode()
    .split(b"|")
)

blocks = st.lists(st.sampled_from(FIELDS), max_size=4) | st.just([b"Host: x"])
heads = st.builds(
    lambda line, fields: b"\r\n".join([line, *fields]) + b"\r\n\r\n",
    st.sampled_from(LINES) | st.just(LINES[0]),
    blocks,
)
tails = st.sampled_from([b"", b"", b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"\r\n", b"0\r\n\r\n"])
streams = st.lists(st.tuples(heads, tails).map(b"".join), min_size=1, max_size=5).map(b"".join)


@given(st.lists(streams, min_size=1, max_size=6), st.integers(1, 4))
def test_with_and_without_memory_every_connection_reads_the_same(
    connections: list[bytes], entries: int
) -> None:
    memories = [HeadMemory(LIMITS), HeadMemory(LIMITS, entries=entries)]
    for wire in connections + connections:
        expected = transcribe([wire]).view()
        for memory in memories:
            assert transcribe([wire], memory=memory).view() == expected
            assert transcribe(bytewise(wire), memory=memory).view() == expected


@given(st.lists(heads, min_size=1, max_size=8), heads)
def test_no_head_is_accepted_from_parts_that_reading_would_refuse(
    known: list[bytes], head: bytes
) -> None:
    memory = HeadMemory(LIMITS)
    for other in known:
        transcribe([other], memory=memory)
    assert transcribe([head], memory=memory).view() == transcribe([head]).view()


def request(line: bytes = b"GET / HTTP/1.1", *fields: bytes) -> bytes:
    return b"\r\n".join([line, b"Host: x", *fields]) + b"\r\n\r\n"


def read(data: bytes, memory: HeadMemory) -> Head:
    parser = Parser(LIMITS, memory)
    parser.feed(data)
    head = parser.next_request()
    assert head is not None
    return head


def test_what_is_remembered_is_shared() -> None:
    memory = HeadMemory(LIMITS)
    first, second = read(request(), memory), read(request(), memory)
    assert first[0] is second[0]
    assert first[1] is second[1]


def test_a_known_head_is_not_read_again() -> None:
    memory = HeadMemory(LIMITS)
    line, section = read(request(), memory)
    memory.lines[b"what no reader accepts HTTP/1.1"] = line
    memory.sections[b"HTTP/1.1\r\nnor this\r\n\r\n"] = section
    known = read(b"what no reader accepts HTTP/1.1\r\nnor this\r\n\r\n", memory)
    assert known[0] is line
    assert known[1] is section


def test_lines_and_fields_are_remembered_apart() -> None:
    memory = HeadMemory(LIMITS)
    one, other = (
        read(request(b"GET /1 HTTP/1.1"), memory),
        read(request(b"GET /2 HTTP/1.1"), memory),
    )
    assert one[1] is other[1]
    read(request(b"GET /1 HTTP/1.1", b"X: y"), memory)
    crossed = read(request(b"GET /2 HTTP/1.1", b"X: y"), memory)
    assert crossed[0] is other[0]
    assert crossed[1].fields.get("x") == "y"


def test_fields_of_one_version_say_nothing_of_the_other() -> None:
    memory = HeadMemory(LIMITS)
    assert not read(b"GET / HTTP/1.0\r\n\r\n", memory)[1].keep_alive
    assert transcribe([b"GET / HTTP/1.1\r\n\r\n"], memory=memory).error == 400
    read(request(), memory)
    assert not read(request(b"GET / HTTP/1.0"), memory)[1].keep_alive


@pytest.mark.parametrize(
    "head",
    [
        request(b"GET http://other.example/ HTTP/1.1"),
        request(b"POST / HTTP/1.1", b"Content-Length: 3"),
        request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked"),
        request(b"GET / HTTP/1.1", b"Expect: 100-continue"),
        request(b"GET / HTTP/1.1", b"Upgrade: h2c"),
        request(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: h2c"),
    ],
)
def test_what_has_consequences_is_not_remembered(head: bytes) -> None:
    memory = HeadMemory(LIMITS)
    read(head, memory)
    assert not memory.lines
    assert not memory.sections


def test_large_parts_are_not_remembered() -> None:
    limits = ParserLimits(request_line=10_000, header=10_000, header_fields=10)
    memory = HeadMemory(limits)
    parser = Parser(limits, memory)
    for head in (
        request(b"GET /" + b"a" * 600 + b" HTTP/1.1"),
        request(LINES[0], b"X: " + b"a" * 2100),
    ):
        parser.feed(head)
        assert parser.next_request()
    assert not memory.lines
    assert not memory.sections


def test_what_is_refused_is_not_remembered() -> None:
    memory = HeadMemory(LIMITS)
    for head in (request(b"GET / HTTP/1.1", b"Host: y"), request(b"GET / HTTP/1.1", b"X : y")):
        assert transcribe([head], memory=memory).error == 400
    assert not memory.lines
    assert not memory.sections


def test_the_memory_is_bounded() -> None:
    memory = HeadMemory(LIMITS, entries=10)
    for number in range(100):
        read(request(b"GET /%d HTTP/1.1" % number, b"X: %d" % number), memory)
        assert 0 < len(memory.lines) <= 10
        assert 0 < len(memory.sections) <= 10


def test_a_memory_is_good_for_its_limits_only() -> None:
    with pytest.raises(ValueError, match="limits"):
        Parser(ParserLimits(request_line=1, header=1, header_fields=1), HeadMemory(LIMITS))
