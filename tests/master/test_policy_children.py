"""The policy's care for children: start, ready, hang, crash, back off, scale."""

import signal
from dataclasses import replace
from itertools import pairwise
from logging import ERROR, INFO, WARNING

import pytest

from forkhttpd.errors import ExitCode
from forkhttpd.inheritance import Role
from forkhttpd.master import actions, events
from forkhttpd.master.child import NEVER, State
from forkhttpd.master.phase import Phase
from forkhttpd.scoreboard import SLOTS
from tests.master.play import PLAN, Play, forked, killed, logged, only

# Start.


def test_it_starts_spawners_and_workers() -> None:
    assert forked(Play().begin()) == ["spawner [default]", "worker 1", "worker 2"]


def test_it_starts_one_spawner_for_each_pool() -> None:
    play = Play(replace(PLAN, workers=1, pools=("a", "b")))
    assert forked(play.begin()) == ["spawner [a]", "spawner [b]", "worker 1"]


def test_it_is_ready_when_the_last_worker_and_spawner_are() -> None:
    play = Play()
    play.begin()
    assert only(play.ready(*play.workers()), actions.Adopt) == []
    found = play.ready(play.spawner())
    assert only(found, actions.Adopt) == [actions.Adopt(1)]
    assert logged(found, INFO) == ["ready: 2 workers, 1 spawner"]
    assert only(found, actions.Notify) == [
        actions.Notify(actions.Notice.READY, "serving: 2 workers, 1 spawner, generation 1")
    ]


def test_living_children_have_slots_of_their_own() -> None:
    play = Play(replace(PLAN, workers=40))
    play.begin()
    assert sorted(play.policy.children) == list(range(41))


def test_with_every_slot_taken_it_says_so_and_tries_again() -> None:
    play = Play(replace(PLAN, workers=SLOTS))
    found = play.begin()
    assert len(forked(found)) == SLOTS
    assert logged(found, ERROR) == [f"no room for another worker: there are {SLOTS} children"]
    assert play.policy.deadline() == play.now + 1.0


# Death.


def test_a_worker_that_dies_is_replaced_at_once_and_takes_its_number() -> None:
    play = Play().serve()
    first = play.workers()[0]
    found = play.dies(first, -signal.SIGSEGV)
    assert forked(found) == ["worker 1"]
    assert logged(found, ERROR) == [f"worker 1 (pid {first.pid}) died: SIGSEGV, respawned"]


def test_a_worker_that_leaves_unasked_with_status_0_is_replaced_and_is_no_error() -> None:
    play = Play().serve()
    found = play.dies(play.workers()[0], 0)
    assert forked(found) == ["worker 1"]
    assert logged(found, ERROR) == []


def test_M2_a_spawner_that_dies_is_replaced_and_what_it_left_is_swept() -> None:
    play = Play().serve()
    found = play.dies(play.spawner())
    assert forked(found) == ["spawner [default]"]
    assert only(found, actions.Sweep) == [actions.Sweep()]


def test_M2_the_master_does_not_leave_before_the_sweep_is_done() -> None:
    play = Play().serve()
    play.dies(play.spawner())
    play.signal(signal.SIGINT)
    assert only(play.leave(play.children(1)), actions.Exit) == []
    assert only(play.tell(events.Swept()), actions.Exit) == [actions.Exit(0, "")]


def test_a_spawner_that_goes_as_asked_leaves_nothing_to_sweep() -> None:
    play = Play().serve()
    play.signal(signal.SIGTERM)
    play.leave(play.workers())
    assert only(play.dies(play.spawner(), 0), actions.Sweep) == []


# Hanging.


def test_M3_a_worker_that_beats_lives() -> None:
    play = Play().serve()
    assert killed(play.after(3600.0)) == []


def test_M3_a_worker_without_heartbeat_gets_ABRT_then_KILL_and_is_replaced() -> None:
    play = Play(replace(PLAN, workers=1)).serve()
    (worker,) = play.workers()
    assert killed(play.after(10.9, beating=False)) == []
    assert killed(play.after(0.1, beating=False)) == [(worker, "ABRT")]
    assert killed(play.after(2.0, beating=False)) == [(worker, "KILL")]
    found = play.dies(worker)
    assert forked(found) == ["worker 1"]
    assert logged(found, ERROR) == [f"worker 1 (pid {worker.pid}) gave no sign of life, respawned"]


def test_M3_the_heartbeat_is_the_workers_own_not_the_time_of_a_request() -> None:
    play = Play(replace(PLAN, workers=1)).serve()
    (worker,) = play.workers()
    for _ in range(120):
        play.now += 1.0
        play.tell(events.Tick({worker.slot: play.now}))
    assert worker.state is State.READY


def test_a_spawner_may_sleep_for_as_long_as_nobody_asks_it() -> None:
    play = Play().serve()
    assert play.spawner().deadline == NEVER


def test_a_reload_that_the_machines_sleep_interrupts_goes_on() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    play.now += 3600.0
    assert killed(play.tick(beating=False)) == []
    assert only(play.ready(*play.children(2)), actions.Adopt) == [actions.Adopt(2)]


@pytest.mark.parametrize("asleep", [10.01, 11.0, 60.0, 86400.0])
def test_time_in_which_the_master_did_not_run_counts_against_nobody(asleep: float) -> None:
    play = Play().serve()
    play.now += asleep
    assert killed(play.tick(beating=False)) == []
    assert killed(play.after(60.0)) == []


def test_a_worker_that_hangs_after_the_master_slept_is_still_found() -> None:
    play = Play().serve()
    play.now += 3600.0
    play.tick(beating=False)
    assert {name for _, name in killed(play.after(2.0, beating=False))} == {"ABRT"}


# Booting.


def test_a_child_that_is_not_ready_in_time_is_killed_and_tried_again() -> None:
    play = Play(replace(PLAN, workers=1))
    play.begin()
    play.ready(play.spawner())
    (worker,) = play.workers()
    found = play.after(10.0)
    assert killed(found) == [(worker, "KILL")]
    found = play.dies(worker)
    assert forked(found) == ["worker 1"]
    assert logged(found) == [f"worker 1 (pid {worker.pid}) was not ready in time, trying again"]


def test_M12_if_none_was_ever_ready_it_gives_up_with_one_line() -> None:
    play = Play(replace(PLAN, workers=1))
    play.begin()
    play.ready(play.spawner())
    for _ in range(4):
        assert only(play.dies(play.workers()[0], 70, "ValueError: x"), actions.Exit) == []
    pid = play.workers()[0].pid
    found = play.dies(play.workers()[0], 70, "ValueError: x")
    reason = f"worker 1 (pid {pid}) exited with status 70: ValueError: x"
    times = " (5 attempts, none was ever ready)"
    assert logged(found, ERROR) == [f"cannot start: {reason}{times}"]
    found = play.leave([play.spawner()])
    assert only(found, actions.Exit) == [actions.Exit(ExitCode.SOFTWARE, reason + times)]
    assert len(logged(play.done, WARNING)) == 5


@pytest.mark.parametrize("code", [ExitCode.UNAVAILABLE, ExitCode.OSERR, ExitCode.CONFIG])
def test_a_child_that_knows_it_cannot_run_is_believed_at_once(code: ExitCode) -> None:
    play = Play(replace(PLAN, workers=1, pools=()))
    play.begin()
    found = play.dies(play.workers()[0], code, "no such user")
    (leaving,) = [one for one in found if isinstance(one, actions.Exit)]
    assert leaving.code == code
    assert leaving.reason.endswith(": no such user")


def test_a_fork_that_fails_is_a_failed_boot() -> None:
    play = Play(replace(PLAN, workers=1, pools=()))
    play.begin()
    found = play.tell(events.NotForked(play.workers()[0].slot, "Resource unavailable"))
    (leaving,) = [one for one in found if isinstance(one, actions.Exit)]
    assert leaving.code == ExitCode.OSERR
    assert "could not be forked: Resource unavailable" in leaving.reason


def crash(play: Play) -> list[float]:
    """Let every new worker die at boot until none is started at once; return when each was."""
    starts = []
    while starting := [one for one in play.workers() if one.state is State.STARTING]:
        starts.append(play.now)
        play.dies(starting[0], 70)
    return starts


def crash_for(play: Play, seconds: float) -> list[float]:
    """Let every new worker die at boot for a while; return when each was started."""
    end = play.now + seconds
    starts = crash(play)
    while (due := play.policy.deadline()) <= end:
        play.now = due
        play.tick()
        starts += crash(play)
    return starts


def test_M12_boots_that_keep_failing_back_off_exponentially() -> None:
    play = Play(replace(PLAN, workers=1)).serve()
    play.dies(play.workers()[0])
    starts = crash_for(play, 120.0)
    waits = [round(after - before) for before, after in pairwise(starts)]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_M12_a_crash_loop_of_many_workers_writes_under_100_lines_a_minute() -> None:
    play = Play(replace(PLAN, workers=64)).serve()
    before = len(logged(play.done, INFO))
    for worker in play.workers()[:32]:
        play.dies(worker)
    crash_for(play, 60.0)
    assert len(logged(play.done, INFO)) - before < 100


def test_M12_while_boots_fail_one_at_a_time_is_tried() -> None:
    play = Play(replace(PLAN, workers=8)).serve()
    for worker in play.workers():
        play.dies(worker)
    crash(play)
    assert play.workers() == []
    play.after(30.0)
    assert [one.state for one in play.workers()] == [State.STARTING]


def test_M12_the_first_that_is_ready_again_brings_the_others_back() -> None:
    play = Play(replace(PLAN, workers=8)).serve()
    for worker in play.workers():
        play.dies(worker)
    crash(play)
    play.after(30.0)
    while starting := [one for one in play.workers() if one.state is State.STARTING]:
        play.ready(*starting)
    assert [one.state for one in play.workers()] == [State.READY] * 8


def test_a_minute_without_failure_forgets_them_all() -> None:
    play = Play(replace(PLAN, workers=1)).serve()
    for _ in range(8):
        play.dies(play.workers()[0], 70)
        play.after(60.1)
        play.ready(*play.workers())
        play.after(60.1)
    assert forked(play.dies(play.workers()[0])) == ["worker 1"]


def test_a_worker_that_dies_right_after_being_ready_has_failed_to_boot() -> None:
    play = Play(replace(PLAN, workers=1)).serve()
    for _ in range(6):
        play.after(0.01)
        found = play.dies(play.workers()[0])
        play.ready(*play.workers())
    assert forked(found) == []
    assert ", next try in 1 s" in logged(found)[0]


# Scale.


def test_M19_TTIN_starts_one_worker_more() -> None:
    play = Play().serve()
    assert forked(play.signal(signal.SIGTTIN)) == ["worker 3"]


def test_M19_TTOU_drains_the_last_worker_and_its_end_is_no_news() -> None:
    play = Play().serve()
    last = play.workers()[-1]
    assert killed(play.signal(signal.SIGTTOU)) == [(last, "HUP")]
    found = play.dies(last, 0)
    assert forked(found) == []
    assert logged(found, INFO) == []


def test_M19_the_last_worker_stays() -> None:
    play = Play().serve()
    play.signal(signal.SIGTTOU)
    assert killed(play.signal(signal.SIGTTOU)) == []


def test_a_number_is_taken_for_as_long_as_its_worker_drains() -> None:
    play = Play().serve()
    play.signal(signal.SIGTTOU)
    assert forked(play.signal(signal.SIGTTIN)) == ["worker 3"]


def test_WINCH_is_a_window_that_changes_its_size() -> None:
    play = Play().serve()
    assert killed(play.signal(signal.SIGWINCH)) == []


def test_WINCH_lets_a_daemons_workers_drain_and_HUP_brings_them_back() -> None:
    play = Play(daemonized=True).serve()
    workers = play.workers()
    assert killed(play.signal(signal.SIGWINCH)) == [(one, "HUP") for one in workers]
    play.leave(workers)
    assert play.policy.phase is Phase.SERVING
    assert only(play.done, actions.Exit) == []
    play.reload()
    assert [one.role for one in play.children(2)].count(Role.WORKER) == 2


def test_USR1_reopens_the_logs() -> None:
    assert only(Play().serve().signal(signal.SIGUSR1), actions.Reopen) == [actions.Reopen()]
