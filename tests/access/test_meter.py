"""How often an address may do something, against a model with a list of moments."""

import array
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access.meter import Meter
from forkhttpd.census import ROWS, Census
from forkhttpd.config.rates import Rate, parse_rate


def meter(rate: str = "10/s", burst: int = 0) -> Meter:
    return Meter(memoryview(array.array("Q", [0] * 8)), parse_rate(rate), burst=burst)


def test_a_burst_and_then_the_rate() -> None:
    one = meter("10/s", burst=3)
    admitted = []
    for step in range(100):  # 20 a second for five seconds
        now = 1000 + step / 20
        if not one.wait((0, 1), now):
            one.add((0, 1), now)
            admitted.append(now)
    assert admitted[:3] == [1000, 1000.05, 1000.1]
    assert len(admitted) == pytest.approx(3 + 5 * 10, abs=2)


def test_the_burst_is_what_the_rate_counts_unless_it_is_said() -> None:
    for rate, burst, expected in (("5/m", 0, 5), ("5/m", 2, 2), ("7/s", 0, 7), ("1/h", 0, 1)):
        one, count = meter(rate, burst), 0
        while not one.wait((0, 1), 50.0):
            assert one.room((0, 1), 50.0) == expected - count
            one.add((0, 1), 50.0)
            count += 1
        assert (count, one.room((0, 1), 50.0)) == (expected, 0)


def test_the_wait_is_as_long_as_it_says() -> None:
    one = meter("1/m", burst=1)
    one.add((0, 1), 100.0)
    wait = one.wait((0, 1), 110.0)
    assert wait == pytest.approx(50.0)
    assert one.wait((0, 1), 110.0 + wait - 0.001) > 0
    assert one.wait((0, 1), 110.0 + wait) == 0.0


@given(
    st.lists(st.integers(0, 300).map(lambda step: Fraction(step, 1000)), max_size=60),
    st.integers(1, 5),
)
def test_never_more_than_the_burst_and_the_rate(steps: list[Fraction], burst: int) -> None:
    one, now, admitted = meter("10/s", burst), Fraction(1000), []
    for step in steps:
        now += step
        if one.wait((0, 1), float(now)) <= 1e-6:
            one.add((0, 1), float(now))
            admitted.append(now)
    for index, start in enumerate(admitted):
        for count, end in enumerate(admitted[index:], 1):
            assert count <= burst + (end - start) * 10 + Fraction(1, 1000)


def test_who_shares_one_place_with_somebody_busy_has_another() -> None:
    one = meter("1/h", burst=1)
    one.add((0, 4), 10.0)
    assert one.wait((0, 4), 10.0)
    assert not one.wait((0, 5), 10.0)
    assert not one.wait((1, 4), 10.0)


@pytest.fixture
def census() -> Census:
    return Census()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1:2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_addresses_have_places_and_a_64_is_one(
    census: Census, one: str, other: str, same: bool
) -> None:
    assert (census.places(one) == census.places(other)) is same


def test_places_are_spread_and_nobody_can_tell_them() -> None:
    one, other = Census(), Census()
    hosts = [f"10.{n >> 8}.{n & 255}.1" for n in range(2000)]
    places = [one.places(host) for host in hosts]
    assert all(0 <= first < ROWS <= second < 2 * ROWS for first, second in places)
    assert len(set(places)) > 1990
    assert sum(a == b for a, b in zip(places, map(other.places, hosts), strict=True)) < 10


def test_thousands_of_strangers_keep_nobody_out(census: Census) -> None:
    """Two thousand addresses each do what one may do in a burst; hardly a newcomer has to wait."""
    one = Meter(census.meter("requests"), Rate(20, 1.0))
    chance = random.Random(4)  # of addresses; the key is another each time
    for _ in range(2000):
        places = census.places(f"10.{chance.randrange(256)}.{chance.randrange(256)}.1")
        for _ in range(20):
            one.add(places, 10.0)
    newcomers = [census.places(f"192.0.2.{n}") for n in range(200)]
    assert sum(one.wait(places, 10.0) > 0 for places in newcomers) < 80
