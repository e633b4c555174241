"""Conditional requests, step by step in the order of RFC 9110 §13.2.2."""

import pytest

from forkhttpd.http1.conditional import Outcome, evaluate, if_range_holds
from forkhttpd.http1.dates import format_date
from forkhttpd.http1.headers import Fields

ETAG = '"now"'
MODIFIED = 1_000_000_000
BEFORE, AT, AFTER = (format_date(MODIFIED + seconds) for seconds in (-1, 0, 1))

GO, SAME, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.PRECONDITION_FAILED


def outcome(method: str, *items: tuple[str, str], etag: str | None = ETAG) -> Outcome:
    return evaluate(method, Fields(items), etag=etag, last_modified=MODIFIED)


@pytest.mark.parametrize(
    ("name", "value", "get", "put"),
    [
        ("if-match", '"now"', GO, GO),
        ("if-match", '"old", "now"', GO, GO),
        ("if-match", '"old"', FAILED, FAILED),
        ("if-match", 'W/"now"', FAILED, FAILED),
        ("if-match", "*", GO, GO),
        ("if-match", "now", FAILED, FAILED),
        ("if-match", "", FAILED, FAILED),
        ("if-unmodified-since", AT, GO, GO),
        ("if-unmodified-since", AFTER, GO, GO),
        ("if-unmodified-since", BEFORE, FAILED, FAILED),
        ("if-unmodified-since", "yesterday", GO, GO),
        ("if-none-match", '"now"', SAME, FAILED),
        ("if-none-match", 'W/"now"', SAME, FAILED),
        ("if-none-match", '"old" , "now"', SAME, FAILED),
        ("if-none-match", '"a,b","now"', SAME, FAILED),
        ("if-none-match", '"a, "now""', GO, GO),
        ("if-none-match", "*", SAME, FAILED),
        ("if-none-match", '"old"', GO, GO),
        ("if-none-match", "now", GO, GO),
        ("if-modified-since", AT, SAME, GO),
        ("if-modified-since", AFTER, SAME, GO),
        ("if-modified-since", BEFORE, GO, GO),
        ("if-modified-since", "yesterday", GO, GO),
    ],
)
def test_S6_one_condition(name: str, value: str, get: Outcome, put: Outcome) -> None:
    assert outcome("GET", (name, value)) is get
    assert outcome("HEAD", (name, value)) is get
    assert outcome("PUT", (name, value)) is put
    assert outcome("OPTIONS", (name, value)) is GO


def test_S6_no_condition() -> None:
    assert outcome("GET") is GO
    assert outcome("POST") is GO


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        # A tag beats the date of its step …
        ([("if-match", '"now"'), ("if-unmodified-since", BEFORE)], GO),
        ([("if-match", '"old"'), ("if-unmodified-since", AFTER)], FAILED),
        ([("if-none-match", '"old"'), ("if-modified-since", AFTER)], GO),
        ([("if-none-match", '"now"'), ("if-modified-since", BEFORE)], SAME),
        # … and the first step the second.
        ([("if-match", '"old"'), ("if-none-match", '"now"')], FAILED),
        ([("if-unmodified-since", BEFORE), ("if-none-match", '"now"')], FAILED),
        ([("if-match", '"now"'), ("if-none-match", '"now"')], SAME),
        ([("if-unmodified-since", AFTER), ("if-modified-since", AFTER)], SAME),
        # Lists may come in several fields, dates may not.
        ([("if-none-match", '"old"'), ("if-none-match", '"now"')], SAME),
        ([("if-modified-since", AFTER), ("if-modified-since", AFTER)], GO),
    ],
)
def test_S6_order(items: list[tuple[str, str]], expected: Outcome) -> None:
    assert outcome("GET", *items) is expected


def test_S6_a_weak_tag_of_ours_matches_weakly_only() -> None:
    assert outcome("GET", ("if-none-match", '"now"'), etag='W/"now"') is SAME
    assert outcome("GET", ("if-match", 'W/"now"'), etag='W/"now"') is FAILED


def test_S6_without_validators_conditions_on_them_are_void() -> None:
    def bare(name: str, value: str) -> Outcome:
        return evaluate("GET", Fields(((name, value),)), etag=None, last_modified=None)

    assert bare("if-modified-since", AFTER) is GO
    assert bare("if-unmodified-since", BEFORE) is GO
    assert bare("if-none-match", '"now"') is GO
    assert bare("if-match", '"now"') is FAILED
    assert bare("if-match", "*") is GO


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([], True),
        (['"now"'], True),
        (['"old"'], False),
        (['W/"now"'], False),
        (['"now", "old"'], False),
        (['"now"', '"now"'], False),
        (["*"], False),
        (["now"], False),
        ([AT], True),
        ([BEFORE], False),
        ([AFTER], False),
        ([""], False),
    ],
)
def test_S5_if_range_is_strong_and_exact(values: list[str], holds: bool) -> None:
    fields = Fields(tuple(("if-range", value) for value in values))
    assert if_range_holds(fields, etag=ETAG, last_modified=MODIFIED) is holds


def test_S5_if_range_never_holds_for_a_weak_tag_or_a_missing_validator() -> None:
    tag, date = Fields((("if-range", 'W/"a"'),)), Fields((("if-range", AT),))
    assert not if_range_holds(tag, etag='W/"a"', last_modified=None)
    assert not if_range_holds(tag, etag=None, last_modified=None)
    assert not if_range_holds(date, etag=ETAG, last_modified=None)
