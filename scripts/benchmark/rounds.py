"""What is measured in which order, and the samples that come of it.

Rounds are the outermost loop: a bad minute of the machine spoils one round of every case, not
every round of one case.  Within a round the servers of a case follow each other at once, in an
order drawn anew each time, so that none always comes after the same neighbour.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.benchmark.case import Case, Kind


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: measure `server` with `case` in `round` (0 is the warm-up)."""

    round: int
    case: Case
    server: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What one step measured: `values` by the name of the quantity, without what is unknown."""

    round: int
    case: str
    server: str
    values: Mapping[str, float]


def plan(entries: Sequence[tuple[Case, Sequence[str]]], *, rounds: int, seed: int) -> list[Step]:
    """The steps of a run: a warm-up of the cases of load, then `rounds` rounds of all.

    `entries` are the cases, each with the names of its servers; the same seed draws the same
    orders.
    """
    draw = random.Random(seed)
    return [
        Step(number, case, server)
        for number in range(rounds + 1)
        for case, servers in entries
        if number > 0 or case.kind is Kind.LOAD
        for server in draw.sample(servers, len(servers))
    ]
