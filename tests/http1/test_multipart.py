"""Several ranges in one body, as another reader of MIME takes them apart."""

from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.multipart import Multipart, compose
from forkhttpd.http1.ranges import coalesce

CONTENT = bytes(range(256)) * 4
PARTS = [(0, 10), (500, 1), (1000, 24)]


def multipart(parts: list[tuple[int, int]]) -> Multipart:
    return compose(parts, len(CONTENT), content_type="image/png", boundary="0a1b")


def read(body: bytes, content_type: str) -> list[tuple[str, str, bytes]]:
    """Return type, Content-Range and content of each part, as a mail reader has it."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    assert message.get_content_type() == "multipart/byteranges"
    assert message.defects == []
    payload = message.get_payload()
    assert isinstance(payload, list)
    return [_part(part) for part in payload if isinstance(part, Message)]


def _part(part: Message) -> tuple[str, str, bytes]:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return part.get_content_type(), part["Content-Range"], content


def test_S5_as_the_standard_spells_it() -> None:
    found = compose([(0, 2), (5, 1)], 10, content_type="text/plain", boundary="XYZ")
    assert found.content_type == "multipart/byteranges; boundary=XYZ"
    assert found.of(b"0123456789") == (
        b"\r\n--XYZ\r\n"
        b"Content-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--XYZ\r\n"
        b"Content-Type: text/plain\r\nContent-Range: bytes 5-5/10\r\n\r\n5\r\n--XYZ--\r\n"
    )


def test_S5_another_reader_finds_every_part() -> None:
    found = multipart(PARTS)
    letters = CONTENT.replace(b"\r", b"x").replace(b"\n", b"x")  # mail has ideas about lines
    assert read(found.of(letters), found.content_type) == [
        ("image/png", f"bytes {start}-{start + length - 1}/1024", letters[start : start + length])
        for start, length in PARTS
    ]


parts = st.lists(
    st.tuples(st.integers(0, 1023), st.integers(1, 1024)).map(
        lambda part: (part[0], min(part[1], 1024 - part[0]))
    ),
    min_size=1,
    max_size=16,
)


@given(parts)
def test_S5_the_length_is_known_beforehand(wanted: list[tuple[int, int]]) -> None:
    found = multipart(wanted)
    assert len(found.of(CONTENT)) == found.length
    apart = b"".join(
        before + CONTENT[start : start + length] for before, start, length in found.parts
    )
    assert apart + found.end == found.of(CONTENT)


@given(parts)
def test_S5_sixteen_parts_cost_less_than_three_kilobytes(wanted: list[tuple[int, int]]) -> None:
    joined = coalesce(wanted)
    assert multipart(joined).length <= len(CONTENT) + 3000


@pytest.mark.parametrize("count", [1, 16])
def test_S5_a_part_costs_about_what_a_gap_may_cost(count: int) -> None:
    found = multipart([(0, 1)] * count)
    assert found.length / count < 200
