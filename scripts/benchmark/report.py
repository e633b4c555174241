"""The report: Markdown tables for a person, JSON with every sample for programs."""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts.benchmark.marks import MARKS, Judgement, judge
from scripts.benchmark.peers import SUBJECT
from scripts.benchmark.rounds import Sample
from scripts.benchmark.summary import Ratio, Summary, Values, Verdict, summarize
from scripts.benchmark.tables import BEST, TABLES, Row, Table, cells_of, is_peer, ratios_of

_LEGEND = (
    "Medians of {rounds} rounds of {seconds} s; ± is half the range. In parentheses: forkhttpd "
    "divided by that peer, the median of the ratios within rounds; **bold** where all rounds "
    "agree: ▲ forkhttpd is better, ▼ the peer is. The floor answers fixed bytes and does nothing "
    "else; it is no peer. Where a row says “warm”, only forkhttpd is: the pool is, that it has."
)

_MACHINE = (
    "Machine: {machine}, shared with the load generator: CPU per request decides. "
    "CPU time: the server's whole process tree, by {accounting}."
)
_UNCOUNTED = (
    "CPU per request is missing where a server does not wait for its programs: "
    "only a cgroup can count those, and none could be made."
)
_UNKNOWN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a run has to tell; `left_out` maps servers and cases to the reason."""

    samples: Sequence[Sample]
    servers: Sequence[str]
    left_out: Mapping[str, str]
    rounds: int
    seconds: int
    seed: int
    accounting: str

    @property
    def judgements(self) -> list[Judgement]:
        """All marks, judged by this run."""
        return [judge(mark, self.samples, self.servers) for mark in MARKS]

    def cells(self, row: Row) -> dict[str, Values]:
        """The values of a row by server."""
        return cells_of(row, self.samples, self.servers)

    def filled(self, table: Table) -> list[Row]:
        """The rows of a table for which something of ours was measured, or of all others."""
        ours = [row for row in table.rows if self.cells(row)[SUBJECT]]
        others = [row for row in table.rows if row.ours == SUBJECT]
        return ours or [row for row in others if any(self.cells(row).values())]


def markdown(report: Report) -> str:
    """The report as tables."""
    parts = [
        "# forkhttpd and its peers",
        _LEGEND.format(rounds=report.rounds, seconds=report.seconds),
        _MACHINE.format(machine=machine_title(), accounting=report.accounting),
    ]
    for table in TABLES:
        if rows := report.filled(table):
            lines = "\n".join(_table(report, rows))
            parts.append(f"## {table.title}\n\n({table.note})\n\n{lines}")
    parts += _marks(report.judgements)
    if _misses_time(report):
        parts.append(_UNCOUNTED)
    if report.left_out:
        reasons = [f"- {name}: {reason}" for name, reason in report.left_out.items()]
        parts.append("Left out:\n\n" + "\n".join(reasons))
    return "\n\n".join(parts) + "\n"


def _misses_time(report: Report) -> bool:
    return any("rate" in sample.values and "cpu" not in sample.values for sample in report.samples)


def _table(report: Report, rows: Sequence[Row]) -> Iterable[str]:
    """Our column, the peers' with the ratio to each, and the ratio to the best of them."""
    cells = {row: report.cells(row) for row in rows}
    present = {name for each in cells.values() for name, values in each.items() if values}
    columns = [name for name in cells[rows[0]] if name in present]
    compares = SUBJECT in columns and any(map(is_peer, columns))
    mixed = len({row.quantity for row in rows}) > 1
    lines = [["", *columns, *(["÷ best"] if compares else [])]]
    for row in rows:
        ratios = ratios_of(row, cells[row])
        line = [f"{row.title}, {row.quantity.unit}".rstrip(" ,") if mixed else row.title]
        line += [_cell(summarize(cells[row][name]), ratios.get(name)) for name in columns]
        lines.append(line + ([_ratio(ratios.get(BEST))] if compares else []))
    return aligned(lines)


def _marks(judgements: Sequence[Judgement]) -> Iterable[str]:
    """The marks that could be judged, and which those are that could not."""
    lines = [["mark", "why", "measured", "met"]]
    for each in judgements:
        if each.measured is not None:
            met = "yes" if each.met else "**no**"
            lines.append([each.mark.title, each.mark.reason, significant(each.measured), met])
    if len(lines) > 1:
        yield "## Marks\n\n" + "\n".join(aligned(lines, texts=2))
        if others := [each.mark.title for each in judgements if each.measured is None]:
            yield "Marks not judged, for want of the case or the peer: " + "; ".join(others) + "."


def aligned(rows: Sequence[Sequence[str]], *, texts: int = 1) -> Iterable[str]:
    """The rows of a Markdown table that can be read as it is, too; the first is the heading.  The
    first `texts` columns are text, the others numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)][:texts]
        cells += [cell.rjust(width) for cell, width in zip(row, widths, strict=True)][texts:]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            lines = ["-" * (width + 2) for width in widths[:texts]]
            yield "|".join(["", *lines, *("-" * (w + 1) + ":" for w in widths[texts:]), ""])


def _cell(summary: Summary | None, ratio: Ratio | None) -> str:
    if summary is None:
        return _UNKNOWN
    number = f"{significant(summary.median)} ±{summary.spread:.0%}"
    return f"{number} ({_ratio(ratio)})" if ratio else number


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return _UNKNOWN
    number = f"{ratio.median:.2f}" if ratio.median >= 0.1 else f"{ratio.median:.2g}"
    return number if ratio.verdict is Verdict.OPEN else f"**{number}** {ratio.verdict.value}"


def significant(value: float) -> str:
    """Three significant digits, thousands set apart: 9.81, 104, 87,100; and 0."""
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:#.3g}".rstrip(".")


def document(report: Report) -> dict[str, Any]:
    """The report as JSON takes it: every sample, and the summary that the tables show."""
    return {
        "machine": _machine(),
        "rounds": report.rounds,
        "seconds": report.seconds,
        "seed": report.seed,
        "accounting": report.accounting,
        "left_out": dict(report.left_out),
        "summary": [_summary(report, row) for table in TABLES for row in report.filled(table)],
        "marks": [
            {"mark": each.mark.title, "measured": each.measured, "met": each.met}
            for each in report.judgements
        ],
        "samples": [asdict(sample) for sample in report.samples],
    }


def _summary(report: Report, row: Row) -> dict[str, Any]:
    cells = report.cells(row)
    summaries = {server: summarize(values) for server, values in cells.items()}
    return {
        "case": row.case,
        "quantity": row.quantity.name,
        "forkhttpd": row.ours,
        "servers": {server: asdict(found) for server, found in summaries.items() if found},
        "ratios": {
            peer: {"median": ratio.median, "verdict": ratio.verdict.name.lower()}
            for peer, ratio in ratios_of(row, cells).items()
            if ratio
        },
    }


def machine_title() -> str:
    """The machine as the reader needs to know it."""
    return "{cores} cores, Linux {kernel}".format(**_machine())


def _machine() -> dict[str, Any]:
    """Cores and kernel, and nothing that tells whose machine it is."""
    version = re.match(r"[\d.]*\d", platform.release())
    return {"cores": os.cpu_count(), "kernel": version[0] if version else "unknown"}
