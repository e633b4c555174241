"""The plan of a run: everybody in every round, in changing company."""

from scripts.benchmark.case import CASES, Ability
from scripts.benchmark.rounds import plan
from scripts.benchmark.server import servers

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


def test_every_case_has_its_servers() -> None:
    able = {
        case.name: {known.name for known in servers() if case.ability in known.abilities}
        for case in CASES
    }
    assert able["1k"] == {"forkhttpd", "nginx", "lighttpd", "apache", "floor"}
    assert able["close"] == able["100k"] == able["10m"] == able["1k"] - {"floor"}
    assert able["cgi"] == {"forkhttpd", "lighttpd", "apache"}
    assert {case.ability for case in CASES} == set(Ability)
