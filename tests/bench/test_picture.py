"""The picture is well-formed, needs nothing from elsewhere, and puts everybody where he is."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benchmark.peers import servers
from scripts.benchmark.picture import advantage, picture, with_unit
from scripts.benchmark.rounds import Sample
from scripts.benchmark.summary import CPU, MEMORY, RATE, Ratio, Verdict
from scripts.benchmark.tables import is_peer
from tests.bench.samples import report, sample

_NAMES = [known.name for known in servers()]
_SVG = "{http://www.w3.org/2000/svg}"


def _drawn(samples: list[Sample]) -> ElementTree.Element:
    return ElementTree.fromstring(picture(report(samples, servers=_NAMES)))


def _places(drawn: ElementTree.Element) -> list[tuple[float, float]]:
    """Where the shapes of servers are, without those that explain them."""
    moves = [group.attrib["transform"] for group in drawn.iter(f"{_SVG}g")]
    found = [re.fullmatch(r"translate\(([\d.]+) ([\d.]+)\)", move) for move in moves]
    places = [(float(match[1]), float(match[2])) for match in found if match]
    return [place for place in places if place[1] > 100]


def _ours(drawn: ElementTree.Element) -> float:
    """Where we are: at the strong line."""
    [line] = [each for each in drawn.iter(f"{_SVG}path") if each.attrib.get("class") == "us"]
    match = re.match(r"M([\d.]+) ", line.attrib["d"])
    assert match
    return float(match[1])


@pytest.mark.parametrize(("cpu", "rate", "better"), [(20.0, 500.0, True), (5.0, 2000.0, False)])
def test_whoever_is_better_than_we_are_stands_left(cpu: float, rate: float, better: bool) -> None:
    samples = [
        sample("forkhttpd", 1),
        sample("nginx", 1, cpu=cpu),
        sample("forkhttpd", 1, case="cgi"),
        sample("lighttpd", 1, case="cgi", rate=rate),
    ]
    drawn = _drawn(samples)
    places = _places(drawn)
    assert len(places) == 2
    assert all((x > _ours(drawn)) is better for x, _ in places)
    assert places[0][0] == places[1][0]  # twice as good in both, though one counts the other way


def test_every_peer_can_be_drawn_and_is_named_and_text_is_escaped() -> None:
    peers = list(filter(is_peer, _NAMES))
    samples = [sample(name, 1, rate=2 + number) for number, name in enumerate(_NAMES)]
    drawn = _drawn(samples)
    assert len(_places(drawn)) == len(peers)
    texts = {text.text for text in drawn.iter(f"{_SVG}text")}
    assert set(peers) < texts


def test_nobody_falls_off_the_edge() -> None:
    samples = [
        sample("forkhttpd", 1),
        sample("nginx", 1, cpu=1e-9),
        sample("lighttpd", 1, cpu=1e9),
    ]
    drawn = _drawn(samples)
    width = float(drawn.attrib["width"])
    assert all(0 < x < width for x, _ in _places(drawn))
    assert {"16+", "64+"} < {text.text for text in drawn.iter(f"{_SVG}text")}


def test_the_picture_brings_its_colours_for_dark_and_light_and_fetches_nothing() -> None:
    text = picture(report([sample("forkhttpd", 1), sample("nginx", 1)]))
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"href|url\(|@import|font-face|<script|<image", text)


def test_without_a_peer_there_is_a_picture_without_lines() -> None:
    assert _places(_drawn([sample("forkhttpd", 1)])) == []


@given(st.floats(0.001, 1000))
def test_twice_as_cheap_and_twice_as_fast_are_the_same_advantage(ratio: float) -> None:
    cheap = advantage(Ratio(1 / ratio, Verdict.OPEN), CPU)
    fast = advantage(Ratio(ratio, Verdict.OPEN), RATE)
    assert cheap == pytest.approx(fast, abs=1e-9)
    assert (fast > 0) == (ratio > 1)


def test_numbers_stand_with_their_units() -> None:
    assert with_unit(9.813, CPU) == "9.81 µs"
    assert with_unit(2104.0, RATE) == "2,100/s"
    assert with_unit(38.2, MEMORY) == "38.2 MiB"
