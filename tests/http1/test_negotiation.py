"""What a client would rather have: against examples, and against a plainer reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.negotiation import codings, prefers

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ("gzip", ("gzip",)),
        ("gzip, deflate, br, zstd", ("zstd", "br", "gzip")),
        ("GZIP", ("gzip",)),
        ("x-gzip", ("gzip",)),
        ("x-gzip, gzip;q=0", ()),
        ("gzip;q=1.0, br;q=0.5", ("gzip", "br")),
        ("br;q=0.5,gzip;q=0.501", ("gzip", "br")),
        ("gzip;q=0", ()),
        ("gzip; q=0.000", ()),
        ("gzip;q=0.001", ("gzip",)),
        ("gzip ; q=1", ("gzip",)),
        ("*", ("zstd", "br", "gzip")),
        ("*;q=0", ()),
        ("*;q=0, gzip", ("gzip",)),
        ("gzip;q=0, *", ("zstd", "br")),
        ("identity", ()),
        ("identity, gzip", ("gzip",)),
        ("identity;q=1, gzip;q=0.5", ()),
        ("identity;q=0.5, gzip;q=0.5, br;q=0.4", ("gzip",)),
        ("identity;q=0, gzip;q=0.1", ("gzip",)),
        ("identity;q=0", ()),
        ("*;q=0.5, gzip;q=0.3", ("zstd", "br")),
        ("deflate, compress", ()),
        ("gzip;q=2", ()),
        ("gzip;q=0.1234", ()),
        ("gzip;level=1", ()),
        ("gzip;q=", ()),
        (";;,,, gzip ,\t", ("gzip",)),
        ("gzip, gzip;q=0", ("gzip",)),
        ("gz\u00efp, br", ("br",)),
    ],
)
def test_S7_codings(value: str | None, expected: tuple[str, ...]) -> None:
    assert codings(value, ALL) == expected


def test_S7_the_servers_order_decides_where_the_client_has_none() -> None:
    assert codings("gzip, br, zstd", ("gzip", "zstd")) == ("gzip", "zstd")
    assert codings("gzip;q=0.9, br, zstd", ("gzip", "zstd")) == ("zstd", "gzip")
    assert codings("gzip, br", ()) == ()


names = st.sampled_from(["gzip", "br", "zstd", "identity", "*", "deflate"])
weights = st.integers(0, 1000)


@given(st.dictionaries(names, weights), st.permutations(ALL))
def test_S7_as_a_plain_reading_gives_it(wanted: dict[str, int], offered: list[str]) -> None:
    """RFC 9110 section 12.5.3 as it stands there, one content coding after the other."""
    value = ", ".join(f"{name};q={weight / 1000:.3f}" for name, weight in wanted.items())

    def weight(name: str) -> int | None:
        return wanted.get(name, wanted.get("*"))

    identity = weight("identity")
    acceptable = [(name, weight(name) or 0) for name in offered]
    acceptable = [(name, q) for name, q in acceptable if q > 0]
    if identity:  # what is liked less than what is always there
        acceptable = [(name, q) for name, q in acceptable if q >= identity]
    best_first = sorted(acceptable, key=lambda pair: (-pair[1], offered.index(pair[0])))
    assert codings(value, tuple(offered)) == tuple(name for name, _ in best_first)


@given(st.text("gzipbrstd*;=q01., \t", max_size=60))
def test_S7_any_value_names_some_of_what_is_offered(value: str) -> None:
    found = codings(value, ALL)
    assert set(found) <= set(ALL)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", True),
        ("APPLICATION/JSON", True),
        ("application/*", True),
        ("application/json;q=0.5, */*;q=0.1", True),
        ("application/json;q=0.5, text/html", False),
        ("application/json, text/*;q=0.9", True),
        ("application/json;q=0", False),
        ("text/html;q=0, */*", True),
        ("application/json;q=x", False),
        ("json", False),
    ],
)
def test_S8_a_type_over_another(value: str | None, expected: bool) -> None:
    assert prefers(value, "application/json", over="text/html") is expected
