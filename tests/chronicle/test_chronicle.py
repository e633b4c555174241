"""What all have counted: it only grows, whoever comes and goes."""

import os
from collections.abc import Iterator

import pytest

from forkhttpd.chronicle import (
    BOUNDS,
    KINDS,
    OTHERS,
    SAMPLES,
    SECTIONS,
    Chronicle,
    Row,
    Sample,
    Times,
)
from forkhttpd.scoreboard import CHRONICLE, CHRONICLE_SIZE, HALVES, SLOTS, Cell, Scoreboard


@pytest.fixture
def board() -> Iterator[Scoreboard]:
    board = Scoreboard.create()
    yield board
    board.close()
    os.close(board.fd)


def sample(time: int, requests: int = 0) -> Sample:
    return Sample(time, requests, 0, 0, 0, 0, 0, 0, 0)


def test_rows_of_all_slots_have_room(board: Scoreboard) -> None:
    last = Row(board.fd, HALVES * SLOTS - 1)
    last.add("x", "GET", 200, count=1, size=1)
    last.close()
    assert Chronicle(board.fd).totals().answers["x", "GET", "200"] == 1
    assert os.fstat(board.fd).st_size == CHRONICLE + CHRONICLE_SIZE


def test_a_row_goes_on_where_the_worker_before_has_stopped(board: Scoreboard) -> None:
    for round_ in (1, 2, 3):
        row = Row(board.fd, 7)
        row.add("b.example", "POST", 404, count=2, size=10)
        row.add("a.example", "BREW", 418, count=1, size=0)
        row.close()
        totals = Chronicle(board.fd).totals()
        assert totals.answers == {
            ("b.example", "POST", "404"): 2 * round_,
            ("a.example", "other", "4xx"): round_,
        }
        assert totals.sent["b.example"] == 10 * round_


def test_totals_are_those_of_all_rows(board: Scoreboard) -> None:
    for slot in (0, 1, 300, SLOTS + 5):
        row = Row(board.fd, slot)
        row.add("x", "GET", 200, count=slot + 1, size=1)
        times = Times(0.25)
        times.buckets[3] = 2
        row.add_times(1, times)
        row.close()
    totals = Chronicle(board.fd).totals()
    assert totals.answers == {("x", "GET", "200"): 1 + 2 + 301 + SLOTS + 6}
    assert totals.times[KINDS[1]].seconds == 1.0
    assert totals.times[KINDS[1]].buckets[3] == 8
    assert sum(totals.times[KINDS[0]].buckets) == 0
    assert len(totals.times[KINDS[0]].buckets) == len(BOUNDS) + 1


def test_more_sites_than_there_is_room_for_are_counted_together(board: Scoreboard) -> None:
    row = Row(board.fd, 0)
    for number in range(SECTIONS + 20):
        row.add(f"{number}.example", "GET", 200, count=1, size=1)
    row.close()
    answers = Chronicle(board.fd).totals().answers
    assert len(answers) == SECTIONS
    assert answers[OTHERS, "GET", "200"] == 21
    assert answers.total() == SECTIONS + 20


def test_a_long_name_is_one_site_for_whoever_opens_the_row(board: Scoreboard) -> None:
    name = "ü" * 100
    for _ in range(2):
        row = Row(board.fd, 0)
        row.add(name, "GET", 200, count=1, size=0)
        row.close()
    answers = Chronicle(board.fd).totals().answers
    assert list(answers.values()) == [2]


def test_the_ring_keeps_the_last_minutes(board: Scoreboard) -> None:
    chronicle = Chronicle(board.fd)
    assert chronicle.samples(1000) == []
    for time in range(1000, 1000 + 2 * SAMPLES):
        chronicle.remember(sample(time, time))
    now = 1000 + 2 * SAMPLES - 1
    kept = chronicle.samples(now)
    assert [one.time for one in kept] == list(range(now - SAMPLES + 1, now + 1))
    assert all(one.requests == one.time for one in kept)
    assert chronicle.has_sample(now)
    assert not chronicle.has_sample(now + 1)
    assert [one.time for one in chronicle.samples(now + SAMPLES - 2)] == [now - 1, now]


def test_notes_are_replaced_and_what_makes_no_sense_is_none(board: Scoreboard) -> None:
    chronicle, row = Chronicle(board.fd), Row(board.fd, 3)
    assert chronicle.notes(3) is None
    row.note([{"path": "/" + "x" * 100}] * 3)
    assert len(chronicle.notes(3)) == 3
    row.note([])
    assert chronicle.notes(3) == []
    row.note(["x" * 5000])  # no page holds that
    assert chronicle.notes(3) == []
    row.close()


def test_what_was_counted_in_a_slot_outlives_it(board: Scoreboard) -> None:
    for name, count in (("default", 5), ("", 7), ("default", 6)):
        index = board.free_slots()[0]
        slot = board.slot(index)
        slot.set_name(name)
        slot.set(Cell.PID, 1)
        slot.set(Cell.REQUESTS, count)
        slot.set(Cell.CONNECTIONS, 3)
        board.bury(index)
        assert slot.get(Cell.PID) == slot.get(Cell.REQUESTS) == 0
    graves = {grave.name: grave for grave in board.graves()}
    assert graves["default"].get(Cell.REQUESTS) == 11
    assert graves["default"].get(Cell.ENDED) == 2
    assert graves["default"].get(Cell.CONNECTIONS) == 0  # it has none any more
    assert graves[""].get(Cell.REQUESTS) == 7


def test_who_adds_up_never_sees_a_count_twice_or_not_at_all(board: Scoreboard) -> None:
    """A burial in the middle of a look: the look is repeated."""
    slot = board.slot(index := board.free_slots()[0])
    slot.set(Cell.PID, 1)
    slot.set(Cell.REQUESTS, 5)
    looks: list[int] = []

    def look() -> int:
        living = sum(one.get(Cell.REQUESTS) for one in board.living())
        if not looks:
            board.bury(index)
        looks.append(living)
        return living + sum(one.get(Cell.REQUESTS) for one in board.graves())

    assert board.steady(look) == 5
    assert looks == [5, 0]


def test_M20_two_masters_bury_in_graves_of_their_own(board: Scoreboard) -> None:
    new = Scoreboard.follow(os.dup(board.fd))
    for one in (board, new):
        index = one.free_slots()[0]
        one.slot(index).set_name("p")
        one.slot(index).set(Cell.REQUESTS, 2)
        one.bury(index)
    assert [grave.get(Cell.REQUESTS) for grave in new.graves()] == [2, 2]
    os.close(new.fd)
    new.close()
