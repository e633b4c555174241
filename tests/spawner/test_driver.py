"""Every party killed, and thousands of programs; under every interpreter, as two users."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forkhttpd.scoreboard import Cell
from forkhttpd.spawner.protocol import How, Reason
from tests.spawner.driver import Driver, adopt_orphans, children_of
from tests.spawner.interpreters import PYTHON
from tests.spawner.programs import (
    DAEMON,
    FOREVER,
    STUBBORN,
    script,
    wait_output,
)
from tests.spawner.worker import Run, Worker, wait_until


def test_M2_a_worker_that_dies_leaves_no_program(python: str, user: str) -> None:
    with Driver(python, user=user, kill_grace="300ms", processes=4) as driver:
        other = driver.worker()
        survivor = other.shell(FOREVER)
        worker = driver.worker()
        runs = [worker.shell(text) for text in (FOREVER, STUBBORN, f"{DAEMON} {STUBBORN}")]
        wait_output(worker, runs[1], b"ready\n")
        wait_output(worker, runs[2], b"ready\n")
        queued = worker.shell("echo never")
        wait_until(lambda: driver.cells(Cell.ACTIVE, Cell.QUEUED) == (4, 1), "all at work")
        worker.close()
        assert not queued.answered
        wait_until(lambda: driver.cells(Cell.ACTIVE, Cell.QUEUED) == (1, 0), "their end")
        other.wait_started(survivor)
        wait_until(lambda: driver.orphans() == [survivor.pid], "one program alone")


def test_M2_a_spawner_that_dies_leaves_only_what_the_master_adopts(python: str, user: str) -> None:
    with adopt_orphans(), Driver(python, user=user) as driver:
        worker = driver.worker()
        runs = [worker.shell(STUBBORN), worker.shell(f"{DAEMON} {STUBBORN}")]
        for run in runs:
            wait_output(worker, run, b"ready\n")
        driver.signal(signal.SIGKILL)
        assert driver.exit_code() == -signal.SIGKILL
        worker.wait_hang_up()
        wait_until(lambda: end_adopted(driver) == 0, "nothing left to adopt")
        assert not driver.orphans()
        next_worker = driver.worker()  # knocks while nobody is there
        driver.respawn()
        run = next_worker.start("/bin/true")
        next_worker.wait(run)
        assert run.code == 0


def end_adopted(driver: Driver) -> int:
    """Do what the master does when a spawner has died; return how many there were."""
    adopted = set(children_of(os.getpid())) & set(driver.orphans())
    for pid in adopted:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(adopted)


def test_M1_a_master_that_dies_leaves_nothing(python: str, user: str) -> None:
    with Driver(python, user=user, graceful="1h", kill_grace="300ms") as driver:
        worker = driver.worker()
        runs = [worker.shell(STUBBORN), worker.shell(f"{DAEMON} {STUBBORN}")]
        for run in runs:
            wait_output(worker, run, b"ready\n")
        driver.hang_up_lifeline()
        worker.close()
        assert driver.exit_code() == 0
        assert not driver.orphans()


# Thousands of programs.


@dataclass(frozen=True)
class Kind:
    """A sort of program, and how it has to come out."""

    start: Callable[[Worker], Run]
    came_out_well: Callable[[Run], bool]
    kill: How | None = None


def kinds(directory: Path) -> list[Kind]:
    plain = script(directory / "plain", "#!/bin/sh\n", mode=0o644)
    shebang = script(directory / "shebang", "#!/nowhere/python\n")
    return [
        Kind(lambda w: w.start("/bin/true"), lambda run: run.code == 0),
        Kind(lambda w: w.start("/bin/echo", "hello"), lambda run: run.output == b"hello\n"),
        Kind(
            lambda w: w.shell("cat; echo done >&2", stdin=b"body" * 999),
            lambda run: run.output == b"body" * 999 and run.errors == b"done\n",
        ),
        Kind(lambda w: w.shell("exit 42"), lambda run: run.code == 42),
        Kind(lambda w: w.shell("kill -USR1 $$"), lambda run: run.code == -signal.SIGUSR1),
        Kind(lambda w: w.shell(FOREVER), lambda run: run.code == -signal.SIGKILL, How.NOW),
        Kind(lambda w: w.shell(FOREVER), lambda run: run.code == -signal.SIGTERM, How.GRACEFUL),
        Kind(
            lambda w: w.start("/usr/bin/head", "-c", "1048576", "/dev/zero"),
            lambda run: len(run.output) == 1 << 20,
        ),
        Kind(
            lambda w: w.shell("setsid sleep 300 >/dev/null 2>&1 & echo out"),
            lambda run: run.output == b"out\n" and run.code == 0,
        ),
        Kind(lambda w: w.shell("(setsid sleep 300 &) ; echo out"), lambda run: run.code == 0),
        Kind(lambda w: w.start("/nowhere"), lambda run: run.reason is Reason.SYSTEM),
        Kind(lambda w: w.start(plain), lambda run: run.reason is Reason.SYSTEM),
        Kind(lambda w: w.start(shebang), lambda run: run.reason is Reason.SYSTEM),
    ]


class Crowd:
    """Keeps a worker busy with programs of all kinds, a bounded number at a time."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.open: list[tuple[Kind, Run]] = []
        self.bad: list[Run] = []

    def add(self, kind: Kind) -> None:
        self.open.append((kind, kind.start(self.worker)))
        self.worker.pump(0)
        while len(self.open) >= 24:
            self.step()

    def finish(self) -> None:
        deadline = time.monotonic() + 60
        while self.open and time.monotonic() < deadline:
            self.step()
        assert not self.open, self.open

    def step(self) -> None:
        self.worker.pump(0.05)
        assert not self.worker.hung_up
        for kind, run in list(self.open):
            if kind.kill is not None and run.started and run.pipes and not run.killed:
                self.worker.kill(run, kind.kill)
                run.killed = True
            if run.over:
                self.open.remove((kind, run))
                if not kind.came_out_well(run):
                    self.bad.append(run)


def test_C15_mixed_programs_leave_nothing(python: str, user: str, directory: Path) -> None:
    """Under each interpreter, as each user, cold and warm."""
    with Driver(python, user=user, processes=32, queue=200) as driver:
        run_mixed(driver, directory, count=300)


def test_C15_ten_thousand_mixed_programs_leave_nothing(directory: Path) -> None:
    with Driver(PYTHON, processes=32, queue=200) as driver:
        run_mixed(driver, directory, count=1000 if Driver.warm else 10_000)


def run_mixed(driver: Driver, directory: Path, *, count: int) -> None:
    crowds = [Crowd(driver.worker()) for _ in range(3)]
    for crowd in crowds:
        crowd.worker.wait(crowd.worker.start("/bin/true"))
    before = driver.fds()
    all_kinds = kinds(directory)
    for number in range(count):
        crowds[number % 3].add(all_kinds[number % len(all_kinds)])
    for crowd in crowds:
        crowd.finish()
        assert not crowd.bad
    wait_until(lambda: not driver.orphans(), "no orphans")
    wait_until(lambda: not driver.children(), "no zombies")
    wait_until(lambda: driver.cells(Cell.ACTIVE, Cell.QUEUED) == (0, 0), "empty tables")
    assert driver.fds() == before
    refused = sum(1 for crowd in crowds for run in crowd.worker.runs.values() if run.refused)
    assert driver.cells(Cell.REQUESTS, Cell.REFUSED) == (count + 3 - refused, refused)
