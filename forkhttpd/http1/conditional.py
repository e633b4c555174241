"""Conditional requests: may this method go on, given what the client has seen?

The order of evaluation is RFC 9110 §13.2.2; one function for each of its steps.  An entity tag is
the text of the ETag field, quotes and `W/` included.
"""

import re
from enum import Enum, auto

from forkhttpd.http1.dates import parse_date
from forkhttpd.http1.headers import Fields


class Outcome(Enum):
    """What the preconditions say."""

    PROCEED = auto()
    NOT_MODIFIED = auto()  # 304
    PRECONDITION_FAILED = auto()  # 412


_READING = ("GET", "HEAD")
_UNSELECTIVE = ("OPTIONS", "CONNECT", "TRACE")  # RFC 9110 §13.2.1: no representation, no condition
_ENTITY_TAG = re.compile(r'(?:W/)?"[!#-~\x80-\xff]*+"')
_TAG_LIST = re.compile(rf"[ \t,]*+(?:{_ENTITY_TAG.pattern}[ \t]*+(?:,[ \t,]*+|\Z))*+")


def evaluate(
    method: str, fields: Fields, *, etag: str | None, last_modified: int | None
) -> Outcome:
    """Return what becomes of a request for an existing representation.

    `last_modified` is in whole seconds since the epoch; None for either: it has none.
    """
    if method in _UNSELECTIVE:
        return Outcome.PROCEED
    if not _passes_match(fields, etag=etag, last_modified=last_modified):
        return Outcome.PRECONDITION_FAILED
    if _passes_none_match(method, fields, etag=etag, last_modified=last_modified):
        return Outcome.PROCEED
    return Outcome.NOT_MODIFIED if method in _READING else Outcome.PRECONDITION_FAILED


def if_range_holds(fields: Fields, *, etag: str | None, last_modified: int | None) -> bool:
    """Return whether Range may be looked at: RFC 9110 §13.1.5, strong comparison only."""
    values = fields.all("if-range")
    if not values:
        return True
    if len(values) > 1:
        return False
    if _ENTITY_TAG.fullmatch(values[0]):
        return etag is not None and _same_strongly(values[0], etag)
    date = parse_date(values[0])
    return date is not None and date == last_modified


def _passes_match(fields: Fields, *, etag: str | None, last_modified: int | None) -> bool:
    """Steps 1 and 2: If-Match, or else If-Unmodified-Since."""
    wanted = fields.joined("if-match")
    if wanted is not None:
        return wanted == "*" or (
            etag is not None and any(_same_strongly(tag, etag) for tag in _tags(wanted))
        )
    date = _single_date(fields, "if-unmodified-since")
    return date is None or last_modified is None or last_modified <= date


def _passes_none_match(
    method: str, fields: Fields, *, etag: str | None, last_modified: int | None
) -> bool:
    """Steps 3 and 4: If-None-Match, or else (reading only) If-Modified-Since."""
    known = fields.joined("if-none-match")
    if known is not None:
        return known != "*" and not (
            etag is not None and any(_same_weakly(tag, etag) for tag in _tags(known))
        )
    date = _single_date(fields, "if-modified-since") if method in _READING else None
    return date is None or last_modified is None or last_modified > date


def _single_date(fields: Fields, name: str) -> int | None:
    """Return a date field's value; RFC 9110 §13.1.3: none when it is invalid or comes twice."""
    values = fields.all(name)
    return parse_date(values[0]) if len(values) == 1 else None


def _tags(value: str) -> list[str]:
    """Return the tags of a list; a malformed one names none."""
    return _ENTITY_TAG.findall(value) if _TAG_LIST.fullmatch(value) else []


def _same_strongly(one: str, other: str) -> bool:
    """RFC 9110 §8.8.3.2: equal, and neither is weak."""
    return one == other and not one.startswith("W/")


def _same_weakly(one: str, other: str) -> bool:
    return one.removeprefix("W/") == other.removeprefix("W/")
