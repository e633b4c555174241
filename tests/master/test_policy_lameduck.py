"""`timeouts.lame_duck`: the time between the word to stop and the stop."""

import signal
from dataclasses import replace

from forkhttpd.inheritance import Role
from forkhttpd.master import actions
from forkhttpd.master.phase import Phase
from tests.master.play import PLAN, Play, killed, only

LINGER = replace(PLAN, lame_duck=10.0)


def told(found: list[actions.Action], name: str) -> list[Role]:
    """Return the roles of those who get a signal."""
    return [child.role for child, number in killed(found) if number == name]


def lingering() -> Play:
    """A server that was told to stop, and has ten seconds left."""
    play = Play(LINGER).serve()
    found = play.signal(signal.SIGTERM)
    assert told(found, "USR2") == [Role.WORKER, Role.WORKER]
    assert not told(found, "TERM")
    assert not only(found, actions.Release)
    assert play.policy.phase is Phase.LAME_DUCK
    return play


def test_workers_are_told_at_once_and_stopped_when_the_time_is_over() -> None:
    play = lingering()
    assert not told(play.after(9.9), "TERM")
    found = play.after(0.2)
    assert told(found, "TERM") == [Role.WORKER, Role.WORKER]
    assert only(found, actions.Release)
    assert play.policy.phase is Phase.STOPPING


def test_a_second_TERM_ends_the_waiting() -> None:
    play = lingering()
    assert told(play.signal(signal.SIGTERM), "TERM") == [Role.WORKER, Role.WORKER]
    assert not told(play.after(10.5), "TERM")  # the time that was not needed any more
    assert play.policy.deadline() > play.now


def test_INT_does_not_wait() -> None:
    play = lingering()
    assert len(told(play.signal(signal.SIGINT), "QUIT")) == 3
    for child in play.children(1):
        play.dies(child, 0)
    assert only(play.done, actions.Exit)


def test_a_worker_that_dies_meanwhile_is_replaced_and_told() -> None:
    play = lingering()
    (fork,) = only(play.dies(play.workers()[0]), actions.Fork)
    assert isinstance(fork, actions.Fork)
    assert told(play.ready(fork.child), "USR2") == [Role.WORKER]


def test_nothing_new_begins_meanwhile() -> None:
    play = lingering()
    assert not play.signal(signal.SIGHUP)
    assert not play.signal(signal.SIGUSR2)
    assert play.policy.phase is Phase.LAME_DUCK


def test_a_reload_that_is_under_way_is_given_up() -> None:
    play = Play(LINGER).serve()
    play.signal(signal.SIGHUP)
    plan = play.next_plan()
    play.signal(signal.SIGTERM)
    assert play.policy.phase is Phase.LAME_DUCK
    for child in play.children(plan.generation):
        play.dies(child)
    assert play.policy.phase is Phase.LAME_DUCK
    assert list(play.policy.rosters) == [1]


def test_without_it_a_stop_begins_at_once() -> None:
    play = Play().serve()
    assert told(play.signal(signal.SIGTERM), "TERM") == [Role.WORKER, Role.WORKER]
