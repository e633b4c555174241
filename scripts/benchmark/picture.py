"""The picture: one line per question, one place on it per server, ours where everybody is measured
from.

A place tells how many times better or worse than forkhttpd a server is, on a scale of powers of
two.  So lines of all kinds, µs and programs and milliseconds, can stand below each other, and one
look answers the one question: who is left of the line?

Servers differ by shape as well as by colour.  The picture has no background, brings no fonts, and
takes its colours from what the reader's desk prefers, light or dark.
"""

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from scripts.benchmark.peers import SUBJECT
from scripts.benchmark.report import Report, machine_title, significant
from scripts.benchmark.summary import Quantity, Ratio, summarize
from scripts.benchmark.tables import (
    ALONE,
    BUSY,
    FILES_CPU,
    PROGRAMS_RATE,
    Row,
    ratios_of,
)

_WIDTH = 880
_LEFT, _RIGHT = 250, 770  # the scale; our own numbers stand right of it
_TOP = 100
_LINE = 26
_HEADING = 36
_FARTHEST = (-4, 6)  # powers of two; who is beyond stands at the edge

_GROUPS = (
    ("Files: CPU per request", FILES_CPU.rows),
    ("CGI programs per second", PROGRAMS_RATE.rows),
    ("A file while programs run; start and memory", (BUSY.rows[1], *ALONE.rows)),
)

# A shape for each peer, around 0, 0; the colours are in the style below, in the same order.
_SHAPES = {
    "nginx": '<circle r="5.5"/>',
    "nginx+fcgiwrap": '<circle r="5.5"/>',
    "lighttpd": '<path d="M0-7 6.5 5h-13z"/>',
    "apache-event": '<path d="M-5-5h10v10h-10z"/>',
    "apache-prefork": '<path d="M0-7 7 0 0 7-7 0z"/>',
    "busybox": '<path d="M0 7-6.5-5h13z"/>',
    "http.server": '<path d="M-6-2h4v-4h4v4h4v4h-4v4h-4v-4h-4z"/>',
}
_STYLE = """\
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 }
  .heading { font-weight: 600 }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .minor { font-size: 11px; fill: #59636e }
  .grid { stroke: #d1d9e0 }
  .us { stroke: #1f2328; stroke-width: 2 }
  .p0 { fill: #1a7f37 } .p1 { fill: #0969da } .p2 { fill: #bc4c00 } .p3 { fill: #8250df }
  .p4 { fill: #bf3989 } .p5 { fill: #9a6700 } .p6 { fill: #1b7c83 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .minor { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .us { stroke: #e6edf3 }
    .p0 { fill: #3fb950 } .p1 { fill: #58a6ff } .p2 { fill: #f0883e } .p3 { fill: #bc8cff }
    .p4 { fill: #ff7bc8 } .p5 { fill: #d29922 } .p6 { fill: #39c5cf }
  }
"""


def picture(report: Report) -> str:
    """The report as SVG."""
    groups = [(title, _measured(report, rows)) for title, rows in _GROUPS]
    groups = [(title, rows) for title, rows in groups if rows]
    places = {row: _places(report, row) for _, rows in groups for row in rows}
    scale = _scale([place for each in places.values() for place in each.values()])
    peers = [name for name in _SHAPES if any(name in each for each in places.values())]
    parts, top = list(_head(peers)), _TOP
    for title, rows in groups:
        parts.append(_text(16, top + 24, title, style="heading"))
        top += _HEADING
        for row in rows:
            parts += _line(report, row, places[row], scale, top + _LINE // 2)
            top += _LINE
    grid = _grid(scale, top)
    foot = _text(16, top + 44, f"forkhttpd and its peers on {machine_title()}", style="minor")
    return "\n".join([_opening(top + 60), *grid, *parts, foot, "</svg>\n"])


def _measured(report: Report, rows: Sequence[Row]) -> list[Row]:
    """The rows where we and a peer have values: only those have places."""
    return [row for row in rows if _places(report, row)]


def _places(report: Report, row: Row) -> dict[str, float]:
    """How many times better than each peer we are, as a power of two."""
    ratios = ratios_of(row, report.cells(row))
    return {
        peer: advantage(ratio, row.quantity)
        for peer, ratio in ratios.items()
        if ratio and ratio.median > 0 and peer in _SHAPES
    }


def advantage(ratio: Ratio, quantity: Quantity) -> float:
    """How many times better than a peer we are, as a power of two: 1.0 is twice as good."""
    power = math.log2(ratio.median)
    return -power if quantity.less_is_better else power


def _scale(places: Sequence[float]) -> tuple[int, int]:
    """The powers of two between which everybody has room, with some to both sides of us."""
    least, most = _FARTHEST
    first = math.floor(min([-0.8, *places]) - 0.2)
    last = math.ceil(max([0.8, *places]) + 0.2)
    return max(least, first), min(most, last)


def _x(power: float, scale: tuple[int, int]) -> float:
    first, last = scale
    within = min(max(power, first), last)
    return round(_LEFT + (_RIGHT - _LEFT) * (within - first) / (last - first), 1)


def _head(peers: Sequence[str]) -> Iterator[str]:
    yield _text(16, 28, "How many times better forkhttpd is, case by case", style="title")
    x = 16
    for name in peers:
        yield _shape(name, x + 7, 50)
        yield _text(x + 20, 54, name)
        x += 34 + 7 * len(name)


def _line(
    report: Report, row: Row, places: dict[str, float], scale: tuple[int, int], y: int
) -> Iterator[str]:
    """The title, everybody's place, and our own number."""
    yield _text(28, y + 4, row.title)
    yield f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>'
    for name, power in places.items():
        yield _shape(name, _x(power, scale), y)
    if ours := summarize(report.cells(row)[SUBJECT]):
        yield _text(_WIDTH - 16, y + 4, with_unit(ours.median, row.quantity), style="end")


def with_unit(value: float, quantity: Quantity) -> str:
    """A number as it is written: 9.81 µs, 2,100/s."""
    unit = quantity.unit
    return f"{significant(value)}{'' if unit.startswith('/') else ' '}{unit}".rstrip()


def _grid(scale: tuple[int, int], bottom: int) -> Iterator[str]:
    """A line for every power of two, ours the strongest, and what it means above and below."""
    first, last = scale
    for power in range(first, last + 1):
        x = _x(power, scale)
        yield f'<path class="{"us" if power == 0 else "grid"}" d="M{x} {_TOP - 4}V{bottom + 6}"/>'
        yield _text(x, bottom + 22, _times(power), style="minor middle")
    x = _x(0, scale)
    yield _text(x - 10, _TOP - 12, "← the peer is better", style="minor end")
    yield _text(x + 10, _TOP - 12, "forkhttpd is better →", style="minor")
    yield _text(_WIDTH - 16, _TOP - 12, "forkhttpd", style="minor end")


def _times(power: int) -> str:
    """What a power of two says: on both sides of us, how many times better the better one is."""
    if power == 0:
        return "forkhttpd"
    return f"{2 ** abs(power)}{'+' if power in _FARTHEST else ''}"


def _shape(name: str, x: float, y: int) -> str:
    number = list(_SHAPES).index(name)
    return f'<g class="p{number}" transform="translate({x} {y})">{_SHAPES[name]}</g>'


def _text(x: float, y: float, text: str, *, style: str = "") -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'


def _opening(height: int) -> str:
    title = "forkhttpd compared with other servers, case by case"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}">\n<title>{title}</title>\n'
        f"<style>\n{_STYLE}</style>"
    )
