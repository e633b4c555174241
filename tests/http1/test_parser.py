"""The parser as its caller sees it: feeding, pulling, limits, and what a client cannot do to it."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.memory import HeadMemory
from forkhttpd.http1.parser import Parser
from forkhttpd.http1.writer import LAST_CHUNK, chunk
from tests.http1.transcript import LIMITS, bytewise, transcribe

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def feed(data: bytes) -> Parser:
    parser = Parser(LIMITS)
    parser.feed(data)
    return parser


def path(parser: Parser) -> str | None:
    head = parser.next_request()
    return head[0].target.path if head else None


def test_nothing_has_started_before_the_first_byte() -> None:
    parser = Parser(LIMITS)
    assert not parser.started
    assert not parser.buffered
    assert parser.next_request() is None
    assert not parser.started


@pytest.mark.parametrize(
    ("data", "started"), [(b"\r", False), (b"\r\n", False), (b"\r\nG", True), (b"G", True)]
)
def test_an_empty_line_does_not_start_a_request(data: bytes, started: bool) -> None:
    parser = feed(data)
    assert parser.next_request() is None
    assert parser.started is started
    parser.feed((b"\r\n" + GET).removeprefix(data) if data[0] == 13 else GET[1:])
    assert path(parser) == "/a"


def test_started_is_about_the_next_request() -> None:
    parser = feed(GET + b"G")
    assert path(parser) == "/a"
    assert (parser.started, parser.buffered) == (True, True)
    parser.feed(GET[1:])
    assert path(parser) == "/a"
    assert (parser.started, parser.buffered) == (False, False)


def test_a_body_is_no_next_request() -> None:
    parser = feed(POST + b"ab")
    assert path(parser) == "/p"
    assert not parser.started
    assert parser.buffered


def test_a_sized_body_comes_as_it_came() -> None:
    parser = feed(POST + b"ab")
    parser.next_request()
    assert parser.next_data() == b"ab"
    assert parser.next_data() is None
    parser.feed(b"cde" + GET)
    assert [parser.next_data(), parser.next_data()] == [b"cde", b""]
    assert path(parser) == "/a"


def test_a_request_without_a_body_needs_no_pulling() -> None:
    parser = feed(GET + GET)
    assert path(parser) == "/a"
    assert parser.next_data() == b""
    assert path(parser) == "/a"


def test_the_end_of_a_body_is_told_as_often_as_it_is_asked() -> None:
    for request in (POST + b"abcde", CHUNKED + b"0\r\n\r\n"):
        parser = feed(request)
        parser.next_request()
        while parser.next_data():
            pass
        assert parser.next_data() == b""


def test_skipping_a_body_is_a_mistake_of_the_caller() -> None:
    for request in (POST + b"abcde", CHUNKED + b"0\r\n\r\n"):
        parser = feed(request)
        parser.next_request()
        with pytest.raises(RuntimeError):
            parser.next_request()


def test_H3_a_chunked_body_ends_where_it_ends() -> None:
    parser = feed(CHUNKED + b"2\r\nab\r\n0\r\n\r\n" + GET)
    parser.next_request()
    assert [parser.next_data(), parser.next_data()] == [b"ab", b""]
    assert path(parser) == "/a"


def test_H4_an_error_is_for_ever() -> None:
    parser = feed(b"BAD\r\n\r\n" + GET)
    for _ in range(2):
        with pytest.raises(HTTPError) as caught:
            parser.next_request()
        assert (caught.value.status, caught.value.close) == (400, True)
        parser.feed(GET)
        assert not parser.buffered
        assert not parser.started
    with pytest.raises(HTTPError):
        parser.next_data()


def test_H4_an_error_in_a_body_is_for_ever() -> None:
    parser = feed(CHUNKED + b"x\r\n\r\n" + GET)
    parser.next_request()
    for ask in (parser.next_data, parser.next_data, parser.next_request):
        with pytest.raises(HTTPError):
            ask()


def test_H4_a_good_request_is_delivered_before_a_bad_one_is_looked_at() -> None:
    parser = feed(GET + b"BAD\r\n\r\n")
    assert path(parser) == "/a"
    with pytest.raises(HTTPError):
        parser.next_request()


def test_after_close_there_is_nothing_more() -> None:
    parser = feed(b"GET /a HTTP/1.0\r\n\r\n" + GET)
    assert path(parser) == "/a"
    parser.feed(GET)
    assert parser.next_request() is None
    assert parser.next_data() == b""
    assert not parser.buffered
    assert not parser.started


def test_H6_trace_says_what_is_allowed() -> None:
    with pytest.raises(HTTPError) as caught:
        feed(b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n").next_request()
    assert caught.value.fields == (("Allow", "GET, HEAD, POST, OPTIONS"),)


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"GET /", 414),
        (b"GET / HTTP/1.1\r\nX: ", 431),
        (CHUNKED + b"0\r\nX: ", 431),
        (CHUNKED + b"1;", 431),
    ],
)
def test_H7_ten_megabytes_without_an_end_are_refused_at_the_limit(
    start: bytes, status: int
) -> None:
    parser = feed(start)
    if parser.next_request() is None:
        ask: Callable[[], object] = parser.next_request
    else:
        ask = parser.next_data
    with pytest.raises(HTTPError) as caught:
        feed_endlessly(parser, ask)
    assert caught.value.status == status


def feed_endlessly(parser: Parser, ask: Callable[[], object]) -> None:
    for fed in range(0, 10_000_000, 100):
        assert fed <= LIMITS.header + 100
        parser.feed(b"a" * 100)
        assert ask() is None


def test_H7_ten_megabytes_at_once_are_refused_too() -> None:
    with pytest.raises(HTTPError) as caught:
        feed(b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000_000).next_request()
    assert caught.value.status == 431


def test_H8_a_thousand_pipelined_requests_come_in_order() -> None:
    requests = [
        b"PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (number, number % 7)
        + b"b" * (number % 7)
        for number in range(1000)
    ]
    for memory in (None, HeadMemory(LIMITS)):
        received = transcribe([b"".join(requests)], memory=memory).requests
        assert [request.line.target.path for request in received] == [f"/{n}" for n in range(1000)]
        assert [len(request.body or b"") for request in received] == [n % 7 for n in range(1000)]


def test_H11_a_length_is_a_number_and_no_memory() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n"
    parser = feed(head)
    found = parser.next_request()
    assert found is not None
    assert found[1].length == 10 << 30
    assert parser.next_data() is None


def split(data: bytes, offsets: list[int]) -> list[bytes]:
    bounds = [0, *sorted(offset % (len(data) + 1) for offset in offsets), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


pieces = st.lists(st.binary(max_size=30) | st.text("\r\n0", max_size=12).map(str.encode))


@given(pieces, st.lists(st.integers(0, 1000)))
def test_any_chunked_body_is_read_back_however_it_is_cut(
    pieces: list[bytes], offsets: list[int]
) -> None:
    wire = CHUNKED + b"".join(map(chunk, pieces)) + LAST_CHUNK + GET
    transcript = transcribe(split(wire, offsets))
    assert transcript.error is None
    assert [request.body for request in transcript.requests] == [b"".join(pieces), b""]


@given(st.binary(max_size=60), st.lists(st.integers(0, 1000)))
def test_H3_any_bytes_as_chunks_mean_the_same_however_they_are_cut(
    body: bytes, offsets: list[int]
) -> None:
    wire = CHUNKED + body
    assert transcribe(split(wire, offsets)).view() == transcribe([wire]).view()


FRAGMENTS = [
    b"GET",
    b"POST",
    b" ",
    b"/",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
]
FRAGMENTS += [b"Host: x", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Upgrade: a", b":"]
FRAGMENTS += [
    b"Connection: upgrade",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    GET,
    POST,
    CHUNKED,
    b"\0",
    b"a",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14), st.lists(st.integers(0, 1000)))
def test_any_input_means_the_same_however_it_is_cut(
    fragments: list[bytes], offsets: list[int]
) -> None:
    wire = b"".join(fragments)
    whole = transcribe([wire]).view()
    assert transcribe(split(wire, offsets)).view() == whole
    assert transcribe(bytewise(wire)).view() == whole


@given(st.binary(max_size=200))
def test_any_bytes_before_a_request_are_read_or_refused_but_not_lost(data: bytes) -> None:
    transcript = transcribe([data, GET])
    if data in (b"", b"\r\n"):
        assert [request.line.target.path for request in transcript.requests] == ["/a"]
    assert transcript.requests or transcript.error
