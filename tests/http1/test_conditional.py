"""Conditional requests, step by step in the order of RFC 9110 §13.2.2."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


# A plainer reading: what is meant is chosen first, and spelled afterwards.

Tag = tuple[bool, bool]  # weak, and whether it is that of the representation
Tags = list[Tag] | None  # None: "*"
Moment = int | None  # seconds from the modification; None: no date

tags = st.none() | st.lists(st.tuples(st.booleans(), st.booleans()), max_size=3)
moments = st.none() | st.integers(-2, 2)
spaces = st.sampled_from(["", " ", "\t", ", ", " ,\t"])


def plain_reading(
    method: str,
    match: tuple[Tags] | None,
    unmodified: tuple[Moment] | None,
    none_match: tuple[Tags] | None,
    modified: tuple[Moment] | None,
) -> Outcome:
    """RFC 9110 section 13.2.2 as it stands there; a field that is not there is None."""
    if method == "OPTIONS":
        return GO
    reading = method in ("GET", "HEAD")
    if match is not None:
        if match[0] is not None and (False, True) not in match[0]:
            return FAILED
    elif unmodified is not None and unmodified[0] is not None and unmodified[0] < 0:
        return FAILED
    if none_match is not None:
        if none_match[0] is None or any(same for _, same in none_match[0]):
            return SAME if reading else FAILED
    elif reading and modified is not None and modified[0] is not None and modified[0] >= 0:
        return SAME
    return GO


def spelled_tags(name: str, found: Tags, space: str) -> list[tuple[str, str]]:
    """Spell a list of tags in one field, or each in a field of its own where there is no space."""
    if found is None:
        return [(name, "*")]
    texts = [("W/" if weak else "") + (ETAG if same else '"old"') for weak, same in found]
    return (
        [(name, text) for text in texts or [""]] if not space else [(name, f"{space},".join(texts))]
    )


def spelled_date(name: str, seconds: Moment) -> list[tuple[str, str]]:
    return [(name, "soon" if seconds is None else format_date(MODIFIED + seconds))]


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]),
    st.none() | st.tuples(tags),
    st.none() | st.tuples(moments),
    st.none() | st.tuples(tags),
    st.none() | st.tuples(moments),
    spaces,
)
def test_S6_as_a_plain_reading_gives_it(
    method: str,
    match: tuple[Tags] | None,
    unmodified: tuple[Moment] | None,
    none_match: tuple[Tags] | None,
    modified: tuple[Moment] | None,
    space: str,
) -> None:
    items = chain(
        spelled_tags("if-match", match[0], space) if match else (),
        spelled_date("if-unmodified-since", unmodified[0]) if unmodified else (),
        spelled_tags("if-none-match", none_match[0], space) if none_match else (),
        spelled_date("if-modified-since", modified[0]) if modified else (),
    )
    expected = plain_reading(method, match, unmodified, none_match, modified)
    assert outcome(method, *items) is expected
