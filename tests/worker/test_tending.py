"""When a worker tends to its logs and counters, and how long its loop may wait."""

import pytest

from forkhttpd.worker.tending import PAUSE, Tending


def tended(now: float) -> Tending:
    tending = Tending()
    tending.begin(now)
    return tending


def test_at_first_it_is_due() -> None:
    assert Tending().is_due(7.0)
    assert Tending().wait(7.0, patience=0.5) == 0.0


def test_then_the_loop_waits_until_a_log_is_due() -> None:
    assert tended(7.0).wait(7.0, patience=0.5) == 0.5


@pytest.mark.parametrize("patience", [0.0, 0.004, 0.5])
def test_after_an_event_it_waits_for_the_rest_of_the_pause_and_never_spins(patience: float) -> None:
    tending, now = tended(7.0), 7.0 + PAUSE / 4
    assert not tending.is_due(now)
    wait = tending.wait(now, patience)
    assert wait == pytest.approx(PAUSE * 3 / 4)
    assert tending.is_due(now + wait + 1e-9)


def test_what_is_overdue_is_done_without_a_wait() -> None:
    assert tended(7.0).wait(8.0, patience=0.5) == 0.0
    assert tended(7.0).is_due(8.0)
