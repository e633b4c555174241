"""M10: what the policy lets the service manager hear."""

import signal
from dataclasses import replace

import pytest

from forkhttpd.master import actions
from forkhttpd.master.actions import Notice
from forkhttpd.master.child import Child, State
from forkhttpd.master.herald import EXTENSION
from tests.master.play import PLAN, Play, only

SERVING = "serving: 2 workers, 1 spawner, generation 1"


def notices(found: list[actions.Action]) -> list[Notice]:
    return [one.notice for one in found if isinstance(one, actions.Notify)]


def statuses(found: list[actions.Action]) -> list[str]:
    return [one.status for one in found if isinstance(one, actions.Notify) and one.status]


# Texts.


def test_M10_READY_comes_when_everybody_is_ready_and_not_before() -> None:
    play = Play()
    play.begin()
    first, *others = play.children(1)
    play.ready(*others)
    assert notices(play.done) == []
    assert only(play.ready(first), actions.Notify) == [actions.Notify(Notice.READY, SERVING)]


def test_M10_a_reload_is_RELOADING_and_then_READY_and_the_text_follows_the_drain() -> None:
    play = Play().serve()
    assert notices(play.signal(signal.SIGHUP)) == [Notice.RELOADING]
    play.next_plan()
    assert notices(play.ready(*play.children(2))) == []
    found = play.yields(*play.workers(1))
    both = "serving: 2 workers, 1 spawner, generation 2 (generation 1 drains)"
    assert only(found, actions.Notify) == [actions.Notify(Notice.READY, both)]
    play.leave(play.workers(1))
    found = play.leave([play.spawner(1)])
    after = "serving: 2 workers, 1 spawner, generation 2"
    assert only(found, actions.Notify) == [actions.Notify(Notice.STATUS, after)]


def test_M8_a_reload_that_fails_is_RELOADING_and_then_READY_with_the_reason() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    found = play.not_loaded("site.conf:3: no such key")
    words = f"reload refused, nothing changed: site.conf:3: no such key; {SERVING}"
    assert only(found, actions.Notify) == [actions.Notify(Notice.READY, words)]
    play.signal(signal.SIGHUP)
    assert statuses(play.done)[-1] == "reloading"


def test_M10_the_text_says_who_is_missing() -> None:
    play = Play().serve()
    worker = play.workers()[0]
    assert statuses(play.dies(worker)) == [
        "serving: 1 of 2 workers, 1 spawner, generation 1",
    ]
    (new,) = [one for one in play.workers() if one.state is State.STARTING]
    assert statuses(play.ready(new)) == [SERVING]
    assert statuses(play.dies(play.spawner())) == [
        "serving: 2 workers, 0 of 1 spawner, generation 1",
    ]


def test_M10_the_text_follows_the_number_of_workers() -> None:
    play = Play().serve()
    assert statuses(play.signal(signal.SIGTTIN)) == [
        "serving: 2 of 3 workers, 1 spawner, generation 1"
    ]


def test_M10_nothing_is_said_twice() -> None:
    play = Play().serve()
    before = len(play.done)
    play.after(300.0)
    assert notices(play.done[before:]) == []


def test_M10_a_stop_says_who_is_left() -> None:
    play = Play().serve()
    assert statuses(play.signal(signal.SIGTERM)) == ["stopping: 2 workers, 1 spawner left"]
    assert statuses(play.leave(play.workers())) == [
        "stopping: 1 worker, 1 spawner left",
        "stopping: 0 workers, 1 spawner left",
    ]


def test_M10_a_long_stop_asks_for_more_time_until_it_is_over() -> None:
    play = Play(replace(PLAN, graceful=60.0)).serve()
    assert notices(play.signal(signal.SIGTERM)) == [Notice.STOPPING]
    assert notices(play.after(EXTENSION / 2 - 0.1)) == []
    assert notices(play.after(0.1)) == [Notice.BUSY]
    assert notices(play.after(40.0)) == [Notice.BUSY] * 4


# Watchdog.


def watched(*, workers: int = 2) -> Play:
    return Play(replace(PLAN, workers=workers), watchdog=20.0).serve()


def signs(found: list[actions.Action]) -> int:
    return notices(found).count(Notice.ALIVE)


def test_M10_the_watchdog_is_fed_at_half_its_time() -> None:
    play = watched()
    assert signs(play.after(100.0)) == 10


def test_M10_without_a_watchdog_there_is_no_food() -> None:
    play = Play().serve()
    assert signs(play.after(1000.0)) == 0


def test_M10_the_first_food_comes_with_READY() -> None:
    play = Play(watchdog=20.0)
    play.begin()
    assert signs(play.after(5.0)) == 0
    play.ready(*play.children(1))
    assert notices(play.done)[:2] == [Notice.READY, Notice.ALIVE]


def silence(play: Play, *silent: Child, seconds: float) -> list[actions.Action]:
    """Let time pass, in which these do not beat; nobody ever dies of it."""
    before, end = len(play.done), play.now + seconds
    while play.now < end:
        play.now += 0.5
        for child in play.policy.children.values():
            if child not in silent:
                child.deadline = play.now + PLAN.heartbeat
        play.tick(beating=False)
    return play.done[before:]


@pytest.mark.parametrize(
    ("workers", "silent", "fed"),
    [(1, 0, True), (1, 1, False), (2, 1, True), (2, 2, False), (3, 1, True), (3, 2, False)],
)
def test_M10_it_is_fed_while_half_of_the_workers_beat(workers: int, silent: int, fed: bool) -> None:
    play = watched(workers=workers)
    silence(play, *play.workers()[:silent], seconds=15.0)
    later = silence(play, *play.workers()[:silent], seconds=40.0)
    assert (signs(later) > 0) is fed


def test_M10_a_worker_that_hangs_is_replaced_before_the_watchdog_goes_hungry() -> None:
    play = watched(workers=1)
    (worker,) = play.workers()
    silence(play, worker, seconds=12.0)
    play.dies(worker)
    play.ready(*play.workers())
    assert signs(play.after(20.0)) == 2


def test_M10_who_was_told_to_have_no_workers_is_well_without() -> None:
    play = Play(watchdog=20.0, daemonized=True).serve()
    play.signal(signal.SIGWINCH)
    play.leave(play.workers())
    assert signs(play.after(20.0)) == 2


def test_M10_it_is_fed_through_a_reload() -> None:
    play = watched()
    play.signal(signal.SIGHUP)
    play.next_plan(start=1000.0)
    assert signs(play.after(100.0)) == 10
