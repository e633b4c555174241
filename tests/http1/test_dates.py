"""Dates: one format written, three read."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.dates import format_date, parse_date

MOMENT = 784111777  # the example of RFC 9110 §5.6.7
moments = st.integers(-(10**10), 253402300799)  # the year 1653 to the end of 9999


def test_the_example_of_the_rfc_in_its_three_formats() -> None:
    assert format_date(MOMENT) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == MOMENT
    assert parse_date("Sunday, 06-Nov-94 08:49:37 GMT") == MOMENT
    assert parse_date("Sun Nov  6 08:49:37 1994") == MOMENT


def test_parts_of_a_second_are_cut_off() -> None:
    assert format_date(MOMENT + 0.999) == format_date(MOMENT)


@given(moments)
def test_what_is_written_is_read_back(moment: int) -> None:
    assert parse_date(format_date(moment)) == moment


@given(st.integers(0, 253402300799))
def test_dates_are_those_of_the_standard_library(moment: int) -> None:
    assert format_date(moment) == format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("digits", "year"), [("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000)]
)
def test_two_digits_of_a_year_are_never_far_in_the_future(digits: str, year: int) -> None:
    moment = parse_date(f"Monday, 01-Mar-{digits} 00:00:00 GMT")
    assert moment == int(datetime(year, 3, 1, tzinfo=UTC).timestamp())


def test_a_leap_second_is_a_second() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_date(
        "Sun, 01 Jan 2017 00:00:00 GMT"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=1",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    parse_date(text)
