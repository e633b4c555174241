"""The line on the terminal, and silence where there is none."""

import io

from scripts.benchmark.case import CASES
from scripts.benchmark.progress import Progress, progress_line
from scripts.benchmark.rounds import Step

_STEP = Step(2, CASES[0], "nginx")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_tells_how_far_how_long_and_what() -> None:
    line = progress_line(_STEP, done=30, total=60, elapsed=90.0)
    assert line == f"{'█' * 12}{'·' * 12} 30/60, 1:30 left: round 2, 1k, nginx"


def test_at_the_beginning_nobody_knows_how_long() -> None:
    line = progress_line(Step(0, CASES[0], "floor"), done=0, total=60, elapsed=0.0)
    assert "0/60, starting: warm-up, 1k, floor" in line


def test_a_terminal_has_one_line_that_is_erased_at_the_end() -> None:
    terminal = _Terminal()
    progress = Progress(2, terminal)
    progress.announce(_STEP)
    progress.announce(_STEP)
    progress.erase()
    shown = terminal.getvalue()
    assert "\n" not in shown
    assert " 1/2, " in shown
    assert shown.endswith("\r\x1b[K")


def test_without_a_terminal_nothing_is_printed() -> None:
    file = io.StringIO()
    progress = Progress(2, file)
    progress.announce(_STEP)
    progress.erase()
    assert file.getvalue() == ""
