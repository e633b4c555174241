"""The grammar of a program's header (C9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.handlers.cgi import output
from forkhttpd.handlers.cgi.output import OutputError

LINE_ENDS = (b"\n", b"\r\n")


@pytest.mark.parametrize("end", LINE_ENDS)
@given(header=st.binary(max_size=40), body=st.binary(max_size=20), cut=st.integers(0, 60))
def test_C9_the_end_is_found_however_the_output_is_cut(
    end: bytes, header: bytes, body: bytes, cut: int
) -> None:
    data = header.replace(b"\n", b"") + end + end + body
    whole = output.find_end(data, 0)
    assert whole is not None
    first = data[:cut]
    early = output.find_end(first, 0)
    assert early in (None, whole)
    if early is None:
        assert output.find_end(data, len(first)) == whole


@given(data=st.binary(max_size=200))
def test_C9_any_header_is_read_or_refused_and_what_is_read_is_safe(data: bytes) -> None:
    try:
        head = output.parse(b"Content-Type: a/b\n" + data + b"\n\n")
    except OutputError:
        return
    assert 200 <= head.status <= 599
    for name, value in head.fields:
        assert name.isascii()
        assert not set(name + value) & set("\r\n\0")


@pytest.mark.parametrize(
    ("header", "local"),
    [
        (b"Location: /x?y=1\n\n", "/x?y=1"),
        (b"LOCATION:/x\n\n", "/x"),
        (b"Location: //host/x\n\n", ""),
        (b"Location: http://host/x\n\n", ""),
        (b"Location: x\n\n", ""),
        (b"Location: /x\nStatus: 302\n\n", ""),
        (b"Location: /x\nX-Y: z\n\n", ""),
        (b"Content-Type: a/b\n\n", ""),
    ],
)
def test_C9_a_local_redirect_is_a_path_alone(header: bytes, local: str) -> None:
    assert output.parse(header).local == local


@pytest.mark.parametrize("before", [b"", b"Set-Cookie: a=b\n", b"Content-Type: text/plain\n"])
def test_C9_the_page_that_pythons_cgitb_makes_of_an_exception_is_a_page(before: bytes) -> None:
    head = output.parse(before + b"<!--: spam\nContent-Type: text/html\n\n")
    assert (head.status, head.fields) == (500, (("Content-Type", "text/html"),))


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (b"200", 200, ""),
        (b"200 ", 200, ""),
        (b"404 Not Here", 404, "Not Here"),
        (b"299  Two Spaces ", 299, "Two Spaces"),
        (b"500 Gr\xfc\xdfe", 500, "Grüße"),
    ],
)
def test_C9_a_status_and_its_phrase(text: bytes, status: int, reason: str) -> None:
    head = output.parse(b"Status: " + text + b"\n\n")
    assert (head.status, head.reason) == (status, reason)


@pytest.mark.parametrize("text", [b"", b"20", b"2000", b"200OK", b"199 x", b"600 x", b"OK 200"])
def test_C9_what_is_no_status_is_refused(text: bytes) -> None:
    with pytest.raises(OutputError):
        output.parse(b"Status: " + text + b"\n\n")


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404\n", b"HTTP/1.1 503 Gr\xfc\xdfe\r\n"]
)
def test_C9_nph_begins_with_a_status_line(line: bytes) -> None:
    assert output.parse_status_line(line) == int(line.split()[1])


@pytest.mark.parametrize(
    "line", [b"Content-Type: a/b\n", b"HTTP/2 200\n", b"HTTP/1.1 100 Continue\n", b"\n"]
)
def test_C9_nph_that_begins_otherwise_is_refused(line: bytes) -> None:
    with pytest.raises(OutputError):
        output.parse_status_line(line)


def test_what_programs_invent_is_not_remembered_without_bounds() -> None:
    for number in range(1000):
        value = f"{number}" * (1 + number % 2 * 500)
        head = output.parse(f"Content-Type: a/b\nX-Number: {value}\n\n".encode())
        assert head.fields[1] == ("X-Number", value)
    known = output._recall.cache_info()
    assert known.currsize == known.maxsize == 256
    kept = output.parse(b"Content-Type: a/b\n\n")
    assert output.parse(b"Content-Type: a/b\n\n") is kept
