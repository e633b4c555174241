"""The statistics: medians forgive one bad round, ratios are taken within rounds."""

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benchmark.summary import (
    CPU,
    RATE,
    Ratio,
    Values,
    Verdict,
    best,
    compare,
    summarize,
    values_of,
)
from tests.bench.samples import sample

_positive = st.floats(min_value=0.01, max_value=1e6)
_rounds = st.dictionaries(st.integers(1, 20), _positive, min_size=1)


def test_one_disturbed_round_does_not_move_the_median() -> None:
    summary = summarize({1: 10.0, 2: 10.0, 3: 90.0})
    assert summary is not None
    assert summary.median == 10.0
    assert summary.spread == pytest.approx(4.0)  # half of 80, in tens


def test_nothing_measured_is_no_summary() -> None:
    assert summarize({}) is None


@given(_rounds)
def test_the_median_lies_within_the_spread(values: Values) -> None:
    summary = summarize(values)
    assert summary is not None
    assert min(values.values()) <= summary.median <= max(values.values())
    width = 2 * summary.spread * summary.median
    assert width == pytest.approx(max(values.values()) - min(values.values()), abs=1e-6)


def test_a_ratio_is_taken_within_rounds_so_a_slower_machine_cancels_out() -> None:
    ours = {1: 10.0, 2: 20.0, 3: 40.0}
    theirs = {1: 20.0, 2: 40.0, 3: 80.0}
    assert compare(ours, theirs, less_is_better=True) == Ratio(0.5, Verdict.BETTER)


def test_rounds_that_only_one_of_both_has_do_not_count() -> None:
    ratio = compare({1: 10.0, 2: 1.0}, {1: 20.0, 3: 1.0}, less_is_better=True)
    assert ratio == Ratio(0.5, Verdict.BETTER)


def test_without_a_common_round_there_is_no_ratio() -> None:
    assert compare({1: 1.0}, {2: 1.0}, less_is_better=True) is None


def test_a_round_in_which_the_peer_had_nothing_is_no_division_by_zero() -> None:
    assert compare({1: 1.0}, {1: 0.0}, less_is_better=True) is None


@pytest.mark.parametrize(
    ("factor", "less_is_better", "verdict"),
    [
        (0.9, True, Verdict.BETTER),
        (0.9, False, Verdict.WORSE),
        (1.1, True, Verdict.WORSE),
        (1.1, False, Verdict.BETTER),
        (1.0, True, Verdict.OPEN),
        (1.0, False, Verdict.OPEN),
    ],
)
def test_which_side_of_one_is_better_depends_on_the_quantity(
    factor: float, less_is_better: bool, verdict: Verdict
) -> None:
    ratio = compare({1: factor, 2: factor}, {1: 1.0, 2: 1.0}, less_is_better=less_is_better)
    assert ratio == Ratio(factor, verdict)


def test_rounds_that_disagree_leave_the_verdict_open() -> None:
    ours, theirs = {1: 8.0, 2: 8.0, 3: 11.0}, {1: 10.0, 2: 10.0, 3: 10.0}
    assert compare(ours, theirs, less_is_better=True) == Ratio(0.8, Verdict.OPEN)


@given(ours=_rounds, theirs=_rounds)
def test_seen_from_the_other_side_the_verdict_is_the_opposite(ours: Values, theirs: Values) -> None:
    opposite = {
        Verdict.BETTER: Verdict.WORSE,
        Verdict.WORSE: Verdict.BETTER,
        Verdict.OPEN: Verdict.OPEN,
    }
    here = compare(ours, theirs, less_is_better=True)
    there = compare(theirs, ours, less_is_better=True)
    if here is None or there is None:
        assert here is there
        return
    # A ratio so near to one that its inverse rounds to one is open on one side only.
    ratios = [ours[number] / theirs[number] for number in ours if number in theirs]
    if all(abs(ratio - 1) > 1e-9 for ratio in ratios):
        assert there.verdict is opposite[here.verdict]
    assert here.median == pytest.approx(median(ratios))


def test_best_is_the_least_or_the_most() -> None:
    candidates = {"nginx": {1: 9.0, 2: 10.0}, "lighttpd": {1: 8.0, 2: 8.5}, "apache": {}}
    assert best(candidates, less_is_better=True) == "lighttpd"
    assert best(candidates, less_is_better=False) == "nginx"
    assert best({"apache": {}}, less_is_better=True) is None


def test_values_are_those_of_one_case_and_server_by_round() -> None:
    samples = [
        sample("nginx", 1, cpu=9.0, rate=100),
        sample("nginx", 2, cpu=None, rate=110),
        sample("nginx", 1, case="10m", cpu=900.0),
        sample("lighttpd", 1, cpu=8.0),
    ]
    assert values_of(CPU, samples, case="1k", server="nginx") == {1: 9.0}
    assert values_of(RATE, samples, case="1k", server="nginx") == {1: 100.0, 2: 110.0}
