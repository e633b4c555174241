"""A second look at what has failed, for continuous integration: pytest -p tests.secondlook

Of thousands of tests, most of them with a daemon, side by side on a machine that has others to
serve, one may fail for what only that hour brought.  Who reads the result must be able to tell that
from a change that broke something.  So when all the others are over, up to MOST_TESTS that failed
are run once more, alone, as CPython's own suite does with --rerun.  One that passes then was
*unsteady*: it is counted both as that and as passed, its failure is printed in full, and it is to
be mended, but the run has not failed for it.

A second look excuses nothing else: more failures than that, what fails or is skipped now, what
could not be collected, a test process that died, a run that was cut short.  Random tests meet the
same numbers again: .ci/run sets the seed of the chaos test, and where there is a CI in the
environment hypothesis has no chance in it.
"""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MOST_TESTS = 3
_BROKEN = ("failed", "error")  # as pytest sorts its reports
_PHASES = ("setup", "call", "teardown")  # xdist has another word where a process died


@pytest.hookimpl(trylast=True)  # the processes of xdist are gone then
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Look again; before the summary, and in the process that writes it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus != pytest.ExitCode.TESTS_FAILED or reporter is None or _was_cut_short(session):
        return
    broken = [report for kind in _BROKEN for report in reporter.stats.get(kind, [])]
    unsteady = [
        test
        for test in _worth_a_look(broken)
        if _passes_alone(test, session.config.rootpath, reporter)
    ]
    _sort_out(reporter.stats, unsteady)
    if unsteady and not any(reporter.stats.get(kind) for kind in _BROKEN):
        session.exitstatus = pytest.ExitCode.OK


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how each of them failed at first."""
    unsteady = terminalreporter.stats.get("unsteady", [])
    if unsteady:
        terminalreporter.section("unsteady: failed, and passed alone")
    for report in unsteady:
        terminalreporter.write_sep("_", report.nodeid)
        terminalreporter.write_line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.write_sep("-", title)
            terminalreporter.write_line(text)
    for test in dict.fromkeys(report.nodeid for report in unsteady):
        terminalreporter.write_line(f"UNSTEADY {test}")


def _was_cut_short(session: pytest.Session) -> bool:
    is_part_of_another = hasattr(session.config, "workerinput")
    return is_part_of_another or bool(session.shouldfail or session.shouldstop)


def _worth_a_look(broken: list[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """Return the tests that may have been unsteady; none if anything else went wrong, too."""
    tests = list(dict.fromkeys(report.nodeid for report in broken))
    are_tests = all(getattr(report, "when", None) in _PHASES for report in broken)
    return tests if are_tests and len(tests) <= MOST_TESTS else []


def _passes_alone(test: str, root: Path, reporter: pytest.TerminalReporter) -> bool:
    """Run one test in a process of its own; print what that says unless it has passed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-W", "error", "-n", "0", "--color=no", "-q", test],
        cwd=root,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines = done.stdout.splitlines() or [""]
    passes = done.returncode == 0 and re.fullmatch(r"1 passed in .*", lines[-1]) is not None
    reporter.write_line(f"\nsecond look: {test}: {'passed' if passes else 'not passed'}")
    if not passes:
        for line in lines:
            reporter.write_line(f"    {line}")  # so that nobody takes its end for that of the run
    return passes


def _sort_out(stats: dict[str, list[pytest.TestReport]], unsteady: list[str]) -> None:
    """Count the unsteady tests as that, and as passed, and no longer as broken."""
    for kind in _BROKEN:
        reports = stats.pop(kind, [])
        for report in reports:
            where = "unsteady" if report.nodeid in unsteady else kind
            stats.setdefault(where, []).append(report)
            if where == "unsteady" and report.when != "teardown":
                stats.setdefault("passed", []).append(_passed(report))


def _passed(report: pytest.TestReport) -> pytest.TestReport:
    passed = copy.copy(report)
    passed.outcome, passed.longrepr, passed.duration = "passed", None, 0.0
    return passed
