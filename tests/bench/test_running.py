"""A server is started, awaited, asked and ended: with the floor, which needs no package."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.benchmark.case import CASES, Ability, Case
from scripts.benchmark.meter import PROCESS_TREE, best_accounting
from scripts.benchmark.probe import answer_problem
from scripts.benchmark.processtree import all_processes
from scripts.benchmark.running import RunningServer, ServerError, Surroundings, unprivileged
from scripts.benchmark.server import FLOOR, Server, servers
from scripts.benchmark.site import SMALL, Site, make_site

_FLOOR = next(known for known in servers() if known.name == FLOOR)
_CASE = CASES[0]


@pytest.fixture
def surroundings() -> Iterator[Surroundings]:
    # Not pytest's tmp_path: that is closed to the user that the server becomes.
    with tempfile.TemporaryDirectory(prefix="bench-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        site = make_site(directory)
        yield Surroundings(directory, site, PROCESS_TREE, *unprivileged())


@pytest.fixture(params=["proc", "best"])
def floor(surroundings: Surroundings, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    accounting = PROCESS_TREE if request.param == "proc" else best_accounting()
    running = RunningServer(_FLOOR, replace(surroundings, accounting=accounting))
    try:
        running.start(surroundings)
        yield running
    finally:
        running.stop()


def _body(site: Site, case: Case) -> bytes:
    return site.bodies[case.path]


def test_the_floor_answers_with_the_right_file(
    floor: RunningServer, surroundings: Surroundings
) -> None:
    assert answer_problem(floor.port, _CASE, _body(surroundings.site, _CASE)) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": 304}, "status 200 instead of 304"),
        ({"fields": (("Connection", "close"),)}, "keeps the connection open"),
    ],
)
def test_an_answer_that_is_not_as_the_case_has_it_is_a_problem(
    floor: RunningServer, surroundings: Surroundings, change: dict[str, object], problem: str
) -> None:
    case = replace(_CASE, **change)  # type: ignore[arg-type]
    assert answer_problem(floor.port, case, _body(surroundings.site, case)) == problem


def test_wrong_bytes_are_a_problem_even_in_the_right_number(
    floor: RunningServer, surroundings: Surroundings
) -> None:
    body = _body(surroundings.site, _CASE)
    wrong = body[:-1] + bytes([body[-1] ^ 1])
    assert "wrong ones" in str(answer_problem(floor.port, _CASE, wrong))
    assert "1024 bytes instead of 1023" in str(answer_problem(floor.port, _CASE, body[:-1]))


def test_nobody_there_is_a_problem(surroundings: Surroundings) -> None:
    with socket.socket() as taken:  # bound, so that nobody else gets it, but not listening
        taken.bind(("127.0.0.1", 0))
        problem = answer_problem(taken.getsockname()[1], _CASE, b"")
    assert "ConnectionRefusedError" in str(problem)


def test_stopping_ends_every_process_and_may_be_repeated(floor: RunningServer) -> None:
    group = os.getpgid(floor.running.pid)
    assert len(_members_of(group)) == 2
    floor.stop()
    floor.stop()
    # Killed they are; init may take a moment to bury those that it adopted.
    deadline = time.monotonic() + 10
    while _members_of(group):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _members_of(group: int) -> list[int]:
    members = []
    for process in all_processes():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group:
                members.append(process.pid)
    return members


def test_a_server_that_does_not_start_is_told_with_its_own_words(
    surroundings: Surroundings,
) -> None:
    failing = Server(
        name="failing",
        package="",
        program=Path(sys.executable),
        arguments=("-c", "raise SystemExit('port @PORT@ does not please me')"),
        abilities=frozenset(),
    )
    running = RunningServer(failing, surroundings)
    try:
        with pytest.raises(ServerError, match=r"failing does not start:\n.*does not please me"):
            running.start(surroundings)
    finally:
        running.stop()


def test_a_program_that_cannot_be_executed_is_told(surroundings: Surroundings) -> None:
    running = RunningServer(replace(_FLOOR, program=Path("/nonexistent/x")), surroundings)
    try:
        with pytest.raises(ServerError, match=r"floor cannot be started: .*No such file"):
            running.start(surroundings)
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("waits", "ability", "counted"),
    [
        (True, Ability.CGI, True),
        (False, Ability.CGI, False),
        (False, Ability.STATIC, True),
    ],
)
def test_proc_does_not_pretend_to_count_programs_that_nobody_waits_for(
    surroundings: Surroundings, waits: bool, ability: Ability, counted: bool
) -> None:
    running = RunningServer(replace(_FLOOR, waits_for_programs=waits), surroundings)
    assert running.counts(ability) is counted


def test_a_log_is_counted_on_after_it_was_emptied(surroundings: Surroundings) -> None:
    running = RunningServer(_FLOOR, surroundings)
    assert running.take_log() == 0
    running.log_path.parent.mkdir()
    with running.log_path.open("ab") as log:
        log.write(b"x" * 100)
        log.flush()
        assert running.take_log() == 100
        log.write(b"y" * 50)
        log.flush()
    assert running.take_log() == 150
    assert running.log_path.stat().st_size == 0


def test_the_site_is_new_for_every_run(surroundings: Surroundings, tmp_path: Path) -> None:
    other = make_site(tmp_path / "other")
    assert other.bodies[SMALL] != surroundings.site.bodies[SMALL]
    assert (other.docroot / SMALL[1:]).read_bytes() == other.bodies[SMALL]
