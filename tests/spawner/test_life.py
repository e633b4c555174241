"""The life of a spawner, from READY to its exit."""

import os
import signal
import time
from pathlib import Path

import pytest

from forkhttpd import channel
from forkhttpd.inheritance import REOPEN
from forkhttpd.scoreboard import Cell, SlotState
from forkhttpd.spawner.protocol import Reason
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON, can_uncover
from tests.spawner.programs import (
    DAEMON,
    FOREVER,
    STUBBORN,
    wait_output,
)
from tests.spawner.worker import wait_until


def test_M3_ready_after_the_first_turn_and_a_heartbeat_when_idle(driver: Driver) -> None:
    cells = (Cell.STATE, Cell.PID, Cell.GENERATION)
    assert driver.cells(*cells) == (SlotState.READY, driver.pid, 7)
    before = driver.slot.get(Cell.HEARTBEAT)
    assert abs(time.monotonic_ns() - before) < 60e9
    wait_until(lambda: driver.slot.get(Cell.HEARTBEAT) > before, "a heartbeat")


def test_title_says_what_it_is(driver: Driver) -> None:
    title = Path(f"/proc/{driver.pid}/cmdline").read_bytes()
    assert title.rstrip(b"\0") == b"forkhttpd: spawner [default]"
    assert Path(f"/proc/{driver.pid}/comm").read_text() == "forkhttpd: spaw\n"


def test_M16_the_spawner_and_its_programs_are_the_pools_user() -> None:
    if os.geteuid() != 0 or not can_uncover(PYTHON):
        pytest.skip("only root can become somebody else")
    with Driver(PYTHON, user="nobody") as driver:
        worker = driver.worker()
        run = worker.start("/bin/cat", "/proc/self/status")
        worker.wait(run)
        for text in (run.output.decode(), Path(f"/proc/{driver.pid}/status").read_text()):
            status = dict(line.split(":\t", 1) for line in text.splitlines())
            assert status["Uid"].split() == ["65534"] * 4
            assert status["Gid"].split() == ["65534"] * 4
            assert status["Groups"].split() == ["65534"]
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
            assert status["NoNewPrivs"] == "1"


def test_signals_of_the_terminal_are_for_the_master(driver: Driver) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
        driver.signal(number)
    worker = driver.worker()
    run = worker.start("/bin/true")
    worker.wait(run)
    assert run.code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_that_comes_before_the_first_turn_waits_for_it(number: signal.Signals) -> None:
    driver = Driver(PYTHON)
    try:
        driver.signal(number)
        assert driver.exit_code() == 0
        assert driver.log() == ""
    finally:
        driver.__exit__()


def test_term_drains() -> None:
    with Driver(PYTHON, processes=1) as driver:
        worker = driver.worker()
        running = worker.shell("read x; sleep 0.5; echo finished")
        waiting = worker.shell("echo never")
        worker.wait_started(running)
        driver.signal(signal.SIGTERM)
        worker.wait(waiting)
        late = worker.shell("echo never")
        worker.wait(late, running)
        assert waiting.reason is late.reason is Reason.DRAINING
        assert running.output == b"finished\n"
        assert driver.slot.get(Cell.STATE) == SlotState.DRAINING
        assert driver.exit_code() == 0


def test_quit_ends_everything_at_once() -> None:
    with Driver(PYTHON, kill_grace="1h") as driver:
        worker = driver.worker()
        runs = [worker.shell(STUBBORN), worker.shell(f"{DAEMON} echo ready; {FOREVER}")]
        for run in runs:
            wait_output(worker, run, b"ready\n")
        driver.signal(signal.SIGQUIT)
        assert driver.exit_code() == 0
        assert not driver.orphans()


def test_M1_without_a_master_an_idle_spawner_ends_at_once() -> None:
    with Driver(PYTHON, graceful="1h") as driver:
        worker = driver.worker()
        worker.wait(worker.start("/bin/true"))
        driver.hang_up_lifeline()
        worker.close()
        assert driver.exit_code() == 0


def test_M1_without_a_master_running_requests_may_finish() -> None:
    with Driver(PYTHON, graceful="1h") as driver:
        worker = driver.worker()
        running = worker.shell("sleep 0.3; echo finished")
        worker.wait_started(running)
        driver.hang_up_lifeline()
        late = worker.shell("echo served, for the worker drains as well")
        worker.wait(running, late)
        assert running.output == b"finished\n"
        assert late.code == 0
        worker.close()
        assert driver.exit_code() == 0


def test_M1_without_a_master_nothing_outlives_the_graceful_time() -> None:
    with Driver(PYTHON, graceful="300ms", kill_grace="1h") as driver:
        worker = driver.worker()
        run = worker.shell(f"{DAEMON} {STUBBORN}")
        wait_output(worker, run, b"ready\n")
        driver.hang_up_lifeline()
        assert driver.exit_code() == 0
        assert not driver.orphans()


def test_M15_new_logs_are_taken(driver: Driver) -> None:
    new = os.memfd_create("new-log", os.MFD_CLOEXEC)
    try:
        channel.send(driver.control, REOPEN, [new, new])
        wait_until(lambda: sum("new-log" in name for name in driver.fds()) == 2, "new logs")
        assert not [name for name in driver.fds() if "error-log" in name]
        worker = driver.worker()
        worker.send(b"garbage")
        wait_until(lambda: os.fstat(new).st_size, "a line in the new log")
        assert driver.log() == ""
    finally:
        os.close(new)
