"""/proc is read right, whatever a process is called and however its children end."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benchmark.processtree import (
    ProcessStat,
    all_processes,
    cpu_seconds,
    parse_stat,
    tree_of,
)

# A line of a real kernel, cut after the fields that proc(5) numbers 1 to 24.
_LINE = "{pid} ({name}) S 41 7 7 0 -1 4194560 1 2 3 4 100 20 3000 400 20 0 1 0 987654 5 6\n"


@given(st.integers(1, 1 << 22), st.text(st.characters(exclude_characters="\0"), max_size=15))
def test_a_name_with_spaces_and_parentheses_moves_no_field(pid: int, name: str) -> None:
    assert parse_stat(_LINE.format(pid=pid, name=name)) == ProcessStat(pid, 41, 987654, 3520)


@pytest.mark.parametrize("text", ["", "12", "12 (x) S 1 2", "x (y) " + "0 " * 30])
def test_what_is_no_stat_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a line|invalid literal"):
        parse_stat(text)


def _process(pid: int, parent: int) -> ProcessStat:
    return ProcessStat(pid, parent, 0, 1)


@given(st.randoms(use_true_random=False))
def test_a_tree_is_complete_in_whatever_order_processes_are_listed(order: random.Random) -> None:
    # Process numbers wrap around, so a child's may be less than its parent's.
    ours = [_process(50, 2), _process(60, 50), _process(7, 60), _process(61, 50)]
    others = [_process(2, 1), _process(70, 2), _process(71, 70)]
    processes = ours + others
    order.shuffle(processes)
    tree = tree_of(50, processes)
    assert sorted(process.pid for process in tree) == [7, 50, 60, 61]
    assert tree.index(_process(60, 50)) < tree.index(_process(7, 60))


def test_a_root_that_has_ended_has_no_tree() -> None:
    assert tree_of(50, [_process(1, 0)]) == []


def test_seconds_are_the_sum_over_the_tree() -> None:
    hertz = os.sysconf("SC_CLK_TCK")
    tree = [ProcessStat(1, 0, 0, hertz), ProcessStat(2, 1, 0, hertz // 2)]
    assert cpu_seconds(tree) == 1.5


def test_we_find_ourselves_among_all_processes() -> None:
    us = [process for process in all_processes() if process.pid == os.getpid()]
    assert [process.parent for process in us] == [os.getppid()]
