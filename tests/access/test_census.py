"""Connections in columns, one a worker, that add up."""

import os
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from forkhttpd.census import Census
from forkhttpd.scoreboard import SLOTS

HOSTS = [f"192.0.2.{number}" for number in range(5)]
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(HOSTS), st.sampled_from(["enter", "leave", "die"]))
)


@settings(max_examples=30)
@given(STEPS)
def test_the_sum_over_the_workers_is_what_there_is(steps: list[tuple[int, str, str]]) -> None:
    """A hash may count too many, and hardly does for five addresses in thousands of places."""
    census = Census()
    workers = [Counter[str]() for _ in range(4)]
    for slot in range(4):
        census.wipe(slot)
    for slot, host, what in steps:
        if what == "die":
            census.wipe(slot)
            workers[slot].clear()
        elif what == "enter" or workers[slot][host]:
            change = 1 if what == "enter" else -1
            census.count(slot, census.places(host), change)
            workers[slot][host] += change
    for host in HOSTS:
        assert census.connections_of(census.places(host)) >= sum(one[host] for one in workers)
    assert census.connections() == sum(one.total() for one in workers)
    everybody = sum(census.connections_of(census.places(host)) for host in HOSTS)
    assert everybody <= 2 * census.connections()


def test_processes_meet_in_it() -> None:
    census = Census()
    places = census.places("2001:db8::1")
    for slot in (3, SLOTS + 4):  # of either half of the scoreboard
        census.wipe(slot)
        pid = os.fork()
        if pid == 0:
            census.count(slot, places, 1)
            os._exit(0)
        os.waitpid(pid, 0)
    assert census.connections_of(census.places("2001:db8::2")) == census.connections() == 2
    census.wipe(3)
    assert census.connections_of(places) == 1


def test_a_connection_without_an_address_counts_in_the_total_alone() -> None:
    census = Census()
    census.wipe(0)
    census.count(0, (), 1)
    assert census.connections() == 1
    assert census.connections_of(census.places("192.0.2.1")) == 0
