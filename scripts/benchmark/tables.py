"""What is shown together: the rows of each table, and the numbers that a row is about.

Us in a row is `ours`: forkhttpd as it is configured by default or, where that is the question,
with a warm pool.  Our row is a row of its own then, with the same peers beside it; they have no
such thing, and are measured once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.benchmark.case import CASES, Ability, Kind
from scripts.benchmark.peers import FLOOR, SUBJECT, WARM
from scripts.benchmark.rounds import Sample
from scripts.benchmark.summary import (
    CALM_99,
    CONNECTION,
    CPU,
    FAILURES,
    MEMORY,
    PROGRAMS,
    RATE,
    RELOAD_99,
    SLOW_50,
    SLOW_99,
    SLOWDOWN,
    START,
    WAIT_50,
    WAIT_99,
    Quantity,
    Ratio,
    Values,
    best,
    compare,
    values_of,
)

BEST = "best"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one case, of us and of everybody else."""

    title: str
    case: str
    quantity: Quantity
    ours: str = SUBJECT


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one heading; `note` says how to read them."""

    title: str
    note: str
    rows: tuple[Row, ...]


_PROGRAM_ABILITIES = frozenset({Ability.PROGRAMS, Ability.SCRIPTS})


def _rows(quantity: Quantity, *, programs: bool) -> tuple[Row, ...]:
    """A row for each case of load, of programs or of files; two where a warm pool is for."""
    rows = []
    for case in CASES:
        if case.kind is Kind.LOAD and bool(case.needs & _PROGRAM_ABILITIES) == programs:
            rows.append(Row(case.title, case.name, quantity))
            if Ability.SCRIPTS in case.needs:
                rows.append(Row(f"{case.title}; warm", case.name, quantity, WARM))
    return tuple(rows)


FILES_CPU = Table("Files: CPU per request, µs", "less is better", _rows(CPU, programs=False))
FILES_RATE = Table("Files: requests per second", "more is better", _rows(RATE, programs=False))
PROGRAMS_CPU = Table("Programs: CPU per request, µs", "less is better", _rows(CPU, programs=True))
PROGRAMS_RATE = Table("Programs: requests per second", "more is better", _rows(RATE, programs=True))
BUSY = Table(
    "A file of 1 KB while programs run",
    "asked for 200 times a second, beside as many requests for a compiled program as 16 clients "
    "can have answered; the wait counts from when a request was due",
    (
        Row("Median wait", "busy", WAIT_50),
        Row("p99 of the wait", "busy", WAIT_99),
        Row("Programs meanwhile", "busy", PROGRAMS),
    ),
)
SLOW = Table(
    "A file of 1 KB beside 2,000 slow clients",
    "asked for 200 times a second, while each of the others sends a byte of its request a second; "
    "less is better",
    (
        Row("Median wait", "slow", SLOW_50),
        Row("p99 of the wait", "slow", SLOW_99),
    ),
)
RELOAD = Table(
    "A reload every second, under the load of 1 KB keep-alive",
    "less is better",
    (
        Row("Failed requests", "reload", FAILURES),
        Row("p99 undisturbed", "reload", CALM_99),
        Row("p99 with reloads", "reload", RELOAD_99),
        Row("The latter ÷ the former", "reload", SLOWDOWN),
    ),
)
ALONE = Table(
    "Start and memory",
    "of all processes together, proportional set size; less is better",
    (
        Row("Start to first answer", "alone", START),
        Row("All processes, idle", "alone", MEMORY),
        Row("An idle connection", "alone", CONNECTION),
    ),
)
TABLES = (FILES_CPU, FILES_RATE, PROGRAMS_CPU, PROGRAMS_RATE, BUSY, SLOW, RELOAD, ALONE)


def is_peer(server: str) -> bool:
    """Whether a server is one that we compare ourselves with."""
    return server not in (SUBJECT, WARM, FLOOR)


def cells_of(row: Row, samples: Sequence[Sample], servers: Sequence[str]) -> dict[str, Values]:
    """The values of a row by server.  Those of `row.ours` are under the name of SUBJECT."""
    names = {SUBJECT: row.ours} | {name: name for name in servers if name not in (SUBJECT, WARM)}
    return {
        name: values_of(row.quantity, samples, case=row.case, server=measured)
        for name, measured in names.items()
    }


def ratios_of(row: Row, cells: Mapping[str, Values]) -> dict[str, Ratio | None]:
    """Us to each peer, and to the best of them under the name of BEST; empty without us."""
    less = row.quantity.less_is_better
    if not cells.get(SUBJECT):
        return {}
    peers = {name: values for name, values in cells.items() if is_peer(name)}
    ratios = {name: compare(cells[SUBJECT], peers[name], less_is_better=less) for name in peers}
    first = best(peers, less_is_better=less)
    ratios[BEST] = ratios[first] if first else None
    return ratios
