"""Framing as a table, heads as bytes."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.headers import Items
from forkhttpd.http1.request import Version
from forkhttpd.http1.response import EMPTY, Body, Bytes, Chunks, FileSlice, Raw, Response
from forkhttpd.http1.writer import (
    LAST_CHUNK,
    Framing,
    body_length,
    choose_framing,
    chunk,
    reason_phrase,
    render_head,
)

OLD, NEW = Version.HTTP_1_0, Version.HTTP_1_1
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
PLAIN = Framing(fields=(), sends_body=False, chunked=False, keep_alive=True)


async def no_pieces() -> AsyncIterator[bytes]:
    for piece in (b"",):
        yield piece


def frame(
    body: Body = EMPTY,
    *,
    method: str = "GET",
    version: Version = NEW,
    status: int = 200,
    wish: bool = True,
    close: bool = False,
) -> Framing:
    response = Response(status, body=body, close_connection=close)
    return choose_framing(method, version, response=response, keep_alive=wish)


CLOSE = ("Connection", "close")
KEEP = ("Connection", "keep-alive")
CHUNKED = ("Transfer-Encoding", "chunked")


def length(number: int) -> tuple[str, str]:
    return ("Content-Length", str(number))


@pytest.mark.parametrize(
    ("body", "version", "wish", "expected"),
    [
        (Bytes(b"abc"), NEW, True, Framing((length(3),), True, False, True)),
        (Bytes(b"abc"), NEW, False, Framing((length(3), CLOSE), True, False, False)),
        (Bytes(b"abc"), OLD, True, Framing((length(3), KEEP), True, False, True)),
        (Bytes(b"abc"), OLD, False, Framing((length(3),), True, False, False)),
        (Bytes(b""), NEW, True, Framing((length(0),), False, False, True)),
        (EMPTY, NEW, True, Framing((length(0),), False, False, True)),
        (FileSlice(3, 5, 7), NEW, True, Framing((length(7),), True, False, True)),
        (Chunks(no_pieces(), 9), NEW, True, Framing((length(9),), True, False, True)),
        (Chunks(no_pieces()), NEW, True, Framing((CHUNKED,), True, True, True)),
        (Chunks(no_pieces()), NEW, False, Framing((CHUNKED, CLOSE), True, True, False)),
        (Chunks(no_pieces()), OLD, True, Framing((), True, False, False)),
        (Chunks(no_pieces()), OLD, False, Framing((), True, False, False)),
    ],
)
def test_framing(body: Body, version: Version, wish: bool, expected: Framing) -> None:
    assert frame(body, version=version, wish=wish) == expected


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("wish", [True, False])
@pytest.mark.parametrize("body", [EMPTY, Bytes(b"abc"), Chunks(no_pieces()), FileSlice(3, 0, 9)])
def test_H14_head_has_the_fields_of_get(body: Body, version: Version, wish: bool) -> None:
    get = frame(body, version=version, wish=wish)
    head = frame(body, version=version, wish=wish, method="HEAD")
    assert not head.sends_body
    assert (head.fields, head.keep_alive) == (get.fields, get.keep_alive)


@pytest.mark.parametrize("status", [100, 103, 204, 304])
def test_statuses_without_a_body_have_no_length_either(status: int) -> None:
    for body in (EMPTY, Bytes(b"abc"), Chunks(no_pieces())):
        for version, fields in ((NEW, ()), (OLD, (KEEP,))):
            assert frame(body, status=status, version=version) == Framing(
                fields, sends_body=False, chunked=False, keep_alive=True
            )


def test_a_response_may_close_the_connection() -> None:
    assert frame(Bytes(b"abc"), close=True).fields == (length(3), CLOSE)
    assert not frame(Bytes(b"abc"), close=True).keep_alive


def test_a_raw_answer_frames_itself() -> None:
    with pytest.raises(ValueError, match="raw"):
        body_length(Response(200, body=Raw(no_pieces())))


def test_a_head_whole() -> None:
    fields = (("Content-Type", "text/html"), ("Set-Cookie", "a"), ("Set-Cookie", "b"))
    response = Response(404, fields, Bytes(b"abc"))
    framing = choose_framing("GET", NEW, response=response, keep_alive=False)
    assert render_head(response, framing, date=DATE, server="forkhttpd") == (
        b"HTTP/1.1 404 Not Found\r\n"
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        b"Server: forkhttpd\r\n"
        b"Content-Type: text/html\r\n"
        b"Set-Cookie: a\r\n"
        b"Set-Cookie: b\r\n"
        b"Content-Length: 3\r\n"
        b"Connection: close\r\n"
        b"\r\n"
    )


def test_H14_date_always_and_server_when_it_is_named() -> None:
    head = render_head(Response(204), PLAIN, date=DATE, server="")
    assert head == b"HTTP/1.1 204 No Content\r\nDate: " + DATE.encode() + b"\r\n\r\n"


def test_values_are_latin1() -> None:
    head = render_head(Response(200, (("X-A", "\xe9"),)), PLAIN, date=DATE, server="")
    assert b"X-A: \xe9\r\n" in head


BAD_ITEMS: list[Items] = [
    ((f"X{bad}Y", "a"),) for bad in ("\r", "\n", "\0", "\r\n", ":", " ", "é", "\t")
]
BAD_ITEMS += [(("X", f"a{bad}b"),) for bad in ("\r", "\n", "\0", "\r\n", "\r\nSet-Cookie: a")]
BAD_ITEMS += [(("", "a"),), (("X", "\u20ac"),), (("X", "\n"), ("Y", "\r"))]


@pytest.mark.parametrize("items", BAD_ITEMS)
def test_H12_what_is_not_one_field_is_refused(items: Items) -> None:
    with pytest.raises(ValueError, match=r"name of a field|CR, LF or NUL|latin-1"):
        render_head(Response(200, items), PLAIN, date=DATE, server="")


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "CONNECTION", "Date", "Server"]
)
def test_H12_the_writers_own_fields_come_from_nobody_else(name: str) -> None:
    with pytest.raises(ValueError, match="the writer adds"):
        render_head(Response(200, ((name, "1"),)), PLAIN, date=DATE, server="")


def test_H12_the_servers_name_is_checked_too() -> None:
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        render_head(Response(200), PLAIN, date=DATE, server="a\r\nb: c")


@pytest.mark.parametrize("status", [0, 99, 1000, -200])
def test_a_status_has_three_digits(status: int) -> None:
    with pytest.raises(ValueError, match="not a status"):
        render_head(Response(status), PLAIN, date=DATE, server="")


texts = st.text(st.characters(max_codepoint=255), max_size=10)


@given(st.lists(st.tuples(st.text("abcXYZ-_", min_size=1, max_size=8), texts), max_size=5))
def test_H12_a_head_has_the_lines_it_was_given(items: list[tuple[str, str]]) -> None:
    response = Response(200, tuple(("X-" + name, value) for name, value in items))
    if set("".join(value for _, value in items)) & set("\r\n\0"):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            render_head(response, PLAIN, date=DATE, server="")
    else:
        head = render_head(response, PLAIN, date=DATE, server="").decode("latin-1")
        lines = head.removesuffix("\r\n\r\n").split("\r\n")
        assert lines[2:] == [f"X-{name}: {value}" for name, value in items]


def test_phrases() -> None:
    assert reason_phrase(413) == "Content Too Large"
    assert reason_phrase(299) == "Success"
    assert reason_phrase(499) == "Client Error"
    assert reason_phrase(999) == "Unknown"


def test_chunks() -> None:
    assert chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
    assert chunk(b"") == b""
    assert LAST_CHUNK == b"0\r\n\r\n"
