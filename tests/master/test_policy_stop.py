"""The policy's stop: gracefully, now, and in the middle of whatever else goes on."""

import signal
from dataclasses import replace

import pytest

from forkhttpd.master import actions, events
from forkhttpd.master.actions import Notice
from tests.master.play import PLAN, Play, forked, killed, only


def test_TERM_lets_everybody_finish_and_leaves_with_0() -> None:
    play = Play().serve()
    workers = play.workers()
    found = play.signal(signal.SIGTERM)
    words = "stopping: 2 workers, 1 spawner left"
    assert only(found, actions.Notify) == [actions.Notify(Notice.STOPPING, words)]
    assert only(found, actions.Release) == [actions.Release(1)]
    assert killed(found) == [(one, "TERM") for one in workers]
    assert killed(play.leave(workers)) == [(play.spawner(), "TERM")]
    assert only(play.leave([play.spawner()]), actions.Exit) == [actions.Exit(0, "")]


def test_TERM_is_followed_by_QUIT_and_KILL_when_the_graceful_time_is_up() -> None:
    play = Play(replace(PLAN, workers=1, pools=())).serve()
    (worker,) = play.workers()
    play.signal(signal.SIGTERM)
    assert killed(play.after(30.0)) == [(worker, "QUIT")]
    assert killed(play.after(2.0)) == [(worker, "KILL")]
    assert only(play.dies(worker), actions.Exit) == [actions.Exit(0, "")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_INT_and_QUIT_stop_now(number: signal.Signals) -> None:
    play = Play().serve()
    children = play.children(1)
    assert killed(play.signal(number)) == [(one, "QUIT") for one in children]
    assert killed(play.after(2.0)) == [(one, "KILL") for one in children]
    found = [one for child in children for one in play.dies(child)]
    assert forked(found) == []
    assert only(play.tell(events.Swept()), actions.Exit) == [actions.Exit(0, "")]


def test_INT_during_a_graceful_stop_stops_now() -> None:
    play = Play().serve()
    play.signal(signal.SIGTERM)
    assert {name for _, name in killed(play.signal(signal.SIGINT))} == {"QUIT"}


def test_a_second_TERM_changes_nothing() -> None:
    play = Play().serve()
    play.signal(signal.SIGTERM)
    assert play.signal(signal.SIGTERM) == []


def test_TERM_preempts_a_reload_and_a_HUP_that_waits() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    play.signal(signal.SIGHUP)
    found = play.signal(signal.SIGTERM)
    assert only(found, actions.Release) == [actions.Release(1), actions.Release(2)]
    assert {child.generation for child, _ in killed(found)} == {1, 2}
    play.leave(play.workers(1) + play.workers(2))
    found = play.leave([play.spawner(1), play.spawner(2)])
    assert only(found, actions.Exit) == [actions.Exit(0, "")]
    assert len(only(play.done, actions.Load)) == 1


def test_TERM_reaches_workers_that_drain_for_a_reload_without_more_time() -> None:
    play = Play().serve()
    play.reload()
    old = play.workers(1)
    play.after(20.0)
    assert [one for one in killed(play.signal(signal.SIGTERM)) if one[0] in old] == [
        (one, "TERM") for one in old
    ]
    assert [one for one in killed(play.after(10.0)) if one[0] in old] == [
        (one, "QUIT") for one in old
    ]


def test_TERM_before_the_first_READY_leaves_with_0() -> None:
    play = Play()
    play.begin()
    play.signal(signal.SIGTERM)
    found = play.leave(play.workers()) + play.leave([play.spawner()])
    assert only(found, actions.Exit) == [actions.Exit(0, "")]


def test_a_child_that_hangs_at_boot_does_not_use_up_the_graceful_time() -> None:
    play = Play(replace(PLAN, workers=1, pools=()))
    play.begin()
    play.after(8.0)
    play.signal(signal.SIGTERM)
    assert [name for _, name in killed(play.after(2.0))] == ["QUIT"]
