"""How many workers the load asks for (M19)."""

import pytest

from forkhttpd.master.scaling import Bounds, Reading, Scaling

BOUNDS = Bounds(1, 16, 60.0)


class Crowd:
    """Workers whose loads we say, and a look at them each second."""

    def __init__(self, bounds: Bounds = BOUNDS, *, count: int = 1) -> None:
        self.scaling = Scaling(bounds)
        self.count = count
        self.now = 1000.0
        self.worked: dict[int, float] = {}
        self.look()

    def look(self, *loads: float, seconds: float = 1.0, connections: float = 0.0) -> int:
        """Let time pass in which each worker has this load; take the number that comes of it."""
        self.now += seconds
        for slot, load in enumerate(loads):
            self.worked[slot] = self.worked.get(slot, 0.0) + load * seconds
        readings = {slot: Reading(worked, connections) for slot, worked in self.worked.items()}
        self.count = self.scaling.look(readings, count=self.count, now=self.now)
        return self.count


@pytest.mark.parametrize(
    ("loads", "count"),
    [
        ([0.0], 1),
        ([0.5], 1),
        ([0.7], 1),
        ([0.75], 2),
        ([1.0], 2),
        ([1.0, 0.0], 2),
        ([0.7, 0.7], 2),
        ([0.8, 0.8], 4),
        ([1.0, 0.5], 3),
        ([0.75] * 4, 6),
        ([1.0] * 4, 8),
        ([1.0] * 12, 16),
    ],
)
def test_M19_where_too_little_is_to_spare_there_are_soon_more(
    loads: list[float], count: int
) -> None:
    crowd = Crowd(count=len(loads))
    crowd.look(*[0.0] * len(loads))
    assert crowd.look(*loads) == count


def test_M19_never_more_than_twice_as_many_at_once() -> None:
    crowd = Crowd()
    crowd.look(0.0)
    grown = [crowd.look(*[1.0] * crowd.count) for _ in range(8)]
    assert grown == [2, 2, 4, 4, 8, 8, 16, 16]


def test_M19_a_worker_that_is_new_counts_as_idle_until_it_was_seen_twice() -> None:
    crowd = Crowd()
    crowd.look(0.0)
    assert crowd.look(1.0) == 2
    assert crowd.look(1.0, 1.0) == 2
    assert crowd.look(1.0, 1.0) == 4


def test_M19_connections_count_like_time() -> None:
    crowd = Crowd()
    crowd.look(0.0)
    assert crowd.look(0.0, connections=0.9) == 2


def test_M19_a_slot_that_another_worker_has_now_is_no_load() -> None:
    crowd = Crowd()
    crowd.look(0.0)
    crowd.look(0.5)
    crowd.worked[0] = 0.1
    assert crowd.look() == 1


def test_M19_a_late_look_measures_the_time_that_has_passed() -> None:
    crowd = Crowd()
    crowd.look(0.0)
    assert crowd.look(0.6, seconds=30.0) == 1


def test_M19_spare_time_costs_one_worker_after_a_while_and_the_next_after_as_long() -> None:
    crowd = Crowd(Bounds(2, 8, 60.0), count=4)
    counts = [crowd.look(0.1, 0.1, 0.1, 0.1) for _ in range(200)]
    assert counts.index(3) == pytest.approx(60, abs=1)
    assert counts.index(2) == pytest.approx(120, abs=1)
    assert counts[-1] == 2


def test_M19_one_busy_second_starts_the_while_again() -> None:
    crowd = Crowd(Bounds(1, 8, 60.0), count=2)
    for _ in range(59):
        assert crowd.look(0.0, 0.0) == 2
    assert crowd.look(0.5, 0.5) == 2
    for _ in range(59):
        assert crowd.look(0.0, 0.0) == 2


@pytest.mark.parametrize(("load", "count"), [(0.19, 1), (0.21, 2)])
def test_M19_nobody_goes_whom_the_others_would_miss(load: float, count: int) -> None:
    """Two at 0.21 would be one at 0.42: too near to what makes us grow."""
    crowd = Crowd(Bounds(1, 8, 5.0), count=2)
    for _ in range(10):
        crowd.look(*[load] * 2 if crowd.count == 2 else [2 * load])
    assert crowd.count == count


def test_M19_it_settles_whatever_the_load() -> None:
    """The work of a steady load, spread over however many there are, moves nobody for ever."""
    for work in (0.1, 0.6, 0.9, 1.7, 3.3, 7.9, 15.0):
        crowd = Crowd(Bounds(1, 16, 5.0))
        counts = [crowd.look(*[min(work / crowd.count, 1.0)] * crowd.count) for _ in range(200)]
        assert len(set(counts[-50:])) == 1, work


def test_M19_bounds_hold_whatever_number_there_was() -> None:
    assert Crowd(Bounds(3, 5, 60.0), count=1).look(0.0) == 3
    assert Crowd(Bounds(3, 5, 60.0), count=9).look(*[0.0] * 9) == 5
