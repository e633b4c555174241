"""Workers that come and go while all is well: by load, by requests, by memory (M19)."""

import signal
from dataclasses import replace
from logging import INFO

from forkhttpd.master import actions, events
from forkhttpd.master.child import NEVER, Child, State
from forkhttpd.master.scaling import Bounds, Reading
from tests.master.play import PLAN, Play, forked, killed, logged, only

ELASTIC = replace(PLAN, workers=1, bounds=Bounds(1, 4, 60.0))
LEAN = replace(PLAN, memory=100 << 20)


def look(
    play: Play, load: float = 0.0, *, memory: int = 0, seconds: float = 1.0
) -> list[actions.Action]:
    """Let a look show that every worker had this load since the last one."""
    play.now += seconds
    readings = {child.slot: Reading(play.now * load, 0.0, memory) for child in play.workers()}
    return play.tell(events.Looked(readings))


def wear(play: Play, *children: Child) -> list[actions.Action]:
    return [one for child in children for one in play.tell(events.Worn(child.slot))]


# By load.


def test_M19_nobody_looks_where_nothing_depends_on_it() -> None:
    assert Play().serve().policy.look_at == NEVER


def test_M19_looks_begin_with_the_service_and_end_with_it() -> None:
    play = Play(ELASTIC)
    play.begin()
    assert play.policy.look_at == NEVER
    play.ready(*play.children(1))
    assert play.policy.look_at <= play.now
    look(play)
    assert play.policy.look_at == play.now + 1.0
    play.signal(signal.SIGTERM)
    look(play)
    assert play.policy.look_at == NEVER


def test_M19_the_load_starts_workers_and_its_absence_drains_them_one_by_one() -> None:
    play = Play(ELASTIC).serve()
    look(play)
    found = look(play, 1.0)
    assert forked(found) == ["worker 2"]
    assert logged(found, INFO) == ["workers: 2, as the load asks for"]
    play.ready(play.workers()[1])
    for _ in range(60):
        assert killed(look(play)) == []
    (gone,) = [child for child in play.workers() if child.number == 2]
    found = look(play) + look(play) + look(play)
    assert killed(found) == [(gone, "HUP")]
    assert logged(found, INFO) == ["workers: 1, as the load asks for"]


def test_M19_nothing_is_decided_while_workers_start() -> None:
    play = Play(ELASTIC).serve()
    look(play)
    look(play, 1.0)
    assert forked(look(play, 1.0) + look(play, 1.0)) == []


def test_M19_TTIN_and_TTOU_stay_within_the_bounds() -> None:
    play = Play(ELASTIC).serve()
    for _ in range(9):
        play.signal(signal.SIGTTIN)
    assert len(play.workers()) == 4
    play.ready(*play.workers())
    for _ in range(9):
        play.signal(signal.SIGTTOU)
    assert sum(child.state is State.READY for child in play.workers()) == 1


def test_M19_a_reload_begins_with_as_many_workers_as_serve() -> None:
    play = Play(ELASTIC).serve()
    play.signal(signal.SIGTTIN)
    play.ready(*play.workers())
    play.signal(signal.SIGHUP)
    play.next_plan()
    assert len(play.workers(2)) == 2


def test_WINCH_leaves_a_daemon_without_workers_whatever_the_bounds() -> None:
    play = Play(ELASTIC, daemonized=True).serve()
    found = play.signal(signal.SIGWINCH)
    assert [name for _, name in killed(found)] == ["HUP"]
    play.leave(play.workers())
    assert forked(look(play) + look(play)) == []


# By requests and by memory.


def test_M19_a_worn_worker_serves_until_a_new_one_is_ready() -> None:
    play = Play().serve()
    worn = play.workers()[0]
    found = wear(play, worn)
    assert (forked(found), killed(found)) == (["worker 3"], [])
    assert killed(play.after(5.0)) == []
    new = play.workers()[-1]
    assert killed(play.ready(new)) == [(worn, "HUP")]
    found = play.dies(worn, 0)
    assert (forked(found), logged(found, INFO)) == ([], [])
    assert len(play.workers()) == 2


def test_M19_all_worn_at_once_are_replaced_one_after_the_other() -> None:
    play = Play(replace(PLAN, workers=3)).serve()
    old = play.workers()
    assert forked(wear(play, *old)) == ["worker 4"]
    for left in (3, 2, 1):
        new = play.workers()[-1]
        found = play.ready(new)
        ((gone, how),) = killed(found)
        assert gone in old
        assert how == "HUP"
        assert len(forked(found)) == (left > 1)
        serving = [child for child in play.workers() if child.state is State.READY]
        assert len(serving) == 3


def test_M19_the_number_of_worn_workers_that_drain_is_bounded() -> None:
    play = Play().serve()
    for _ in range(5):
        wear(play, *[child for child in play.workers() if child.state is State.READY])
        play.ready(*play.workers())
    assert sum(child.is_leaving for child in play.workers()) == 2
    assert sum(child.state is State.READY for child in play.workers()) >= 2


def test_M19_a_new_worker_that_cannot_start_leaves_the_worn_one_serving() -> None:
    play = Play().serve()
    worn = play.workers()[0]
    wear(play, worn)
    for _ in range(10):
        for child in play.workers():
            if child.state is State.STARTING:
                play.dies(child, 70)
        play.after(40.0)
    assert worn.state is State.READY


def test_M19_a_worn_worker_goes_first_when_there_are_to_be_fewer() -> None:
    play = Play().serve()
    worn, other = play.workers()
    wear(play, worn)
    play.ready(play.workers()[-1])
    assert worn.is_leaving
    found = play.signal(signal.SIGTTOU)
    assert [child.number for child, _ in killed(found)] == [3]
    assert other.state is State.READY


def test_M19_who_uses_too_much_memory_is_replaced_and_the_log_says_how_much() -> None:
    play = Play(LEAN).serve()
    assert forked(look(play, memory=100 << 20)) == []
    assert play.policy.look_at == play.now + 3.0
    found = look(play, memory=101 << 20)
    assert forked(found) == ["worker 3"]
    first = play.workers()[0]
    assert f"{first} uses 101 MiB: a new one takes its place" in logged(found, INFO)
    assert logged(look(play, memory=101 << 20), INFO) == []


def test_M19_what_drains_or_starts_is_not_worn() -> None:
    play = Play().serve()
    play.signal(signal.SIGHUP)
    play.next_plan()
    starting = play.workers(2)[0]
    old = play.workers(1)
    play.ready(*play.children(2))
    assert forked(wear(play, *old)) == []
    assert starting.state is State.READY


# Verdicts.


def test_O10_a_reload_has_a_verdict_and_so_has_a_refusal() -> None:
    play = Play().serve()
    number = play.reload()
    assert only(play.done, actions.Verdict) == [
        actions.Verdict(number, 0, "reloaded: 2 workers, 1 spawner")
    ]
    play.signal(signal.SIGHUP)
    (refused,) = only(play.not_loaded("no such file"), actions.Verdict)
    assert refused == actions.Verdict(3, 78, "reload refused, nothing changed: no such file")


def test_O10_a_child_that_cannot_start_is_a_verdict_with_its_own_code() -> None:
    for code, verdict in ((78, 78), (69, 69), (1, 70), (-9, 70)):
        play = Play().serve()
        play.signal(signal.SIGHUP)
        play.next_plan()
        found = play.dies(play.workers(2)[0], code, "why not")
        (told,) = only(found, actions.Verdict)
        assert isinstance(told, actions.Verdict)
        assert (told.generation, told.code) == (2, verdict)
