"""Dates of HTTP: RFC 9110 §5.6.7.  One format is written, three are read."""

import re
import time
from calendar import timegm
from datetime import date

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY = f"(?:{'|'.join(_DAYS)})"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"

_FORMATS = (
    re.compile(f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def format_date(seconds: float) -> str:
    """Return seconds since the epoch as an IMF-fixdate, whatever the locale."""
    moment = time.gmtime(seconds)
    return (
        f"{_DAYS[moment.tm_wday]}, {moment.tm_mday:02} {_MONTHS[moment.tm_mon - 1]}"
        f" {moment.tm_year:04} {moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02} GMT"
    )


def parse_date(text: str) -> int | None:
    """Return seconds since the epoch of an IMF-fixdate, an RFC 850 date or an asctime date.

    None for anything else, dates that no calendar has included.  The name of the day is not held
    against the date.
    """
    for pattern in _FORMATS:
        match = pattern.fullmatch(text)
        if match is not None:
            return _seconds(match)
    return None


def _seconds(match: re.Match[str]) -> int | None:
    year, month, day = _full_year(match["year"]), _MONTHS.index(match["month"]) + 1, match["day"]
    try:
        date(year, month, int(day))
    except ValueError:
        return None
    clock = (int(match["hour"]), int(match["minute"]), int(match["second"]))
    return timegm((year, month, int(day), *clock))


def _full_year(digits: str) -> int:
    """Read the two digits of RFC 850 without a clock: 70 to 99 are of the past century.

    Taking a date for too old costs a transfer; taking it for too new would answer 304 for ever.
    """
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (1900 if year >= 70 else 2000)
