"""The policy's transition to another generation: reload."""

import signal
from dataclasses import replace
from logging import ERROR, INFO, WARNING

import pytest

from forkhttpd.errors import ExitCode
from forkhttpd.master import actions
from forkhttpd.master.actions import Notice
from forkhttpd.master.child import State
from forkhttpd.master.phase import Phase
from forkhttpd.master.policy import MAX_DRAINING
from forkhttpd.master.roster import Plan
from tests.master.play import PLAN, Play, forked, killed, logged, only

LAME = replace(PLAN, lame_duck=10.0)


def test_HUP_loads_the_next_generation_and_touches_nothing() -> None:
    play = Play().serve()
    assert play.signal(signal.SIGHUP) == [
        actions.Notify(Notice.RELOADING, "reloading"),
        actions.Load(2),
    ]


def test_the_next_generation_starts_beside_the_serving_one() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    found = play.loaded(replace(PLAN, generation=2))
    assert forked(found) == ["spawner [default]", "worker 1", "worker 2"]
    assert killed(found) == []


def test_nothing_drains_before_every_worker_and_spawner_is_ready() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    assert killed(play.ready(*play.workers(2))) == []
    assert killed(play.ready(play.spawner(2))) == [(one, "HUP") for one in play.workers(1)]


def test_the_swap_adopts_first_and_releases_after() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    found = play.ready(*play.children(2))
    steps = [one for one in found if isinstance(one, (actions.Adopt, actions.Release))]
    assert steps == [actions.Adopt(2), actions.Release(1)]


def test_a_generation_drains_workers_first_then_its_spawners_then_it_is_closed() -> None:
    play = Play().serve()
    play.reload()
    first, second = play.workers(1)
    assert killed(play.dies(first, 0)) == []
    assert killed(play.dies(second, 0)) == [(play.spawner(1), "TERM")]
    assert only(play.dies(play.spawner(1), 0), actions.Close) == [actions.Close(1)]


def test_workers_that_drain_get_their_spawner_back_when_it_dies() -> None:
    play = Play().serve()
    play.reload()
    assert forked(play.dies(play.spawner(1))) == ["spawner [default]"]
    assert play.spawner(1).generation == 1


def test_workers_that_drain_are_not_replaced_when_they_die() -> None:
    play = Play().serve()
    play.reload()
    assert forked(play.dies(play.workers(1)[0], -signal.SIGSEGV)) == []


def test_who_has_not_drained_in_time_gets_QUIT_and_two_seconds_later_KILL() -> None:
    play = Play().serve()
    play.reload()
    workers = play.workers(1)
    assert killed(play.after(29.9)) == []
    assert killed(play.after(0.1)) == [(one, "QUIT") for one in workers]
    assert killed(play.after(2.0)) == [(one, "KILL") for one in workers]


def test_a_spawner_has_the_time_that_its_programs_have() -> None:
    play = Play().serve()
    play.reload()
    play.leave(play.workers(1))
    spawner = play.spawner(1)
    assert killed(play.after(4.9)) == []
    assert killed(play.after(0.1)) == [(spawner, "QUIT")]


def test_a_reload_takes_up_another_number_of_workers() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan(workers=5, pools=())
    assert len(play.children(2)) == 5


# Done is a reload when nobody else accepts.

SERVES_ALONE = [
    actions.Log(INFO, "reloaded: 2 workers, 1 spawner"),
    actions.Verdict(2, ExitCode.STOPPED, "reloaded: 2 workers, 1 spawner"),
    actions.Notify(
        Notice.READY, "serving: 2 workers, 1 spawner, generation 2 (generation 1 drains)"
    ),
]


def is_done(found: list[actions.Action]) -> bool:
    """Whether anybody was told that the reload is done."""
    kinds = {type(one) for one in found}
    return bool(kinds & {actions.Verdict, actions.Notify}) or logged(found, INFO) != []


def test_M7_a_reload_is_done_when_the_last_worker_has_yielded() -> None:
    play = Play().serve()
    assert not is_done(play.swap())
    first, second = play.yielding()
    assert play.yields(first) == []
    assert play.yields(second) == SERVES_ALONE
    assert play.policy.phase is Phase.SERVING


@pytest.mark.parametrize("code", [0, -signal.SIGSEGV])
def test_M7_a_worker_that_is_gone_has_yielded(code: int) -> None:
    play = Play().serve()
    play.swap()
    first, second = play.yielding()
    play.yields(first)
    found = play.dies(second, code)
    assert [one for one in found if one in SERVES_ALONE] == SERVES_ALONE


def test_M7_who_does_not_yield_within_a_heartbeat_is_killed_and_not_waited_for() -> None:
    play = Play().serve()
    play.swap()
    first, frozen = play.yielding()
    play.yields(first)
    assert not is_done(play.after(PLAN.heartbeat - 0.1))
    found = play.after(0.1)
    assert killed(found) == [(frozen, "KILL")]
    assert logged(found, WARNING) == [f"{frozen} did not stop accepting in time: SIGKILL"]
    assert [one for one in found if one in SERVES_ALONE] == SERVES_ALONE
    assert logged(play.dies(frozen), INFO) == []


def test_M7_a_worker_that_is_aborted_for_its_silence_is_waited_for() -> None:
    play = Play().serve()
    play.after(12.0, beating=False)
    assert {one.state for one in play.workers()} == {State.ABORTED}
    old = play.workers(1)
    assert not is_done(play.swap())
    play.dies(old[0], -6)
    assert only(play.dies(old[1], -6), actions.Verdict) == SERVES_ALONE[1:2]


def test_M7_an_old_worker_that_is_still_to_come_is_waited_for() -> None:
    """It may be ready before it reads that it has to go."""
    play = Play().serve()
    play.dies(play.workers()[0])
    play.swap()
    new, other = sorted(play.yielding(), key=lambda child: child.ready_at is not None)
    play.ready(new)  # too late
    play.yields(other)
    assert new.state is State.YIELDING
    assert play.yields(new) == SERVES_ALONE


def test_M7_those_that_a_refusal_puts_away_are_not_waited_for() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    play.dies(play.workers(2)[0], 70)
    play.swap()
    found = play.yields(*play.workers(1))
    assert [one.generation for one in found if isinstance(one, actions.Verdict)] == [3]


def test_who_has_yielded_has_the_graceful_time_from_then_on() -> None:
    play = Play().serve()
    play.swap()
    play.after(5.0)
    old = play.yielding()
    play.yields(*old)
    assert killed(play.after(PLAN.graceful - 0.1)) == []
    assert killed(play.after(0.1)) == [(one, "QUIT") for one in old]


def test_a_worker_that_drains_because_of_a_stop_has_nobody_to_yield_to() -> None:
    play = Play().serve()
    play.signal(signal.SIGTERM)
    assert play.yields(*play.workers()) == []


@pytest.mark.parametrize(("plan", "phase"), [(PLAN, Phase.STOPPING), (LAME, Phase.LAME_DUCK)])
def test_TERM_before_the_verdict_is_a_stop_and_not_READY_again(plan: Plan, phase: Phase) -> None:
    play = Play(plan).serve()
    play.swap()
    old = play.yielding()
    found = play.signal(signal.SIGTERM) + play.yields(*old)
    notices = [one.notice for one in found if isinstance(one, actions.Notify)]
    assert notices == [Notice.STOPPING]
    assert play.policy.phase is phase
    assert {one.state for one in old} == {State.DRAINING}


# A reload that cannot be.


def test_M8_a_wrong_file_changes_nothing() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    found = play.not_loaded("site.conf:3: [log] lefel: no such key")
    verdict = "reload refused, nothing changed: site.conf:3: [log] lefel: no such key"
    assert found == [
        actions.Log(ERROR, verdict),
        actions.Verdict(2, ExitCode.CONFIG, verdict),
        actions.Notify(Notice.READY, f"{verdict}; serving: 2 workers, 1 spawner, generation 1"),
    ]
    assert play.policy.phase is Phase.SERVING


def test_M8_one_child_that_cannot_start_puts_the_next_generation_away() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    play.ready(play.spawner(2), play.workers(2)[0])
    bad = play.workers(2)[1]
    others = [one for one in play.children(2) if one is not bad]
    found = play.dies(bad, 78, "there is no such user")
    assert len(logged(found, ERROR)) == 1
    assert logged(found, ERROR)[0].endswith("exited with status 78: there is no such user")
    assert only(found, actions.Release) == [actions.Release(2)]
    # All at once: it has served nobody.
    assert {child for child, _ in killed(found)} == set(others)
    assert forked(found) == []
    assert only(play.leave(others), actions.Close) == [actions.Close(2)]
    assert [one.state for one in play.children(1)] == [State.READY] * 3


def test_M8_a_child_that_was_ready_and_dies_before_the_swap_is_a_refusal_too() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    play.ready(play.workers(2)[0])
    assert len(logged(play.dies(play.workers(2)[0]), ERROR)) == 1
    assert play.policy.phase is Phase.SERVING


def test_M8_a_child_that_hangs_at_boot_is_a_refusal_after_the_start_limit() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    hung = play.spawner(2)
    play.ready(*play.workers(2))
    assert killed(play.after(10.0)) == [(hung, "KILL")]
    assert "was not ready in time" in logged(play.dies(hung), ERROR)[0]
    assert [one.state for one in play.children(1)] == [State.READY] * 3


def test_M8_the_others_ends_are_no_news() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    first, second = play.workers(2)
    play.dies(first, 70)
    assert logged(play.dies(second, 70), INFO) == []


def test_a_crash_of_the_serving_generation_is_mended_during_a_reload() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    assert forked(play.dies(play.workers(1)[0])) == ["worker 1"]
    assert play.policy.phase is Phase.SWAPPING


def test_after_a_refusal_the_next_HUP_is_a_new_generation() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.not_loaded("no")
    assert only(play.signal(signal.SIGHUP), actions.Load) == [actions.Load(3)]


# One at a time.


def test_a_HUP_during_a_reload_is_kept_and_many_are_one() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    for _ in range(3):
        assert only(play.signal(signal.SIGHUP), actions.Load) == []
    assert only(play.ready(*play.children(2)), actions.Load) == []
    assert only(play.yields(*play.workers(1)), actions.Load) == [actions.Load(3)]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_a_storm_of_signals_that_wait_is_one_line(number: signal.Signals) -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    assert len([line for _ in range(100) for line in logged(play.signal(number))]) == 1


def test_a_HUP_during_a_reload_that_fails_is_kept_too() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    play.signal(signal.SIGHUP)
    assert only(play.dies(play.workers(2)[0], 70), actions.Load) == [actions.Load(3)]


def test_a_HUP_before_the_first_READY_waits_for_it() -> None:
    play = Play()
    play.begin()
    assert only(play.signal(signal.SIGHUP), actions.Load) == []
    assert only(play.ready(*play.children(1)), actions.Load) == [actions.Load(2)]


def test_the_number_of_draining_generations_is_bounded() -> None:
    play = Play().serve()
    for _ in range(MAX_DRAINING):
        play.reload()
    assert only(play.signal(signal.SIGHUP), actions.Load) == []
    oldest = play.workers(1)
    play.leave(oldest)
    assert only(play.leave([play.spawner(1)]), actions.Load) == [actions.Load(MAX_DRAINING + 2)]


def test_HUP_and_TTIN_during_a_stop_do_nothing() -> None:
    play = Play().serve()
    play.signal(signal.SIGTERM)
    assert play.signal(signal.SIGHUP) == []
    assert play.signal(signal.SIGTTIN) == []
