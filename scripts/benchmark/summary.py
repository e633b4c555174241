"""Medians, spreads and ratios of samples: all the statistics there are.

A median of a few rounds forgives the one that something else disturbed.  The spread is half the
range: with so few rounds every finer measure pretends.  A ratio is taken within each round, where
both servers had the same machine, and its median is what counts; it is clear only if no round
says otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from scripts.benchmark.rounds import Sample


class Verdict(Enum):
    """Whether all rounds agree about who is ahead, and then who."""

    BETTER = "▲"
    WORSE = "▼"
    OPEN = ""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something measured: `name` is its key in a sample's values, `unit` goes with a number."""

    name: str
    title: str
    unit: str
    less_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Summary:
    """A quantity over all rounds; `spread` is half the range, relative to the median."""

    median: float
    spread: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Us divided by a peer, over all rounds."""

    median: float
    verdict: Verdict


# By round: {1: 9.8, 2: 9.7, …}
Values = dict[int, float]

CPU = Quantity("cpu", "CPU per request", "µs")
RATE = Quantity("rate", "requests per second", "/s", less_is_better=False)
WAIT_50 = Quantity("wait50", "median wait for a file while programs run", "ms")
WAIT_99 = Quantity("wait99", "p99 of the wait for a file while programs run", "ms")
PROGRAMS = Quantity("programs", "programs per second meanwhile", "/s", less_is_better=False)
SLOW_50 = Quantity("slow50", "median wait for a file beside slow clients", "ms")
SLOW_99 = Quantity("slow99", "p99 of the wait for a file beside slow clients", "ms")
FAILURES = Quantity("failures", "failed requests", "")
CALM_99 = Quantity("p99-calm", "p99 undisturbed", "ms")
RELOAD_99 = Quantity("p99-reload", "p99 with reloads", "ms")
SLOWDOWN = Quantity("slowdown", "p99 with reloads ÷ undisturbed", "")
START = Quantity("start", "start to first answer", "ms")
MEMORY = Quantity("memory", "memory of all idle processes", "MiB")
CONNECTION = Quantity("connection", "memory of an idle connection", "KiB")


def values_of(quantity: Quantity, samples: Iterable[Sample], *, case: str, server: str) -> Values:
    """The values of one cell by round; rounds where the quantity is unknown are missing."""
    return {
        sample.round: sample.values[quantity.name]
        for sample in samples
        if (sample.case, sample.server) == (case, server) and quantity.name in sample.values
    }


def summarize(values: Values) -> Summary | None:
    """Median and spread; None without values."""
    if not values:
        return None
    middle = median(values.values())
    half_range = (max(values.values()) - min(values.values())) / 2
    return Summary(middle, half_range / middle if middle else 0.0)


def compare(ours: Values, theirs: Values, *, less_is_better: bool) -> Ratio | None:
    """Our values divided by theirs, of the same rounds; None if there is no such round."""
    ratios = [ours[number] / theirs[number] for number in ours if theirs.get(number)]
    if not ratios:
        return None
    return Ratio(median(ratios), _verdict(ratios, less_is_better=less_is_better))


def _verdict(ratios: Sequence[float], *, less_is_better: bool) -> Verdict:
    if all(ratio < 1 for ratio in ratios):
        return Verdict.BETTER if less_is_better else Verdict.WORSE
    if all(ratio > 1 for ratio in ratios):
        return Verdict.WORSE if less_is_better else Verdict.BETTER
    return Verdict.OPEN


def best(candidates: dict[str, Values], *, less_is_better: bool) -> str | None:
    """The name whose median is best; None if nobody has values."""
    medians = {name: median(values.values()) for name, values in candidates.items() if values}
    if not medians:
        return None
    choose = min if less_is_better else max
    return choose(medians, key=medians.__getitem__)
