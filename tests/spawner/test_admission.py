"""The limit and the queue of a pool, by the table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.spawner.admission import Admission


def pool(*, limit: int, places: int, patience: float = 10.0) -> "Admission[str]":
    return Admission(limit=limit, places=places, patience=patience)


def admit_all(admission: "Admission[str]", now: float) -> list[str]:
    admitted = []
    while (one := admission.admit(now=now)) is not None:
        admitted.append(one[0])
    return admitted


@pytest.mark.parametrize(
    ("limit", "places", "arrivals", "running", "waiting", "refused"),
    [
        (1, 0, "a", "a", 0, ""),
        (1, 0, "ab", "a", 0, "b"),
        (2, 0, "abc", "ab", 0, "c"),
        (2, 1, "abc", "ab", 1, ""),
        (2, 1, "abcd", "ab", 1, "d"),
        (3, 2, "abcdefg", "abc", 2, "fg"),
    ],
)
def test_C14_limit_then_queue_then_refusal(
    limit: int, places: int, arrivals: str, running: str, waiting: int, refused: str
) -> None:
    admission = pool(limit=limit, places=places)
    turned_away = [key for key in arrivals if not admission.arrive(key, key, now=0.0)]
    assert turned_away == list(refused)
    assert admit_all(admission, 0.0) == list(running)
    assert len(admission) == waiting
    assert admission.running == len(running)


def test_C14_arrivals_between_admissions_count_the_same() -> None:
    one_by_one = pool(limit=2, places=1)
    taken = []
    for key in "abcd":
        taken.append(one_by_one.arrive(key, key, now=0.0))
        admit_all(one_by_one, 0.0)
    assert taken == [True, True, True, False]


def test_first_come_first_served_and_the_wait_is_told() -> None:
    admission = pool(limit=1, places=5)
    for now, key in enumerate("abc"):
        assert admission.arrive(key, key.upper(), now=float(now))
    assert admission.admit(now=2.0) == ("A", 2.0)
    assert admission.admit(now=3.0) is None
    admission.leave()
    assert admission.admit(now=4.0) == ("B", 3.0)


def test_C14_patience_ends_in_the_order_of_arrival() -> None:
    admission = pool(limit=1, places=5, patience=10.0)
    admission.arrive("running", "running", now=0.0)
    admit_all(admission, 0.0)
    assert admission.deadline() == math.inf
    admission.arrive("a", "a", now=1.0)
    admission.arrive("b", "b", now=2.0)
    assert admission.deadline() == 11.0
    assert admission.expire(now=10.9) == []
    assert admission.expire(now=11.0) == ["a"]
    assert admission.deadline() == 12.0
    assert admission.expire(now=99.0) == ["b"]
    assert admission.running == 1


def test_a_cancelled_one_makes_room() -> None:
    admission = pool(limit=1, places=1)
    admission.arrive("running", "running", now=0.0)
    admit_all(admission, 0.0)
    assert admission.arrive("a", "a", now=0.0)
    assert not admission.arrive("b", "b", now=0.0)
    assert "a" in admission
    assert admission.cancel("a") == "a"
    assert admission.cancel("a") is None
    assert "a" not in admission
    assert admission.arrive("b", "b", now=0.0)


def test_withdraw_takes_those_that_are_unwanted_and_no_other() -> None:
    admission = pool(limit=1, places=5)
    for key in ("a1", "b1", "a2"):
        admission.arrive(key, key, now=0.0)
    assert admission.withdraw(lambda entry: entry.startswith("a")) == ["a1", "a2"]
    assert admit_all(admission, 0.0) == ["b1"]


steps = st.lists(st.tuples(st.sampled_from(["arrive", "admit", "leave", "cancel"]), st.integers()))


@given(st.integers(1, 4), st.integers(0, 4), steps)
def test_C14_never_more_than_the_limit_and_the_queue(
    limit: int, places: int, steps: list[tuple[str, int]]
) -> None:
    admission = pool(limit=limit, places=places)
    for now, (step, number) in enumerate(steps):
        key = str(number)
        if step == "arrive" and key not in admission:
            admission.arrive(key, key, now=float(now))
        elif step == "admit":
            admission.admit(now=float(now))
        elif step == "leave" and admission.running:
            admission.leave()
        elif step == "cancel":
            admission.cancel(key)
        assert 0 <= admission.running <= limit
        assert len(admission) <= limit - admission.running + places
