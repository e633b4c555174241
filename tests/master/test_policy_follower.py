"""The policy of a new master, from its start beside the old one until it is alone (M20)."""

import signal
from logging import ERROR, INFO

import pytest

from forkhttpd.master import actions, events
from forkhttpd.master.actions import Notice
from forkhttpd.master.child import NEVER
from forkhttpd.master.phase import Phase
from tests.master.play import Play, logged, only


def follower(*, watchdog: float = NEVER) -> Play:
    """A new master whose children are all ready."""
    play = Play(has_predecessor=True, watchdog=watchdog)
    play.begin()
    play.ready(*play.children(1))
    return play


def test_M20_the_new_one_announces_itself_and_serves_when_the_old_one_retires() -> None:
    play = Play(has_predecessor=True)
    play.begin()
    found = play.ready(*play.children(1))
    assert only(found, actions.Announce) == [actions.Announce()]
    assert only(found, actions.Adopt) == []
    found = play.tell(events.Relieved())
    assert only(found, actions.Adopt) == [actions.Adopt(1)]
    status = "serving: 2 workers, 1 spawner, generation 1"
    assert only(found, actions.Notify) == [actions.Notify(Notice.READY, status)]
    assert only(play.done, actions.Announce) == [actions.Announce()]


def test_M20_before_that_it_is_silent_towards_the_service_manager() -> None:
    """The old one speaks for the service, and goes on doing so if the new one fails."""
    play = follower(watchdog=10.0)
    play.after(30.0)
    play.signal(signal.SIGTERM)
    play.leave(play.workers())
    play.leave([play.spawner()])
    assert only(play.done, actions.Notify) == []
    assert only(play.done, actions.Exit) == [actions.Exit(0, "")]
    assert only(play.done, actions.Urge) == []


def test_M20_a_failure_of_the_new_one_is_not_its_own_error() -> None:
    """The old one logs it: one failure, one ERROR."""
    play = Play(has_predecessor=True)
    play.begin()
    play.dies(play.workers()[0], 78, "there is no such user")
    assert logged(play.done, ERROR) == []
    play.leave(play.workers())
    (leaving,) = only(play.leave([play.spawner()]), actions.Exit)
    assert isinstance(leaving, actions.Exit)
    assert leaving.code == 78
    assert "there is no such user" in leaving.reason


@pytest.mark.parametrize("ready_first", [True, False])
def test_M20_an_old_master_that_dies_is_followed_all_the_same(ready_first: bool) -> None:
    play = Play(has_predecessor=True)
    play.begin()
    if ready_first:
        play.ready(*play.children(1))
    play.tell(events.Relieved())
    play.tell(events.PredecessorExited())
    if not ready_first:
        play.ready(*play.children(1))
    assert only(play.done, actions.Adopt) == [actions.Adopt(1)]
    assert play.policy.phase is Phase.SERVING


def test_M20_there_is_no_upgrade_while_the_old_master_is_still_there() -> None:
    play = follower()
    play.tell(events.Relieved())
    found = play.signal(signal.SIGUSR2)
    assert only(found, actions.Launch) == []
    assert logged(found, INFO) == ["upgrade: waits until the old master has left"]
    assert len(only(play.tell(events.PredecessorExited()), actions.Launch)) == 1


def test_a_reload_need_not_wait_for_the_old_master() -> None:
    play = follower()
    play.tell(events.Relieved())
    assert only(play.signal(signal.SIGHUP), actions.Load) == [actions.Load(2)]


@pytest.mark.parametrize(
    ("order", "passed"),
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGINT, signal.SIGQUIT),
        (signal.SIGUSR1, signal.SIGUSR1),
    ],
)
def test_M20_what_is_for_the_whole_service_reaches_the_old_master_that_drains(
    order: signal.Signals, passed: signal.Signals
) -> None:
    play = follower()
    play.tell(events.Relieved())
    assert only(play.signal(order), actions.Urge) == [actions.Urge(passed)]


def test_M20_a_stop_waits_for_the_old_master_that_drains() -> None:
    """systemd kills whoever is left when the main process goes (KillMode=mixed)."""
    play = follower()
    play.tell(events.Relieved())
    play.signal(signal.SIGTERM)
    left = play.leave(play.workers()) + play.leave([play.spawner()])
    assert only(left, actions.Exit) == []
    assert only(play.tell(events.PredecessorExited()), actions.Exit) == [actions.Exit(0, "")]


def test_M20_two_masters_never_use_the_same_slot() -> None:
    play = Play(slots=range(512, 1024))
    play.begin()
    assert [child.slot for child in play.children(1)] == [512, 513, 514]


def test_M20_slots_that_are_still_in_use_are_left_out() -> None:
    play = Play(slots=[1, 4])
    found = play.begin()
    assert [child.slot for child in play.children(1)] == [1, 4]
    assert logged(found, ERROR) == ["no room for another worker: there are 2 children"]
