"""A peer that cannot do what a case asks is left out of it, and said so; ours is never excused."""

from pathlib import Path
from typing import cast

import pytest

from scripts.benchmark.bench import Bench
from scripts.benchmark.case import CASES
from scripts.benchmark.latency import LatencyError
from scripts.benchmark.peers import SUBJECT, WARM
from scripts.benchmark.rounds import Step
from scripts.benchmark.running import ServerError, Surroundings

CASE = next(case for case in CASES if case.name == "alone")


def bench() -> Bench:
    """Return a bench that has nothing to measure with yet."""
    return Bench(Path("wrk"), cast(Surroundings, None), {}, seconds=1)


def step(server: str) -> Step:
    return Step(1, CASE, server)


def fail(words: str) -> None:
    raise LatencyError(words)


def test_a_peer_that_fails_is_left_out_with_the_reason() -> None:
    made = bench()
    with made._attempt(step("apache-event")):
        fail("170 of 10000 idle connections were ended")
    reason = "apache-event, case alone: 170 of 10000 idle connections were ended"
    assert made.failures == {("apache-event", "alone"): reason}


@pytest.mark.parametrize("ours", [SUBJECT, WARM])
def test_ours_ends_the_run(ours: str) -> None:
    made = bench()
    with (
        pytest.raises(ServerError, match=f"{ours}, case alone: too few"),
        made._attempt(step(ours)),
    ):
        raise LatencyError("too few")
    assert not made.failures
