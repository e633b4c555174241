"""tests.secondlook: what it excuses in a suite of a few lines, and what it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secondlook import MOST_TESTS

BEGINNING = """\
import os
import pytest

def runs(name):
    "Return how often that has been asked, in whichever process."
    with open(name, "a") as file:
        print(file=file)
        return file.tell()

def test_steady():
    pass
"""

UNSTEADY = """
def test_unsteady_{0}():
    print("said by {0}")
    assert runs("{0}") > 1, "at first"
"""


def run(directory: Path, suite: str, *options: str) -> tuple[int, str]:
    """Run a suite; return the exit code and what was printed."""
    (directory / "test_fake.py").write_text(BEGINNING + suite)
    command = f"-m pytest -p tests.secondlook -p no:cacheprovider --color=no --rootdir {directory}"
    done = subprocess.run(
        [sys.executable, *command.split(), *options, str(directory)],
        cwd=directory,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


def last_line(printed: str) -> str:
    """Return pytest's own summary without the time that it took."""
    return printed.splitlines()[-1].strip("= ").partition(" in ")[0]


def unsteady(count: int) -> str:
    return "".join(UNSTEADY.format(f"number_{number}") for number in range(count))


@pytest.mark.parametrize(("count", "processes"), [(MOST_TESTS, "0"), (1, "2")])
def test_what_passes_alone_is_no_failure_and_is_told_in_full(
    tmp_path: Path, count: int, processes: str
) -> None:
    code, printed = run(tmp_path, unsteady(count), "-n", processes)
    assert (code, last_line(printed)) == (0, f"{1 + count} passed, {count} unsteady")
    assert printed.count("UNSTEADY test_fake.py::test_unsteady_number_") == count
    assert "AssertionError: at first" in printed
    assert "said by number_0" in printed


def test_more_failures_than_a_few_are_not_looked_at_again(tmp_path: Path) -> None:
    code, printed = run(tmp_path, unsteady(MOST_TESTS + 1))
    assert (code, last_line(printed)) == (1, f"{MOST_TESTS + 1} failed, 1 passed")
    assert (tmp_path / "number_0").read_text() == "\n"


def test_what_fails_again_has_failed_and_is_not_looked_at_a_third_time(tmp_path: Path) -> None:
    suite = unsteady(1) + "\ndef test_broken():\n    assert runs('broken') > 2, 'again'\n"
    code, printed = run(tmp_path, suite)
    assert (code, last_line(printed)) == (1, "1 failed, 2 passed, 1 unsteady")
    assert "    E       AssertionError: again" in printed
    assert "FAILED test_fake.py::test_broken" in printed


def test_a_fixture_may_be_unsteady_too(tmp_path: Path) -> None:
    fixture = "\n@pytest.fixture\ndef {0}():\n    {1}\n"
    test = "\ndef test_{0}({0}):\n    pass\n"
    suite = (
        fixture.format("begins", "assert runs('begins') > 1")
        + fixture.format("ends", "yield; assert runs('ends') > 1")
        + test.format("begins")
        + test.format("ends")
    )
    code, printed = run(tmp_path, suite)
    assert (code, last_line(printed)) == (0, "3 passed, 2 unsteady")


def test_a_process_that_died_is_not_excused_nor_what_failed_beside_it(tmp_path: Path) -> None:
    suite = unsteady(1) + "\ndef test_dies():\n    runs('dies') > 1 or os._exit(3)\n"
    code, printed = run(tmp_path, suite, "-n", "1")
    assert (code, last_line(printed)) == (1, "2 failed, 1 passed")


def test_what_is_skipped_now_has_not_passed(tmp_path: Path) -> None:
    suite = "\ndef test_skips():\n    runs('skips') == 1 or pytest.skip()\n    assert False\n"
    code, printed = run(tmp_path, suite)
    assert (code, last_line(printed)) == (1, "1 failed, 1 passed")


def test_a_file_that_was_not_collected_is_not_excused(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("assert not 'now'\n")
    code, printed = run(tmp_path, unsteady(1), "-n", "1", "--continue-on-collection-errors")
    assert (code, last_line(printed)) == (1, "1 failed, 1 passed, 1 error")


def test_a_run_that_was_cut_short_is_not_excused(tmp_path: Path) -> None:
    code, printed = run(tmp_path, unsteady(1), "-x")
    assert (code, last_line(printed)) == (1, "1 failed, 1 passed")
