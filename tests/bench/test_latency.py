"""Waits are told as they were, and an answer's end is known from its header."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benchmark.latency import LatencyError, answer_end, percentile

_HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0), (0.0, 1.0)]
)
def test_a_percentile_is_by_nearest_rank(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0.01, 1))
def test_that_share_of_all_is_not_above_a_percentile(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= math.floor(share * len(values))


@given(st.integers(0, len(_HEAD) - 1))
def test_an_answer_whose_header_is_not_there_yet_has_no_end(length: int) -> None:
    assert answer_end(_HEAD[:length]) is None


@given(st.binary(max_size=20))
def test_an_answer_ends_where_its_header_says_however_much_is_there(body: bytes) -> None:
    assert answer_end(_HEAD + body) == (len(_HEAD) + 5, False)


@pytest.mark.parametrize(
    ("head", "ends"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\n", False),
    ],
)
def test_whether_the_connection_ends_is_seen(head: bytes, ends: bool) -> None:
    assert answer_end(head) == (len(head) + 5, ends)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_right_answer_is_an_error(head: bytes) -> None:
    with pytest.raises(LatencyError, match="not as it must be"):
        answer_end(head)
