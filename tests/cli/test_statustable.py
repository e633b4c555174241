"""What people see of the master's answer (O3)."""

from typing import Any

import pytest

from forkhttpd.statustable import coloured, plain, render, size, span

PROCESS = {"state": "ready", "generation": 3, "uptime": 10.0, "memory": 31 << 20, "cpu": 12.34}
MASTER = {
    "pid": 4121,
    "state": "serving",
    "generation": 3,
    "uptime": 7500.0,
    "memory": 39 << 20,
    "cpu": 0.31,
}
TOTALS = {
    "requests": 12345,
    "bytes": 3 << 30,
    "started": 812,
    "refused": 3,
    "ended_workers": 5,
    "ended_spawners": 1,
}
BUSY = {
    "number": 10,
    "pid": 4122,
    "worked": 0.0,
    "requests": 5000,
    "in_flight": 1,
    "connections": 12,
    "bytes": 1 << 20,
}
LEAVING = {
    "number": 9,
    "pid": 99,
    "worked": 0.0,
    "requests": 7,
    "in_flight": 0,
    "connections": 0,
    "bytes": 0,
}
POOL = {
    "name": "default",
    "pid": 4130,
    "running": 2,
    "queued": 0,
    "started": 812,
    "refused": 3,
    "failed": 7,
    "killed": 5,
    "overdue": 4,
    "starved": 1,
    "user": 61.25,
    "system": 10.0,
    "wall": 3600.0,
    "waited": 0.5,
    "peak": 50 << 20,
}


def answer(*, worked: float = 0.0, uptime: float = 10.0, code: int | None = None) -> dict[str, Any]:
    process = PROCESS | {"uptime": uptime}
    verdict = None if code is None else "nothing changed: \x1b[2Jä"
    return {
        "master": MASTER,
        "reloads": {"taken": 2, "refused": 1, "code": code, "ago": 65.0, "verdict": verdict},
        "totals": TOTALS,
        "workers": [
            process | BUSY | {"worked": worked},
            process | LEAVING | {"state": "draining"},
        ],
        "pools": [process | POOL],
    }


def test_O3_columns_are_aligned_and_numbers_end_below_one_another() -> None:
    lines = render(answer(), None, plain).splitlines()
    title, first, second = lines[3:6]
    assert title.split()[:4] == ["WORKER", "PID", "STATE", "GENERATION"]
    for name, cells in (("PID", ("4122", "99")), ("REQUESTS", ("5000", "7"))):
        end = title.index(name) + len(name)
        assert (first[:end].split()[-1], second[:end].split()[-1]) == cells
    assert title.index("STATE") == first.index("ready") == second.index("draining")
    assert not any(line != line.rstrip() for line in lines)


def test_C19_what_became_of_the_programs_is_a_table_of_its_own() -> None:
    title, row = render(answer(), None, plain).splitlines()[-2:]
    cells = dict(zip(title.split(), row.replace("50.0 M", "50.0M").split(), strict=True))
    assert cells == {
        "PROGRAMS": "default", "GENERATION": "3", "FAILED": "7", "KILLED": "5", "OVERDUE": "4",
        "STARVED": "1", "USER": "61.2s", "SYSTEM": "10.0s",
        "WALL": "3600.0s", "WAITED": "0.5s", "PEAK": "50.0M",
    }  # fmt: skip


def test_O3_the_same_page_in_colour_says_the_same() -> None:
    bright = render(answer(code=78), None, coloured)
    for escape in ("\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[0m"):
        assert escape in bright
        bright = bright.replace(escape, "")
    assert bright == render(answer(code=78), None, plain)


def test_O1_a_verdict_cannot_speak_to_the_terminal() -> None:
    page = render(answer(code=78), None, plain)
    assert "1m05s ago: nothing changed: \\x1b[2J\\xe4" in page
    assert "reloads:" not in render(answer(), None, plain)


@pytest.mark.parametrize(
    ("before", "worked", "uptime", "busy"),
    [
        (None, 5.0, 10.0, "50%"),
        (None, 0.0, 0.0, "0%"),
        ((5.0, 10.0), 5.25, 11.0, "25%"),
        ((5.0, 10.0), 9.0, 11.0, "100%"),
        ((5.0, 10.0), 0.3, 1.0, "30%"),
    ],
)
def test_O3_busy_is_since_the_page_before_else_since_the_start(
    before: tuple[float, float] | None, worked: float, uptime: float, busy: str
) -> None:
    former = answer(worked=before[0], uptime=before[1]) if before else None
    page = render(answer(worked=worked, uptime=uptime), former, plain)
    (line,) = [line for line in page.splitlines() if " 4122 " in line]
    assert line.split()[5] == busy


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 K"),
        (1536, "1.5 K"),
        (31 << 20, "31.0 M"),
        (300 << 20, "300 M"),
        (1 << 50, "1024 T"),
    ],
)
def test_sizes_have_three_digits_or_so(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0s"), (59, "59s"), (67, "1m07s"), (12000, "3h20m"), (1051200, "12d04h")],
)
def test_times_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text
