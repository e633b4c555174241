"""The report: a Markdown table per quantity for a person, JSON with every sample for programs."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts.benchmark.case import CASES
from scripts.benchmark.rounds import Sample
from scripts.benchmark.server import FLOOR, SUBJECT
from scripts.benchmark.summary import (
    QUANTITIES,
    Quantity,
    Ratio,
    Summary,
    Values,
    Verdict,
    best,
    compare,
    summarize,
    values_of,
)

_LEGEND = (
    "Medians of {rounds} rounds of {seconds} s; ± is half the range. Ratios are forkhttpd "
    "divided by the peer, medians of the ratios within rounds; **bold** where all rounds agree: "
    "▲ forkhttpd is better, ▼ the peer is. The floor answers fixed bytes and does nothing else; "
    "it is no peer."
)

_MACHINE = (
    "Machine: {machine}, shared with the load generator: CPU per request decides. "
    "CPU time: the server's whole process tree, by {accounting}."
)
_UNCOUNTED = (
    "CPU per request is missing where a server does not wait for its programs (Apache's mod_cgid): "
    "only a cgroup can count those, and none could be made."
)
_UNKNOWN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a run has to tell; `left_out` maps servers and cases to the reason."""

    samples: Sequence[Sample]
    cases: Sequence[str]
    servers: Sequence[str]
    left_out: dict[str, str]
    rounds: int
    seconds: int
    seed: int
    accounting: str

    @property
    def peers(self) -> list[str]:
        return [name for name in self.servers if name not in (SUBJECT, FLOOR)]

    @property
    def compares(self) -> bool:
        return SUBJECT in self.servers and bool(self.peers)


def markdown(report: Report) -> str:
    """The report as tables."""
    machine = f"{_machine()['cores']} cores, Linux {_machine()['kernel']}"
    parts = [
        "# forkhttpd and its peers",
        _LEGEND.format(rounds=report.rounds, seconds=report.seconds),
        _MACHINE.format(machine=machine, accounting=report.accounting),
    ]
    for quantity in QUANTITIES:
        hint = "less is better" if quantity.less_is_better else "more is better"
        parts.append(f"## {quantity.title} ({hint})\n\n{_table(report, quantity)}")
    if any(sample.cpu is None for sample in report.samples):
        parts.append(_UNCOUNTED)
    if report.left_out:
        reasons = [f"- {name}: {reason}" for name, reason in report.left_out.items()]
        parts.append("Left out:\n\n" + "\n".join(reasons))
    return "\n\n".join(parts) + "\n"


def _table(report: Report, quantity: Quantity) -> str:
    ratios = [*report.peers, "best"] if report.compares else []
    rows = [["case", *report.servers, *(f"÷ {name}" for name in ratios)]]
    rows += [_row(report, quantity, case) for case in report.cases]
    return "\n".join(_aligned(rows))


def _row(report: Report, quantity: Quantity, case: str) -> list[str]:
    title = next((known.title for known in CASES if known.name == case), case)
    cells = _cells(report, quantity, case)
    row = [title, *(_number(summarize(values)) for values in cells.values())]
    if report.compares:
        row += [_ratio(ratio) for ratio in _ratios(report, quantity, cells).values()]
    return row


def _cells(report: Report, quantity: Quantity, case: str) -> dict[str, Values]:
    return {
        server: values_of(quantity, report.samples, case=case, server=server)
        for server in report.servers
    }


def _ratios(
    report: Report, quantity: Quantity, cells: dict[str, Values]
) -> dict[str, Ratio | None]:
    """Us to each peer, and to the best of them."""
    less = quantity.less_is_better
    ours = cells.get(SUBJECT, {})
    ratios = {peer: compare(ours, cells[peer], less_is_better=less) for peer in report.peers}
    first = best({peer: cells[peer] for peer in report.peers}, less_is_better=less)
    ratios["best"] = ratios[first] if first else None
    return ratios


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """The rows of a Markdown table that can be read as it is, too; the first is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *rest = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield "|".join(
                ["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""]
            )


def _number(summary: Summary | None) -> str:
    if summary is None:
        return _UNKNOWN
    return f"{significant(summary.median)} ±{summary.spread:.0%}"


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return _UNKNOWN
    if ratio.verdict is Verdict.OPEN:
        return f"{ratio.median:.2f}"
    return f"**{ratio.median:.2f}** {ratio.verdict.value}"


def significant(value: float) -> str:
    """Three significant digits, thousands set apart: 9.81, 104, 87,100."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:#.3g}".rstrip(".")


def document(report: Report) -> dict[str, Any]:
    """The report as JSON takes it: every sample, and the summary that the tables show."""
    return {
        "machine": _machine(),
        "rounds": report.rounds,
        "seconds": report.seconds,
        "seed": report.seed,
        "accounting": report.accounting,
        "left_out": report.left_out,
        "summary": {
            quantity.name: {case: _summary(report, quantity, case) for case in report.cases}
            for quantity in QUANTITIES
        },
        "samples": [asdict(sample) for sample in report.samples],
    }


def _summary(report: Report, quantity: Quantity, case: str) -> dict[str, Any]:
    cells = _cells(report, quantity, case)
    summaries = {server: summarize(values) for server, values in cells.items()}
    ratios = _ratios(report, quantity, cells)
    return {
        "servers": {server: asdict(found) for server, found in summaries.items() if found},
        "ratios": {
            peer: {"median": ratio.median, "verdict": ratio.verdict.name.lower()}
            for peer, ratio in ratios.items()
            if ratio
        },
    }


def _machine() -> dict[str, Any]:
    """Cores and kernel, and nothing that tells whose machine it is."""
    version = re.match(r"[\d.]*\d", platform.release())
    return {"cores": os.cpu_count(), "kernel": version[0] if version else "unknown"}
