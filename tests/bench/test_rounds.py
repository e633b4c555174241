"""The plan of a run: everybody in every round, in changing company."""

from scripts.benchmark.case import CASES, Ability, Kind
from scripts.benchmark.cli import QUICK
from scripts.benchmark.peers import servers
from scripts.benchmark.rounds import plan

_NAMES = ["forkhttpd", "nginx", "lighttpd", "floor"]
_ENTRIES = [(CASES[0], _NAMES), (CASES[1], _NAMES[:3])]


def test_every_server_has_every_case_once_in_every_round() -> None:
    steps = plan(_ENTRIES, rounds=3, seed=1)
    for number in range(4):
        for case, names in _ENTRIES:
            taken = [s.server for s in steps if (s.round, s.case) == (number, case)]
            assert sorted(taken) == sorted(names)
    assert len(steps) == 4 * (4 + 3)


def test_rounds_come_one_after_the_other_and_the_warm_up_is_first() -> None:
    numbers = [step.round for step in plan(_ENTRIES, rounds=3, seed=1)]
    assert numbers == sorted(numbers)
    assert numbers[0] == 0


def test_servers_change_their_order_from_round_to_round() -> None:
    steps = plan(_ENTRIES[:1], rounds=20, seed=1)
    orders = [tuple(step.server for step in steps[at : at + 4]) for at in range(0, 84, 4)]
    assert len(set(orders)) > 5
    assert {order[0] for order in orders} == set(_NAMES)


def test_the_same_seed_draws_the_same_orders() -> None:
    assert plan(_ENTRIES, rounds=5, seed=7) == plan(_ENTRIES, rounds=5, seed=7)
    assert plan(_ENTRIES, rounds=5, seed=7) != plan(_ENTRIES, rounds=5, seed=8)


def test_only_cases_of_load_are_warmed_up_for() -> None:
    steps = plan([(case, _NAMES) for case in CASES], rounds=2, seed=1)
    assert {step.case.kind for step in steps if step.round == 0} == {Kind.LOAD}
    assert {step.case for step in steps if step.round == 1} == set(CASES)


def test_every_case_has_its_servers() -> None:
    able = {case.name: {known.name for known in servers() if known.can(case)} for case in CASES}
    grown = {"forkhttpd", "nginx", "lighttpd", "apache-event", "apache-prefork"}
    programs = grown - {"nginx"} | {"nginx+fcgiwrap", "busybox", "http.server"}
    assert able["1k"] == grown | {"floor"}
    for name in ("many", "304", "404", "100k", "10m", "range", "reload", "tls-1k", "tls-10m"):
        assert able[name] == grown
    assert able["slow"] == {"forkhttpd", "nginx", "lighttpd"}
    assert able["close"] == able["alone"] == grown | {"busybox", "http.server"}
    assert able["cgi"] == able["shell"] == able["busy"] == programs
    assert able["python"] == able["python-more"] == programs | {"forkhttpd-warm"}
    assert {ability for case in CASES for ability in case.needs} == set(Ability) - {Ability.CROWDS}


def test_a_quick_run_has_most_kinds_of_cases_and_somebody_for_each() -> None:
    quick = [case for case in CASES if case.quick]
    assert {case.kind for case in quick} == set(Kind) - {Kind.RELOAD, Kind.SLOW}
    for case in quick:
        able = {known.name for known in servers() if known.quick and known.can(case)}
        assert {"forkhttpd", "lighttpd"} <= able


def test_a_quick_run_puts_load_on_its_servers_for_a_minute() -> None:
    """All in all it is to take less than two, on a busy machine, too."""
    known = [server for server in servers() if server.quick]
    entries = [(case, [one.name for one in known if one.can(case)]) for case in CASES if case.quick]
    rounds, seconds = QUICK
    steps = plan(entries, rounds=rounds, seed=1)
    longer = {Kind.LOAD: 0, Kind.BUSY: 1, Kind.ALONE: 0}
    assert sum(seconds + longer[step.case.kind] for step in steps) <= 70
