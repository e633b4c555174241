"""What wrk prints is read exactly, and any failure it tells of is an error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benchmark.case import CASES, Case
from scripts.benchmark.load import Load, LoadError, check, parse_result

_GOOD = {
    "requests": 87063,
    "duration": 1001432,
    "bytes": 110047632,
    "connect": 0,
    "read": 0,
    "write": 0,
    "timeout": 0,
    "status": 0,
    "p50": 278,
    "p99": 647,
}
_SURROUNDINGS = """\
Running 1s test @ http://127.0.0.1:18085/1k.txt
  1 threads and 32 connections
  87063 requests in 1.00s, 104.95MB read
Requests/sec:  86938.50
Transfer/sec:    104.80MB
"""


def _output(**changes: int) -> str:
    return f"{_SURROUNDINGS}RESULT {json.dumps(_GOOD | changes)}\n"


def test_a_result_is_read_exactly_and_in_seconds() -> None:
    load = parse_result(_output())
    assert load == Load(87063, 1.001432, 110047632, 278, 647, {})
    assert load.rate == pytest.approx(86938.5, abs=0.1)


@given(requests=st.integers(1, 1 << 40), duration=st.integers(1, 1 << 40))
def test_the_rate_is_requests_over_the_time_really_taken(requests: int, duration: int) -> None:
    load = parse_result(_output(requests=requests, duration=duration))
    assert load.rate == pytest.approx(requests / duration * 1e6)


@pytest.mark.parametrize("kind", ["connect", "read", "write", "timeout", "status"])
def test_one_failure_of_any_kind_spoils_the_run(kind: str) -> None:
    load = parse_result(_output(**{kind: 1}))
    with pytest.raises(LoadError, match=f"among 87063 requests: {kind} 1"):
        check(load, _case("1k"), keeps=True)


def test_all_kinds_of_failures_are_told_at_once() -> None:
    load = parse_result(_output(read=3, status=4))
    assert load.failures == {"read": 3, "status": 4}
    with pytest.raises(LoadError, match="read 3, status 4"):
        check(load, _case("1k"), keeps=True)


def test_where_an_error_is_asked_for_every_answer_must_be_one() -> None:
    check(parse_result(_output(status=87063)), _case("404"), keeps=True)
    with pytest.raises(LoadError, match="status 1"):
        check(parse_result(_output(status=87062)), _case("404"), keeps=True)
    with pytest.raises(LoadError, match="status 87063"):
        check(parse_result(_output()), _case("404"), keeps=True)


def test_a_server_that_closes_unannounced_is_forgiven_once_per_request() -> None:
    check(parse_result(_output(read=87063)), _case("cgi"), keeps=False)
    for failures in ({"read": 87064}, {"read": 5, "connect": 1}):
        with pytest.raises(LoadError):
            check(parse_result(_output(**failures)), _case("cgi"), keeps=False)


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_a_run_without_an_answer_is_an_error() -> None:
    with pytest.raises(LoadError, match="not one request"):
        parse_result(_output(requests=0))


@pytest.mark.parametrize("output", ["", _SURROUNDINGS, _output() * 2])
def test_output_without_exactly_one_result_is_an_error(output: str) -> None:
    with pytest.raises(LoadError, match="no result"):
        parse_result(output)
