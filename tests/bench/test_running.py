"""A server is started, awaited, asked and ended: with the floor, which needs no package."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.benchmark.case import CASES, Ability, Case
from scripts.benchmark.crowd import crowd
from scripts.benchmark.latency import LatencyError, latencies
from scripts.benchmark.memory import proportional_bytes
from scripts.benchmark.meter import PROCESS_TREE, best_accounting
from scripts.benchmark.peers import FLOOR, servers
from scripts.benchmark.probe import WrongAnswerError, answer_problem, await_first_answer
from scripts.benchmark.processtree import all_processes
from scripts.benchmark.running import RunningServer, ServerError, Surroundings, unprivileged
from scripts.benchmark.server import Server
from scripts.benchmark.site import SMALL, Site, make_site

_FLOOR = next(known for known in servers() if known.name == FLOOR)
_CASE = CASES[0]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with _open_directory() as directory:
        yield make_site(directory)


@pytest.fixture
def surroundings(site: Site) -> Iterator[Surroundings]:
    with _open_directory() as directory:
        yield Surroundings(directory, site, PROCESS_TREE, *unprivileged())


@contextmanager
def _open_directory() -> Iterator[Path]:
    """Not pytest's tmp_path: that is closed to the user that the server becomes."""
    with tempfile.TemporaryDirectory(prefix="bench-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


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
    assert answer_problem(floor.port, _CASE, _body(surroundings.site, _CASE), keeps=True) is None


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
    assert answer_problem(floor.port, case, _body(surroundings.site, case), keeps=True) == problem


def test_wrong_bytes_are_a_problem_even_in_the_right_number(
    floor: RunningServer, surroundings: Surroundings
) -> None:
    body = _body(surroundings.site, _CASE)
    wrong = body[:-1] + bytes([body[-1] ^ 1])
    assert "wrong ones" in str(answer_problem(floor.port, _CASE, wrong, keeps=True))
    assert "1024 bytes instead of 1023" in str(
        answer_problem(floor.port, _CASE, body[:-1], keeps=True)
    )


def test_nobody_there_is_a_problem(surroundings: Surroundings) -> None:
    with socket.socket() as taken:  # bound, so that nobody else gets it, but not listening
        taken.bind(("127.0.0.1", 0))
        problem = answer_problem(taken.getsockname()[1], _CASE, b"", keeps=True)
    assert "ConnectionRefusedError" in str(problem)


def test_stopping_ends_every_process_and_may_be_repeated(floor: RunningServer) -> None:
    group = os.getpgid(floor.running.pid)
    _await(lambda: len(_members_of(group)) == 2)
    floor.stop()
    floor.stop()
    # Killed they are; init may take a moment to bury those that it adopted.
    _await(lambda: not _members_of(group))


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
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


def test_a_server_sees_nothing_of_the_environment_of_who_measures(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    talking = Server(
        name="talking",
        package="",
        program=Path(sys.executable),
        arguments=("-c", "import os; raise SystemExit(sorted(os.environ))"),
        abilities=frozenset(),
    )
    running = RunningServer(talking, surroundings)
    try:
        with pytest.raises(ServerError) as told:
            running.start(surroundings)
    finally:
        running.stop()
    assert "'PATH'" in str(told.value)
    assert "PYTHON" not in str(told.value)


def test_a_program_that_cannot_be_executed_is_told(surroundings: Surroundings) -> None:
    running = RunningServer(replace(_FLOOR, program=Path("/nonexistent/x")), surroundings)
    try:
        with pytest.raises(ServerError, match=r"floor cannot be started: .*No such file"):
            running.start(surroundings)
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("unwaited", "needs", "counted"),
    [
        (set(), {Ability.PROGRAMS}, True),
        ({Ability.PROGRAMS}, {Ability.PROGRAMS}, False),
        ({Ability.PROGRAMS}, {Ability.KEEPS, Ability.FILES}, True),
    ],
)
def test_proc_does_not_pretend_to_count_programs_that_nobody_waits_for(
    surroundings: Surroundings, unwaited: set[Ability], needs: set[Ability], counted: bool
) -> None:
    running = RunningServer(replace(_FLOOR, unwaited=frozenset(unwaited)), surroundings)
    assert running.counts(frozenset(needs)) is counted


def test_a_visitor_comes_as_often_as_he_should_and_waits_a_positive_time(
    floor: RunningServer,
) -> None:
    waits = latencies(floor.port, SMALL, rate=100, seconds=0.5)
    assert len(waits) == 50
    assert all(0 < wait < 10 for wait in waits)


def test_a_crowd_is_as_large_as_it_should_be_and_leaves(floor: RunningServer) -> None:
    before = _connections(floor.port)
    with crowd(floor.port, SMALL, size=250):
        assert _connections(floor.port) == before + 250
    _await(lambda: _connections(floor.port) == before)


def test_a_crowd_that_was_sent_away_is_no_crowd(floor: RunningServer) -> None:
    with (
        pytest.raises(LatencyError, match="20 of 20 idle connections were ended"),
        crowd(floor.port, SMALL, size=20),
    ):
        floor.stop()


def _connections(port: int) -> int:
    """How many clients are connected to a port of this machine, by /proc/net/tcp (proc(5))."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_processes_hold_memory_and_ended_ones_none(floor: RunningServer) -> None:
    weight = proportional_bytes(process.pid for process in floor.members())
    if weight is None:
        pytest.skip("the kernel does not let us see the memory of others")
    assert weight > 1 << 20
    assert proportional_bytes([]) == 0
    assert proportional_bytes([1 << 22]) == 0  # beyond the largest process number


def test_the_first_answer_must_be_right(floor: RunningServer, surroundings: Surroundings) -> None:
    await_first_answer(floor.port, SMALL, surroundings.site.bodies[SMALL])
    with pytest.raises(WrongAnswerError, match="the first answer is wrong"):
        await_first_answer(floor.port, SMALL, b"another")


def test_who_cannot_reload_says_so(floor: RunningServer) -> None:
    with pytest.raises(ServerError, match="floor cannot reload"):
        floor.reload()


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
