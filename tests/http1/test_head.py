"""The second lock: what our own reading refuses even where llhttp would have let it pass."""

import pytest

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.head import RawFields, read_fields, read_line, read_section
from forkhttpd.http1.request import Version

LINE = read_line(b"POST / HTTP/1.1")
HOST = (b"Host", b"x")


def status_of(raw: RawFields) -> int:
    with pytest.raises(HTTPError) as caught:
        read_section(raw, LINE)
    return caught.value.status


def test_H3_length_beside_coding() -> None:
    assert status_of([HOST, (b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")]) == 400


@pytest.mark.parametrize("value", [b"", b"+1", b"-1", b"1_0", b"0x1", b"1,1", b"1" * 21, b"\xb2"])
def test_H7_a_length_is_decimal_digits(value: bytes) -> None:
    assert status_of([HOST, (b"Content-Length", value)]) == 400


def test_H3_two_lengths() -> None:
    assert status_of([HOST, (b"Content-Length", b"1"), (b"Content-Length", b"1")]) == 400


def test_H3_two_codings() -> None:
    coding = (b"Transfer-Encoding", b"chunked")
    assert status_of([HOST, coding, coding]) == 501


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
    ],
)
def test_H3_both_readers_must_find_the_same_end(head: bytes) -> None:
    with pytest.raises(HTTPError) as caught:
        read_fields(head, Version.HTTP_1_1)
    assert caught.value.status == 400


@pytest.mark.timeout(60)  # to look for the end of the coding from each space on would take hours
def test_H3_a_coding_in_a_refused_head_is_read_once_from_left_to_right() -> None:
    value = b"a" + b" " * (2 << 20) + b"b"
    head = b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %b\r\nX : y\r\n\r\n" % value
    with pytest.raises(HTTPError) as caught:
        read_fields(head, Version.HTTP_1_1)
    assert caught.value.status == 501


def test_a_line_is_kept_for_the_log_as_it_came() -> None:
    assert read_line(b"GET /a%20b?c HTTP/1.0").text == "GET /a%20b?c HTTP/1.0"
