"""The policy's third transition: one master follows another, as the old one sees it."""

import signal
from dataclasses import replace
from logging import ERROR, INFO, WARNING

import pytest

from forkhttpd.errors import ExitCode
from forkhttpd.master import actions, events
from forkhttpd.master.actions import Notice
from forkhttpd.master.child import Child, State
from forkhttpd.master.phase import Phase
from forkhttpd.master.succession import LAUNCH
from tests.master.play import PLAN, Play, forked, killed, logged, only

USR2 = signal.SIGUSR2


def upgrade(play: Play) -> Child:
    """Ask for an upgrade that begins at once; return the new master."""
    (launch,) = only(play.signal(USR2), actions.Launch)
    assert isinstance(launch, actions.Launch)
    return launch.child


def is_untouched(play: Play) -> bool:
    """Whether the first generation serves as if nothing had been."""
    states = {one.state for one in play.children(1)}
    return play.policy.phase is Phase.SERVING and states == {State.READY}


def test_M20_USR2_starts_a_new_master_and_touches_nothing() -> None:
    play = Play().serve()
    launch, notify = play.signal(USR2)
    assert isinstance(launch, actions.Launch)
    assert notify == actions.Notify(Notice.STATUS, "upgrading")


def test_M20_when_the_new_one_is_ready_it_gets_everything_and_we_drain() -> None:
    play = Play().serve()
    workers = play.workers()
    upgrade(play)
    found = play.tell(events.SuccessorReady())
    steps = [type(one) for one in found if not isinstance(one, actions.Log)]
    assert steps == [actions.HandOver, actions.Release, actions.Kill, actions.Kill]
    assert killed(found) == [(one, "HUP") for one in workers]
    assert killed(play.leave(workers)) == [(play.spawner(), "TERM")]
    found = play.leave([play.spawner()])
    assert only(found, actions.Exit) == [actions.Exit(0, "")]


def test_M20_who_retires_says_nothing_to_the_service_manager_any_more() -> None:
    play = Play(watchdog=30.0).serve()
    upgrade(play)
    play.tell(events.SuccessorReady())
    before = len(play.done)
    play.after(20.0)
    play.signal(signal.SIGTERM)
    play.leave(play.workers())
    assert only(play.done[before:], actions.Notify) == []


def test_M20_workers_that_yield_to_a_new_master_have_no_verdict_to_wait_for() -> None:
    play = Play().serve()
    upgrade(play)
    play.tell(events.SuccessorReady())
    assert play.yields(*play.workers()) == []
    assert {one.state for one in play.workers()} == {State.DRAINING}


def test_M20_a_child_that_dies_while_we_retire_is_not_replaced() -> None:
    play = Play().serve()
    upgrade(play)
    play.tell(events.SuccessorReady())
    assert forked(play.dies(play.workers()[0])) == []


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (events.SuccessorExited(78, "site.conf:3: no such key"), "site.conf:3: no such key"),
        (events.SuccessorExited(1, "ImportError: no"), "exited with status 1: ImportError: no"),
        (events.SuccessorExited(-9), "died: SIGKILL"),
        (events.SuccessorExited(0), "exited with status 0"),
    ],
)
def test_M20_a_new_master_that_fails_changes_nothing(
    event: events.SuccessorExited, reason: str
) -> None:
    play = Play().serve()
    successor = upgrade(play)
    found = play.tell(event)
    (line,) = logged(found, ERROR)
    assert line.startswith(f"upgrade refused, nothing changed: new master (pid {successor.pid}) ")
    assert reason in line
    (notice,) = only(found, actions.Notify)
    assert notice == actions.Notify(
        Notice.STATUS, f"{line}; serving: 2 workers, 1 spawner, generation 1"
    )
    assert is_untouched(play)
    assert killed(found) == []


def test_M20_a_new_master_that_cannot_be_forked_changes_nothing() -> None:
    play = Play().serve()
    upgrade(play).pid = 0
    found = play.tell(events.SuccessorExited(ExitCode.OSERR, "Cannot allocate memory"))
    assert logged(found, ERROR) == [
        "upgrade refused, nothing changed: not started: Cannot allocate memory"
    ]
    assert is_untouched(play)


def test_M20_a_new_master_that_hangs_is_killed_and_changes_nothing() -> None:
    play = Play().serve()
    successor = upgrade(play)
    assert killed(play.after(LAUNCH + PLAN.start - 0.1)) == []
    found = play.after(0.1)
    assert killed(found) == [(successor, "KILL")]
    found = play.tell(events.SuccessorExited(-9))
    assert "was not ready in time" in logged(found, ERROR)[0]
    assert is_untouched(play)


def test_after_a_refusal_the_next_USR2_is_a_new_try_and_a_success_is_no_refusal_any_more() -> None:
    play = Play().serve()
    upgrade(play)
    play.tell(events.SuccessorExited(1))
    upgrade(play)
    play.tell(events.SuccessorExited(1))
    play.reload()
    (notice,) = only(play.done[-8:], actions.Notify)[-1:]
    assert isinstance(notice, actions.Notify)
    assert "refused" not in notice.status


def test_children_that_die_during_an_upgrade_are_replaced() -> None:
    play = Play().serve()
    upgrade(play)
    assert forked(play.dies(play.workers()[0])) == ["worker 1"]
    assert play.policy.phase is Phase.UPGRADING


# One transition at a time.


def test_M20_USR2_during_a_reload_waits_for_its_verdict() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    found = play.signal(USR2)
    assert logged(found, INFO) == ["upgrade: waits until the last change is done"]
    assert only(found, actions.Launch) == []
    assert only(play.ready(*play.children(2)), actions.Launch) == []
    assert len(only(play.yields(*play.workers(1)), actions.Launch)) == 1


def test_M20_USR2_before_the_first_READY_waits_for_it() -> None:
    play = Play()
    play.begin()
    assert only(play.signal(USR2), actions.Launch) == []
    assert len(only(play.ready(*play.children(1)), actions.Launch)) == 1


def test_HUP_during_an_upgrade_that_fails_is_a_reload_after_it() -> None:
    play = Play().serve()
    upgrade(play)
    assert only(play.signal(signal.SIGHUP), actions.Load) == []
    assert only(play.tell(events.SuccessorExited(1)), actions.Load) == [actions.Load(2)]


def test_HUP_during_an_upgrade_is_the_new_masters_when_it_serves() -> None:
    """It may have read the file before it was changed.  Whoever waits for a verdict is told."""
    play = Play().serve()
    successor = upgrade(play)
    play.signal(signal.SIGHUP)
    found = play.tell(events.SuccessorReady())
    assert (successor, "HUP") in killed(found)
    (verdict,) = only(found, actions.Verdict)
    assert isinstance(verdict, actions.Verdict)
    assert (verdict.generation, verdict.code) == (2, 0)


def test_USR2_during_an_upgrade_is_kept_and_many_are_one() -> None:
    play = Play().serve()
    upgrade(play)
    for _ in range(3):
        assert only(play.signal(USR2), actions.Launch) == []
    assert len(only(play.tell(events.SuccessorExited(1)), actions.Launch)) == 1
    play.signal(USR2)
    found = play.tell(events.SuccessorReady())
    assert [name for child, name in killed(found) if "new master" in str(child)] == ["USR2"]


def test_USR1_during_an_upgrade_is_for_both() -> None:
    play = Play().serve()
    successor = upgrade(play)
    found = play.signal(signal.SIGUSR1)
    assert found == [actions.Reopen(), actions.Kill(successor, signal.SIGUSR1)]


def test_M20_process_1_refuses_with_a_line() -> None:
    play = Play(alone="the master is process 1").serve()
    assert play.signal(USR2) == [
        actions.Log(WARNING, "upgrade refused: the master is process 1"),
    ]
    assert play.policy.phase is Phase.SERVING


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_USR2_and_HUP_during_a_stop_do_nothing(order: signal.Signals) -> None:
    play = Play().serve()
    play.signal(order)
    assert play.signal(USR2) == []
    assert play.signal(signal.SIGHUP) == []


def test_USR2_and_HUP_do_nothing_in_a_master_that_retires() -> None:
    play = Play().serve()
    upgrade(play)
    play.tell(events.SuccessorReady())
    assert play.signal(USR2) == []
    assert play.signal(signal.SIGHUP) == []


# Stop.


@pytest.mark.parametrize(
    ("order", "passed"),
    [(signal.SIGTERM, "TERM"), (signal.SIGINT, "QUIT"), (signal.SIGQUIT, "QUIT")],
)
def test_a_stop_during_an_upgrade_ends_the_new_master_first(
    order: signal.Signals, passed: str
) -> None:
    play = Play().serve()
    successor = upgrade(play)
    assert (successor, passed) in killed(play.signal(order))
    assert play.tell(events.SuccessorReady()) == []  # too late: it has our TERM
    left = play.leave(play.workers()) + play.leave([play.spawner()])
    assert only(left, actions.Exit) == []
    found = play.tell(events.SuccessorExited(0))
    assert only(found, actions.Exit) == [actions.Exit(0, "")]
    assert logged(found, ERROR) == []


def test_a_new_master_that_does_not_obey_a_stop_is_killed() -> None:
    play = Play(replace(PLAN, workers=1, pools=())).serve()
    successor = upgrade(play)
    play.signal(signal.SIGTERM)
    mine = [name for child, name in killed(play.after(PLAN.graceful + 2.0)) if child is successor]
    assert mine == ["QUIT", "KILL"]


def test_TERM_ends_a_master_that_retires_as_soon_as_it_can() -> None:
    play = Play().serve()
    upgrade(play)
    play.tell(events.SuccessorReady())
    workers = play.workers()
    assert killed(play.signal(signal.SIGTERM)) == [(one, "TERM") for one in workers]
    found = play.leave(workers) + play.leave([play.spawner()])
    assert only(found, actions.Exit) == [actions.Exit(0, "")]
