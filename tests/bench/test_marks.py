"""A mark is met, missed, or not judged at all; every case has one."""

import pytest

from scripts.benchmark.case import CASES
from scripts.benchmark.marks import MARKS, Mark, judge
from scripts.benchmark.peers import WARM, servers
from scripts.benchmark.rounds import Sample
from scripts.benchmark.summary import CPU, FAILURES, RATE, START
from scripts.benchmark.tables import BEST, Row
from tests.bench.samples import sample

_NAMES = [known.name for known in servers()]


def _verdict(mark: Mark, samples: list[Sample]) -> tuple[float | None, bool | None]:
    judgement = judge(mark, samples, _NAMES)
    return judgement.measured, judgement.met


@pytest.mark.parametrize(("ours", "met"), [(8.0, True), (9.0, True), (9.1, False)])
def test_a_cost_may_reach_its_bound_and_not_exceed_it(ours: float, met: bool) -> None:
    samples = [sample("forkhttpd", 1, cpu=ours), sample("nginx", 1, cpu=10.0)]
    mark = Mark(Row("x", "1k", CPU), 0.9, "", "nginx")
    assert _verdict(mark, samples) == (ours / 10, met)


@pytest.mark.parametrize(("ours", "met"), [(999, False), (1000, True), (2000, True)])
def test_a_rate_must_not_fall_below_that_of_the_best_peer(ours: float, met: bool) -> None:
    samples = [
        sample("forkhttpd-warm", 1, case="python", rate=ours),
        sample("forkhttpd", 1, case="python", rate=5000),
        sample("lighttpd", 1, case="python", rate=100),
        sample("busybox", 1, case="python", rate=90),
    ]
    mark = Mark(Row("x", "python", RATE, WARM), 10, "", BEST)
    assert _verdict(mark, samples) == (ours / 100, met)


def test_a_bound_without_a_peer_is_on_our_own_median() -> None:
    samples = [
        Sample(number, "alone", "forkhttpd", {"start": value})
        for number, value in enumerate([390.0, 900.0, 395.0], 1)
    ]
    assert _verdict(Mark(Row("x", "alone", START), 400, ""), samples) == (395.0, True)
    assert _verdict(Mark(Row("x", "alone", START), 394, ""), samples) == (395.0, False)


def test_no_failure_at_all_meets_the_bound_of_none() -> None:
    mark = Mark(Row("x", "reload", FAILURES), 0, "")
    assert _verdict(mark, [Sample(1, "reload", "forkhttpd", {"failures": 0.0})]) == (0.0, True)
    assert _verdict(mark, [Sample(1, "reload", "forkhttpd", {"failures": 1.0})]) == (1.0, False)


@pytest.mark.parametrize("missing", ["forkhttpd", "nginx"])
def test_without_us_or_the_peer_nothing_is_judged(missing: str) -> None:
    there = {"forkhttpd", "nginx"} - {missing}
    mark = Mark(Row("x", "1k", CPU), 0.9, "", "nginx")
    assert _verdict(mark, [sample(name, 1) for name in there]) == (None, None)


def test_every_case_has_a_mark_and_every_mark_a_case_and_a_reason() -> None:
    assert {mark.row.case for mark in MARKS} == {case.name for case in CASES}
    assert all(mark.reason for mark in MARKS)
    assert {mark.against for mark in MARKS} <= {None, BEST, *_NAMES}
    assert len({mark.title for mark in MARKS}) == len(MARKS)
