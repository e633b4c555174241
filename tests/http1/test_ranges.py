"""Ranges: against the grammar's examples and against a slower, plainer reading."""

import contextlib
import sys
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.ranges import coalesce, content_range, parse


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-", [(500, 500)]),
        ("bytes=-500", [(500, 500)]),
        ("bytes=-5000", [(0, 1000)]),
        ("bytes=900-5000", [(900, 100)]),
        ("bytes=0-", [(0, 1000)]),
        ("BYTES=0-1", [(0, 2)]),
        ("bytes=0-0,-1", [(0, 1), (999, 1)]),
        ("bytes= 0-0 ,\t5-6 ,, ", [(0, 1), (5, 2)]),
        ("bytes=5-6,0-0", [(5, 2), (0, 1)]),
        ("bytes=0-0,2000-", [(0, 1)]),
        ("bytes=0-99999999999999999999999999", [(0, 1000)]),
        ("bytes=00000000000000000000000000005-6", [(5, 2)]),
    ],
)
def test_S5_satisfiable(value: str, expected: list[tuple[int, int]]) -> None:
    assert parse(value, 1000) == expected


MALFORMED = """
bytes bytes= bytes=, bytes=- bytes=a-b bytes=0 bytes=2-1 bytes=0-1-2 bytes=+0-1 bytes=0x0-1
bytes=--1 lines=0-1 0-1 bytes=0-1;2-3 bytes=0-1,x bytes=1_0- none bytes=2000-1000
"""


@pytest.mark.parametrize(
    "value",
    [*MALFORMED.split(), "", "bytes =0-1", "bytes=0 -1", "bytes=\u0660-\u0661"],
)
def test_S5_what_is_malformed_is_ignored(value: str) -> None:
    assert parse(value, 1000) is None


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("bytes=1000-", 1000),
        ("bytes=1000-2000,3000-", 1000),
        ("bytes=-0", 1000),
        ("bytes=0-", 0),
        ("bytes=99999999999999999999999999-", 1000),
        ("bytes=-0", 0),
    ],
)
def test_S5_unsatisfiable_is_416_with_the_size(value: str, size: int) -> None:
    with pytest.raises(HTTPError) as caught:
        parse(value, size)
    assert caught.value.status == 416
    assert caught.value.fields == (("Content-Range", f"bytes */{size}"),)
    assert not caught.value.close


def test_S5_the_end_of_an_empty_file_is_all_of_it() -> None:
    assert parse("bytes=-5", 0) is None


def test_S5_sixteen_ranges_and_no_more() -> None:
    assert len(parse("bytes=" + ",".join(["0-0"] * 16), 1000) or []) == 16
    assert parse("bytes=" + ",".join(["0-0"] * 17), 1000) is None
    assert parse("bytes=" + "0-," * 4000, 1000) is None
    assert parse("bytes=" + "," * 8000 + "0-0", 1000) == [(0, 1)]


def steps(value: str) -> int:
    """Count the instructions of Python that reading takes: the same on each machine, each time."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12.1 wants one before it traces (gh-103615)
    sys.settrace(trace)
    try:
        with contextlib.suppress(HTTPError):
            parse(value, 1000)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", ["0-,", "0-0 , ", ",", " ", "0", "-", "9", "x,", "1-0,"])
def test_S5_twice_as_long_a_value_takes_at_most_twice_the_steps(piece: str) -> None:
    """CVE-2025-62727.  What one step calls in C reads its text once from left to right."""
    for start, end in (("bytes=", ""), ("bytes=0-0,", ""), ("bytes=0-", ""), ("bytes=", "-")):
        taken = [steps(start + piece * count + end) for count in (500, 1000, 2000, 4000)]
        assert all(twice <= 2 * once for once, twice in pairwise(taken)), (start, end, taken)


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(0, 5)], [(0, 5)]),
        ([(0, 1000), (0, 1000)], [(0, 1000)]),
        ([(0, 500), (500, 500)], [(0, 1000)]),
        ([(0, 500), (499, 501)], [(0, 1000)]),
        ([(0, 10), (20, 10)], [(0, 30)]),  # as near as the limit of 10
        ([(0, 10), (21, 10)], [(0, 10), (21, 10)]),
        ([(21, 10), (0, 10)], [(21, 10), (0, 10)]),  # the client's order
        ([(500, 10), (0, 10), (515, 10)], [(500, 25), (0, 10)]),
        ([(0, 10), (40, 10), (500, 10), (18, 15)], [(0, 50), (500, 10)]),  # one that joins two
        ([(500, 10), (0, 1000)], [(0, 1000)]),
    ],
)
def test_S5_ranges_that_touch_are_one(
    ranges: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    assert coalesce(ranges, gap=10) == expected


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 20)), min_size=1, max_size=16),
    st.integers(0, 12),
)
def test_S5_joined_ranges_hold_what_was_asked_for_once(
    ranges: list[tuple[int, int]], gap: int
) -> None:
    joined = coalesce(ranges, gap=gap)
    wanted = {byte for start, length in ranges for byte in range(start, start + length)}
    held = [byte for start, length in joined for byte in range(start, start + length)]
    assert len(held) == len(set(held))
    assert wanted <= set(held)
    # What nobody asked for lies in gaps that are not longer than allowed.
    runs, last = 0, -2
    for byte in sorted(set(held) - wanted):
        runs = runs + 1 if byte == last + 1 else 1
        last = byte
        assert runs <= gap
    # Those that stay apart are farther from each other than that.
    in_order = sorted(joined)
    for (start, length), (following, _) in pairwise(in_order):
        assert following - (start + length) > gap

    # They stand in the order in which the client named the first of each.
    def first(part: tuple[int, int]) -> int:
        return min(i for i, (start, _) in enumerate(ranges) if part[0] <= start < sum(part))

    assert joined == sorted(joined, key=first)


def test_content_range() -> None:
    assert content_range((500, 500), 1000) == "bytes 500-999/1000"


def plain_reading(specs: list[tuple[int | None, int | None]], size: int) -> list[range]:
    """Every byte that a spec names, one range object each; for well-formed specs only."""
    named = []
    for first, last in specs:
        if first is None:
            named.append(range(max(0, size - (last or 0)), size))
        else:
            named.append(range(first, size if last is None else min(last + 1, size)))
    return [part for part in named if len(part)]


numbers = st.integers(0, 60)
specs = st.lists(
    st.one_of(
        st.tuples(st.none(), numbers),
        st.tuples(numbers, st.none()),
        st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))),
    ),
    min_size=1,
    max_size=16,
)


@given(specs, st.integers(1, 50))
def test_S5_as_a_plain_reading_gives_it(
    specs: list[tuple[int | None, int | None]], size: int
) -> None:
    value = "bytes=" + ",".join(
        f"{'' if first is None else first}-{'' if last is None else last}" for first, last in specs
    )
    expected = plain_reading(specs, size)
    if not expected:
        with pytest.raises(HTTPError):
            parse(value, size)
    else:
        assert parse(value, size) == [(part.start, len(part)) for part in expected]


@given(st.text("bytes=0123456789-, ", max_size=30), st.integers(0, 1000))
def test_S5_any_value_gives_parts_of_the_file(tail: str, size: int) -> None:
    try:
        found = parse("bytes=" + tail, size)
    except HTTPError as error:
        if error.status != 416:
            raise
        return
    for start, length in found or []:
        assert 0 <= start < start + length <= size
