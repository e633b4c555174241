"""The master's answer to `status`, for people: one line each, columns aligned, colour if wanted.

Pure: an answer in, a text out.  Of what grows, like the time that a worker has worked, people want
to know the rate: since the answer before, if there is one, else since the start.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Puts a colour around a text, by name; or does not.
Paint = Callable[[str, str], str]
Answer = Mapping[str, Any]

_COLOURS = {"good": "32", "notice": "33", "bad": "31", "title": "1"}
_STATES = {"ready": "good", "serving": "good", "draining": "notice", "starting": "notice"}
_PROCESS = ("PID", "STATE", "GENERATION", "UP")
_USED = ("MEMORY", "CPU")
_WORKER = ("WORKER", *_PROCESS, "BUSY", "ACTIVE", "CONNECTIONS", "REQUESTS", "SENT", *_USED)
_POOL = ("POOL", *_PROCESS, "RUNNING", "QUEUED", "STARTED", "REFUSED", *_USED)
# What became of a pool's programs, in the words of `scoreboard.Cell`.
_ENDS = ("failed", "killed", "overdue", "starved")
_TIMES = ("user", "system", "wall", "waited")
_PROGRAMS = ("PROGRAMS", "GENERATION", *map(str.upper, (*_ENDS, *_TIMES)), "PEAK")
_UNITS = ("B", "K", "M", "G", "T")


def plain(_colour: str, text: str) -> str:
    """Return the text as it is."""
    return text


def coloured(colour: str, text: str) -> str:
    """Return the text with the escapes of a terminal."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def render(answer: Answer, before: Answer | None, paint: Paint) -> str:
    """Return the whole page."""
    lines = [*_summary(answer, paint), ""]
    workers = {one["pid"]: one for one in before["workers"]} if before else {}
    rows = [_worker(one, workers.get(one["pid"])) for one in answer["workers"]]
    lines += [*_table(_WORKER, rows, paint), ""]
    lines += [*_table(_POOL, [_pool(one) for one in answer["pools"]], paint), ""]
    lines += _table(_PROGRAMS, [_programs(one) for one in answer["pools"]], paint)
    return "\n".join(lines) + "\n"


def _summary(answer: Answer, paint: Paint) -> list[str]:
    master, totals, reloads = answer["master"], answer["totals"], answer["reloads"]
    state = paint(_STATES.get(master["state"], "notice"), master["state"])
    about = [
        f"{paint('title', 'forkhttpd')} pid {master['pid']}: {state}",
        f"generation {master['generation']}",
        f"up {span(master['uptime'])}",
        f"{size(master['memory'])} of memory",
        f"{master['cpu']:.1f} s of CPU",
    ]
    done = [
        f"answered {totals['requests']} requests",
        f"sent {size(totals['bytes'])}",
        f"started {totals['started']} programs",
        f"refused {totals['refused']}",
        f"outlived {totals['ended_workers']} workers and {totals['ended_spawners']} spawners",
    ]
    lines = [", ".join(about), ", ".join(done)]
    if reloads["verdict"] is not None:
        said = reloads["verdict"].encode("unicode_escape").decode()
        last = paint("bad" if reloads["code"] else "good", said)
        counts = f"{reloads['taken']} taken, {reloads['refused']} refused"
        lines.append(f"reloads: {counts}; {span(reloads['ago'])} ago: {last}")
    return lines


def _worker(one: Answer, before: Answer | None) -> list[str]:
    return [
        *(str(one["number"]), *_process(one)),
        f"{_busy(one, before):.0%}",
        *(str(one[name]) for name in ("in_flight", "connections", "requests")),
        *(size(one["bytes"]), size(one["memory"]), f"{one['cpu']:.1f}s"),
    ]


def _pool(one: Answer) -> list[str]:
    return [
        *(one["name"], *_process(one)),
        *(str(one[name]) for name in ("running", "queued", "started", "refused")),
        *(size(one["memory"]), f"{one['cpu']:.1f}s"),
    ]


def _programs(one: Answer) -> list[str]:
    return [
        *(one["name"], str(one["generation"])),
        *(str(one[name]) for name in _ENDS),
        *(f"{one[name]:.1f}s" for name in _TIMES),
        size(one["peak"]),
    ]


def _process(one: Answer) -> tuple[str, str, str, str]:
    return str(one["pid"]), one["state"], str(one["generation"]), span(one["uptime"])


def _busy(one: Answer, before: Answer | None) -> float:
    """Return the share of time in which a worker's loop had something to do."""
    worked, time = one["worked"], one["uptime"]
    if before is not None and time > before["uptime"]:
        worked, time = worked - before["worked"], time - before["uptime"]
    return min(max(worked / time, 0.0), 1.0) if time > 0 else 0.0


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint) -> list[str]:
    """Return the lines of a table; what counts is flush right, what names is flush left."""
    widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
    state = titles.index("STATE") if "STATE" in titles else 0
    lines = [paint("title", _line(titles, widths, state, plain))]
    return lines + [_line(row, widths, state, paint) for row in rows]


def _line(cells: Sequence[str], widths: Sequence[int], state: int, paint: Paint) -> str:
    padded = [
        cell.ljust(width) if i in (0, state) else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    if state and paint is not plain:
        padded[state] = paint(_STATES.get(cells[state], "bad"), padded[state])
    return "  ".join(padded).rstrip()


def size(count: int) -> str:
    """Return bytes in three digits or so: `0 B`, `31.2 M`."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def span(seconds: float) -> str:
    """Return a time in its two largest units: `12s`, `5m07s`, `3h20m`, `12d04h`."""
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days}d{hours % 24:02}h"
    if hours:
        return f"{hours}h{minutes % 60:02}m"
    return f"{minutes}m{whole % 60:02}s" if minutes else f"{whole}s"
