"""The limit and the queue of a pool, by the table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.spawner.admission import Admission, Share


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


# Shares: the limit of a mount within that of its pool

GIT = Share(b"git", 2)
WIKI = Share(b"wiki", 1)


def test_C14_a_share_has_its_limit_and_lets_others_pass() -> None:
    admission = pool(limit=4, places=3)
    for key in ("g1", "g2", "g3", "g4"):
        assert admission.arrive(key, key, now=0.0, share=GIT)
    assert admit_all(admission, 0.0) == ["g1", "g2"]
    assert admission.arrive("any", "any", now=0.0)
    assert admission.arrive("w1", "w1", now=0.0, share=WIKI)
    assert admit_all(admission, 0.0) == ["any", "w1"]
    admission.leave(GIT)
    assert admit_all(admission, 0.0) == ["g3"]
    admission.leave()
    assert admit_all(admission, 0.0) == []
    admission.leave(GIT)
    assert admit_all(admission, 0.0) == ["g4"]


def test_C14_a_share_that_is_full_fills_its_part_of_the_queue_and_no_more() -> None:
    admission = pool(limit=4, places=4)
    taken = [admission.arrive(key, key, now=0.0, share=GIT) for key in "abcde"]
    assert taken == [True, True, True, True, False], "two run, two wait, one is too many"
    assert admission.arrive("any", "any", now=0.0), "it need not wait"
    assert admit_all(admission, 0.0) == ["a", "b", "any"]
    assert len(admission) == 2
    others = [admission.arrive(key, key, now=0.0) for key in ("x", "y", "z", "much")]
    assert others == [True, True, True, False], "one runs, and two of four places were left"


def test_C14_the_smallest_share_has_a_place_to_wait() -> None:
    admission = pool(limit=8, places=2)
    assert [admission.arrive(key, key, now=0.0, share=WIKI) for key in "abc"] == [True, True, False]


@given(
    arrivals=st.lists(st.sampled_from([Share(b"", 0), GIT, WIKI]), max_size=12),
    places=st.integers(0, 4),
    limit=st.integers(1, 4),
)
def test_C14_whoever_is_taken_in_runs_when_there_is_room_and_limits_hold(
    arrivals: list[Share], places: int, limit: int
) -> None:
    admission = pool(limit=limit, places=places)
    shares: dict[str, Share] = {}
    for number, share in enumerate(arrivals):
        key = str(number)
        if admission.arrive(key, key, now=0.0, share=share):
            shares[key] = share
    running = admit_all(admission, 0.0)
    assert len(admission) <= places
    done: list[str] = []
    while running:
        assert len(running) <= limit
        for share in (GIT, WIKI):
            assert sum(shares[key] == share for key in running) <= share.most
        key = running.pop()
        done.append(key)
        admission.leave(shares[key])
        running += admit_all(admission, 0.0)
    assert sorted(done) == sorted(shares)
