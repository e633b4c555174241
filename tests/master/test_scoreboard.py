"""M20: the scoreboard that two masters share for a while."""

import os
import subprocess

import pytest

from forkhttpd.scoreboard import HALVES, SLOTS, Cell, Scoreboard


def follower(board: Scoreboard) -> Scoreboard:
    """What a new master makes of the descriptor that it has inherited."""
    return Scoreboard.follow(os.dup(board.fd))


def close(*boards: Scoreboard) -> None:
    for board in boards:
        os.close(board.fd)


def test_M20_two_masters_have_no_slot_in_common() -> None:
    old = Scoreboard.create()
    new = follower(old)
    assert not set(old.free_slots()) & set(new.free_slots())
    assert len(old.free_slots()) == len(new.free_slots()) == SLOTS
    close(old, new)


def test_M20_each_sees_what_the_other_ones_children_write() -> None:
    old = Scoreboard.create()
    new = follower(old)
    slot = old.free_slots()[3]
    old.slot(slot).set(Cell.REQUESTS, 17)
    assert new.slot(slot).get(Cell.REQUESTS) == 17
    close(old, new)


def test_M20_whoever_serves_is_followed_on_the_other_half() -> None:
    old = Scoreboard.create()
    failed, new = follower(old), follower(old)
    assert failed.half == new.half != old.half
    new.serve()
    third = follower(new)
    assert third.half == old.half
    close(old, failed, new, third)


def test_M20_a_slot_of_a_process_that_lives_is_not_given_out_again() -> None:
    board = Scoreboard.create()
    with subprocess.Popen(["sleep", "3600"]) as process:
        taken = board.free_slots()[0]
        board.slot(taken).set(Cell.PID, process.pid)
        assert taken not in board.free_slots()
        process.kill()
    assert taken in board.free_slots()
    assert board.slot(taken).get(Cell.PID) == 0
    close(board)


def test_M20_a_scoreboard_in_another_layout_is_refused() -> None:
    small = os.memfd_create("small")
    with pytest.raises(ValueError, match="another size"):
        Scoreboard.follow(small)
    os.ftruncate(small, os.fstat((board := Scoreboard.create()).fd).st_size)
    with pytest.raises(ValueError, match="another layout"):
        Scoreboard.follow(small)
    os.close(small)
    close(board)


def test_a_slot_beyond_the_last_is_an_error() -> None:
    board = Scoreboard.create()
    board.slot(HALVES * SLOTS - 1)
    for index in (-1, HALVES * SLOTS):
        with pytest.raises(IndexError):
            board.slot(index)
    close(board)
