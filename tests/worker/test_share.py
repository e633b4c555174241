"""Who has more than its share of the connections leaves the next ones to others (M17)."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.scoreboard import Cell, Scoreboard, Slot, SlotState
from forkhttpd.worker.share import MOMENT, Share

AGES = 1000.0  # seconds after which nothing that was seen before counts


class Board:
    """A scoreboard of workers who each hold so many connections."""

    def __init__(self, *held: int) -> None:
        self.scoreboard = Scoreboard.create()
        free = iter(self.scoreboard.free_slots())
        self.slots = [self._worker(next(free), count) for count in held]
        self._free = free

    def _worker(self, index: int, held: int) -> Slot:
        slot = self.scoreboard.slot(index)
        slot.set(Cell.PID, os.getpid())
        slot.set(Cell.GENERATION, 1)
        slot.set(Cell.STATE, SlotState.READY)
        slot.set(Cell.CONNECTIONS, held)
        return slot

    def join(self, held: int = 0) -> Slot:
        """Add one more worker."""
        slot = self._worker(next(self._free), held)
        self.slots.append(slot)
        return slot

    def share(self, number: int) -> Share:
        return Share(self.scoreboard, self.slots[number])

    def standing_back(self) -> list[bool]:
        """Return who of all would stand back now."""
        held = [slot.get(Cell.CONNECTIONS) for slot in self.slots]
        return [self.share(i).stands_back(count, 0.0) for i, count in enumerate(held)]

    def close(self) -> None:
        self.scoreboard.close()
        os.close(self.scoreboard.fd)


@pytest.fixture
def four() -> Iterator[Board]:
    board = Board(100, 100, 100, 100)
    yield board
    board.close()


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([100, 100, 100, 100], [False, False, False, False]),
        ([90, 100, 80, 130], [False, False, False, False]),
        ([80, 80, 80, 160], [False, False, False, True]),
        ([0, 0, 200, 200], [False, False, True, True]),
        ([0, 0, 0, 20], [False, False, False, False]),  # a few may be anybody's
        ([0, 0, 0, 30], [False, False, False, True]),
        ([5000], [False]),
    ],
)
def test_M17_who_has_much_above_the_mean_stands_back(held: list[int], expected: list[bool]) -> None:
    board = Board(*held)
    assert board.standing_back() == expected
    board.close()


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=16))
def test_M17_never_do_all_stand_back_and_nobody_who_is_not_above_the_mean(held: list[int]) -> None:
    board = Board(*held)
    standing_back = board.standing_back()
    board.close()
    mean = sum(held) / len(held)
    assert not any(
        stands for stands, count in zip(standing_back, held, strict=True) if count <= mean
    )


def test_a_crowd_that_comes_within_no_time_is_as_even() -> None:
    """What the others had a moment ago is less than they have, and would stop all of them."""
    board = Board(0, 0, 0, 0)
    shares = [board.share(number) for number in range(4)]
    for held in range(1, 1000):
        assert not any(share.stands_back(held, 0.0) for share in shares)
    board.close()


def test_who_looks_shows_what_it_has_to_the_others(four: Board) -> None:
    four.share(0).stands_back(123, 0.0)
    assert four.slots[0].get(Cell.CONNECTIONS) == 123


@pytest.mark.parametrize(
    ("cell", "value"),
    [(Cell.STATE, SlotState.DRAINING), (Cell.STATE, SlotState.STARTING), (Cell.GENERATION, 2)],
)
def test_only_who_takes_connections_too_counts(four: Board, cell: Cell, value: int) -> None:
    idle = four.join(0)
    assert four.share(0).stands_back(125, 0.0)  # of 425 for five
    idle.set(cell, value)
    assert not four.share(0).stands_back(125, 0.0)


def test_spawners_do_not_count(four: Board) -> None:
    four.join(0).set_name("default")
    assert not four.share(0).stands_back(125, 0.0)


def test_a_worker_that_comes_later_is_found(four: Board) -> None:
    share = four.share(0)
    assert not share.stands_back(125, 0.0)
    four.join(0)
    assert share.stands_back(125, AGES)


def test_patience_ends_and_is_back_when_the_share_is_even(four: Board) -> None:
    """Others may hang: whoever waits for them must not hang, too."""
    share, now = four.share(0), 0.0
    moments = 0
    while share.stands_back(300, now):
        moments += 1
        now += MOMENT
        assert moments < 1000
    assert 0.2 < moments * MOMENT < 1.0
    assert not share.stands_back(300, AGES)
    assert not share.stands_back(100, 2 * AGES)
    assert share.stands_back(300, 3 * AGES)
