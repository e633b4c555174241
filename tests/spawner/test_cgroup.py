"""A cgroup for each program (C14), in whatever part of the tree the tests may divide."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forkhttpd import cgroups
from forkhttpd.scoreboard import Cell
from forkhttpd.spawner.protocol import How
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON
from tests.spawner.programs import FOREVER, is_alive, wait_output
from tests.spawner.worker import Run, Worker, wait_until

# Leaves the process group, the session and the environment, by which its like are found otherwise.
ESCAPE = "setsid env -i sh -c 'sleep 300 & echo $! $$; sleep 300'"


def tree() -> Path:
    """Return where our own cgroup is; skip where there is none that we may divide."""
    base = cgroups._base(
        Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text()
    )
    if base is None:
        pytest.skip("there is no cgroup v2 on this machine")
    if not os.access(base, os.W_OK):
        pytest.skip(f"{base} is not ours to divide")
    probe = base / f"probe-{os.getpid()}"  # the root has no cgroup.kill of its own
    probe.mkdir()
    try:
        if not (probe / "cgroup.kill").exists():
            pytest.skip("a kernel before 5.14")
    finally:
        probe.rmdir()
    return base


@pytest.fixture
def base() -> Iterator[Path]:
    place = tree()
    yield place
    cgroups._sweep(place)


def part_of(base: Path, driver: Driver) -> Path:
    return base / f"pool-default.{driver.pid}"


def test_C14_each_program_has_a_cgroup_of_its_own_that_goes_with_it(
    base: Path, python: str, user: str
) -> None:
    with Driver(python, user=user, cgroup=True) as driver:
        worker = driver.worker()
        runs = [worker.shell(f"grep ^0:: /proc/self/cgroup; {FOREVER}") for _ in range(2)]
        for run, number in zip(runs, (1, 2), strict=True):
            wait_output(worker, run, f"/pool-default.{driver.pid}/{number}\n".encode())
        spawner = Path(f"/proc/{driver.pid}/cgroup").read_text()
        assert f"/pool-default.{driver.pid}/spawner\n" in spawner
        for run in runs:
            worker.kill(run, How.NOW)
            worker.wait(run)
        part = part_of(base, driver)
        wait_until(lambda: {one.name for one in part.glob("*/")} == {"spawner"}, "no more cgroups")
        assert driver.log() == ""


def test_C14_nothing_escapes_its_cgroup(base: Path) -> None:
    with Driver(PYTHON, cgroup=True) as driver:
        worker = driver.worker()
        run = worker.shell(f"{ESCAPE} & {FOREVER}")
        escaped = escape_of(worker, run)
        assert all(map(is_alive, escaped))
        worker.kill(run, How.NOW)
        wait_until(lambda: not any(map(is_alive, escaped)), "their end")
        wait_until(lambda: driver.cells(Cell.ACTIVE) == (0,), "an empty table")


def escape_of(worker: Worker, run: Run) -> list[int]:
    worker.wait_for(lambda: run.output.endswith(b"\n"), "the escape")
    return [int(word) for word in run.output.split()]


def test_C14_what_may_stay_stays_and_its_cgroup_with_it(base: Path) -> None:
    with Driver(PYTHON, cgroup=True) as driver:
        worker = driver.worker()
        run = worker.shell("setsid sleep 300 >&- 2>&- & echo $!", leave_background=True)
        worker.wait(run)
        left = int(run.output)
        try:
            assert is_alive(left)
            assert (part_of(base, driver) / "1").is_dir()
        finally:
            os.kill(left, signal.SIGKILL)
        wait_until(lambda: not (part_of(base, driver) / "1").exists(), "its end")


def test_C14_what_a_dead_spawner_left_is_ended_by_the_next(base: Path) -> None:
    with Driver(PYTHON, cgroup=True) as driver:
        worker = driver.worker()
        escaped = escape_of(worker, worker.shell(f"{ESCAPE} & {FOREVER}"))
        former = part_of(base, driver)
        driver.signal(signal.SIGKILL)
        driver.exit_code()
        driver.respawn()
        wait_until(lambda: not any(map(is_alive, escaped)), "their end")
        with Driver(PYTHON, cgroup=True):
            assert not former.exists()


# Controllers: ours are where the kernel has put them, which may be in version 1.


def require(base: Path, controller: str) -> None:
    if controller not in (base / "cgroup.controllers").read_text().split():
        pytest.skip(f"{base} has no controller {controller}")
    inhabitants = set(map(int, (base / "cgroup.procs").read_text().split()))
    if (base / "cgroup.type").exists() and inhabitants - set(cgroups._family(os.getpid())):
        pytest.skip(f"{base} has processes of others, so it cannot be divided")


def test_C14_memory_is_that_of_a_program_with_all_that_it_starts(base: Path) -> None:
    require(base, "memory")
    with Driver(PYTHON, memory="64M") as driver:
        worker = driver.worker()
        eat = f"{sys.executable} -c 'import time; x = b\"x\" * (40 << 20); time.sleep(300)'"
        run = worker.shell(f"{eat} & {eat} & wait")
        worker.wait(run)
        assert run.exited is not None
        assert run.exited.starved
        assert driver.cells(Cell.STARVED) == (1,)


def test_C14_tasks_are_those_of_a_program_alone(base: Path) -> None:
    require(base, "pids")
    with Driver(PYTHON, tasks=5) as driver:
        worker = driver.worker()
        bomb = worker.shell("for i in 1 2 3 4 5 6 7 8; do sleep 300 & done 2>&1; sleep 300")
        wait_output(worker, bomb, b"fork")
        other = worker.shell("echo fine")
        worker.wait(other)
        assert other.output == b"fine\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may divide the root of the tree")
def test_C14_the_master_makes_room_where_a_controller_is_to_be_shared(base: Path) -> None:
    """With any controller that there is; we are below the cgroup that the test makes."""
    with shared(base) as (own, controller):
        text = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from forkhttpd import cgroups\n"
            "if os.fork() == 0:\n"
            f"    wanted = frozenset({{{controller!r}}})\n"
            "    part = cgroups.claim('x', owner=(65534, 65534), controllers=wanted)\n"
            "    place = Path('/proc/self/cgroup').read_text()\n"
            "    enabled = Path(part.directory, 'cgroup.subtree_control').read_text().split()\n"
            "    uid = Path(part.directory, 'cgroup.procs').stat().st_uid\n"
            "    print(part.problem, sorted(part.controllers), enabled, uid, place, flush=True)\n"
            "else:\n"
            "    os.wait()\n"
            "    print(Path('/proc/self/cgroup').read_text())\n"
        )
        command = f'echo 0 >"{own}/cgroup.procs"; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", command, "sh", sys.executable, "-c", text],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        told, _, rest = done.stdout.partition("\n")
        assert told.startswith(f" ['{controller}'] ['{controller}'] 65534"), done
        assert f"0::/{own.relative_to(base)}/forkhttpd\n" in rest
        assert (own / "cgroup.subtree_control").read_text().split() == [controller]


@contextmanager
def shared(base: Path) -> Iterator[tuple[Path, str]]:
    """Make a cgroup that has a controller, and remove it with all that is in it."""
    found = (base / "cgroup.controllers").read_text().split()
    if not found or (base / "cgroup.type").exists():
        pytest.skip(f"{base} has no controller, or is not the root of the tree")
    control = base / "cgroup.subtree_control"
    was_there = found[0] in control.read_text().split()
    control.write_text(f"+{found[0]}")
    own = base / f"forkhttpd-test-{os.getpid()}"
    own.mkdir()
    try:
        yield own, found[0]
    finally:
        remove(own)
        if not was_there:
            control.write_text(f"-{found[0]}")


def remove(place: Path) -> None:
    for one in place.glob("*/"):
        remove(one)
    wait_until(lambda: succeeds(place.rmdir), f"the end of {place}")


def succeeds(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True
