"""How programs end, and what they leave behind."""

import os
import signal
import time
from pathlib import Path

from forkhttpd.spawner.protocol import How
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON
from tests.spawner.programs import (
    DAEMON,
    STUBBORN,
    is_alive,
    wait_output,
)
from tests.spawner.worker import Run, wait_until

# Ending a program.


def test_a_polite_program_ends_by_term(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    wait_output(worker, run, b"ready\n")
    worker.kill(run, How.GRACEFUL)
    worker.wait(run)
    assert run.code == 3
    assert run.output.endswith(b"bye\n")


def test_C4_a_stubborn_program_ends_by_kill_after_the_grace(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.shell(STUBBORN)
    wait_output(worker, run, b"ready\n")
    begin = time.monotonic()
    worker.kill(run, How.GRACEFUL)
    worker.kill(run, How.GRACEFUL)
    worker.wait(run)
    assert run.code == -signal.SIGKILL
    assert time.monotonic() - begin >= 0.5  # no sooner; how much later is the machine's affair


def test_kill_now_does_not_wait() -> None:
    with Driver(PYTHON, kill_grace="1h") as driver:
        worker = driver.worker()
        run = worker.shell(STUBBORN)
        wait_output(worker, run, b"ready\n")
        worker.kill(run, How.GRACEFUL)
        worker.kill(run, How.NOW)
        worker.wait(run)
        assert run.code == -signal.SIGKILL


def test_kill_after_the_end_or_of_an_unknown_id_is_nothing(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.start("/bin/true")
    worker.wait(run)
    for victim in (run, Run(99)):
        worker.kill(victim, How.NOW)
    again = worker.start("/bin/true")
    worker.wait(again)
    assert again.code == 0


# What a program leaves behind.


def test_M2_the_group_ends_with_its_leader(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.shell("trap '' TERM; sleep 300 & sleep 300 & echo started")
    worker.wait(run)  # at the end of its output, which the background holds
    assert run.output == b"started\n"
    wait_until(lambda: not driver.orphans(), "no orphans")


def test_M2_daemons_end_with_the_program_that_started_them(driver: Driver, directory: Path) -> None:
    flag = directory / "flag"
    inner = f'setsid sh -c "touch {flag}; sleep 300" & sleep 300'
    settled = f"setsid sh -c '{inner}' >/dev/null 2>&1 & until [ -e {flag} ]; do sleep 0.01; done"
    worker = driver.worker()
    runs = [worker.shell(f"{settled}; echo out")]
    runs += [worker.shell(f"{DAEMON} echo out") for _ in range(20)]  # caught while they fork
    worker.wait(*runs)
    assert [bytes(run.output) for run in runs] == [b"out\n"] * 21
    wait_until(lambda: not driver.orphans(), "no orphans")
    wait_until(lambda: not driver.children(), "no zombies")


def test_M2_a_child_that_sheds_environment_and_group_is_known_by_its_session(
    driver: Driver,
) -> None:
    worker = driver.worker()
    program = (
        "import os\n"
        "if not (pid := os.fork()):\n"
        "    os.setpgid(0, 0)\n"
        "    null = os.open('/dev/null', os.O_RDWR)\n"
        "    os.dup2(null, 1), os.dup2(null, 2)\n"
        "    os.execve('/bin/sleep', ['sleep', '300'], {})\n"
        "while b'sleep' not in open(f'/proc/{pid}/cmdline', 'rb').read(): pass\n"
        "print(pid)\n"
    )
    run = worker.start(PYTHON, "-c", program)
    worker.wait(run)
    pid = int(run.output)
    wait_until(lambda: not is_alive(pid), "its end")


def test_M2_a_daemon_of_a_program_that_still_runs_is_left_alone(driver: Driver) -> None:
    worker = driver.worker()
    server = worker.shell("setsid sleep 300 >/dev/null 2>&1 & echo $!; wait")
    wait_output(worker, server, b"\n")
    daemon = int(server.output)
    others = [worker.start("/bin/true") for _ in range(20)]
    worker.wait(*others)
    assert is_alive(daemon)
    worker.kill(server, How.GRACEFUL)
    worker.wait(server)
    wait_until(lambda: not is_alive(daemon), "its end")


def test_background_leave_means_left_alone(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.shell(
        "sleep 300 >/dev/null 2>&1 & setsid sleep 300 >/dev/null 2>&1 & echo out",
        leave_background=True,
    )
    worker.wait(run)
    for _ in range(20):
        worker.wait(worker.start("/bin/true"))
    assert len(driver.orphans()) == 2
    assert sorted(driver.children()) == sorted(driver.orphans())
    for pid in driver.orphans():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not driver.children(), "quiet reaping of what was adopted")
