"""What a program is given, and what happens when it cannot be started."""

import errno
import os
import signal
import tempfile
from pathlib import Path

from forkhttpd.scoreboard import Cell
from forkhttpd.spawner.protocol import Reason
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON
from tests.spawner.programs import (
    FOREVER,
    script,
    status_of,
    wait_output,
)
from tests.spawner.worker import PATH, wait_until


def test_C7_program_has_descriptors_0_1_2_and_no_other(driver: Driver) -> None:
    worker = driver.worker()
    neighbour = worker.shell(FOREVER)
    run = worker.shell("for n in $(seq 0 99); do [ -e /proc/$$/fd/$n ] && printf '%s ' $n; done")
    worker.wait(run)
    assert run.output == b"0 1 2 "
    assert neighbour.exited is None


def test_C7_signal_mask_empty_and_dispositions_default_sigpipe_too(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.start("/bin/cat", "/proc/self/status")
    worker.wait(run)
    status = status_of(run)
    assert int(status["SigBlk"], 16) == 0
    # glibc's posix_spawn leaves 32 and 33, which are its own, ignored.
    assert int(status["SigIgn"], 16) & ~(0b11 << 31) == 0


def test_C7_new_session_working_directory_and_umask(directory: Path) -> None:
    with Driver(PYTHON, umask="027") as driver:
        worker = driver.worker()
        run = worker.shell("pwd; umask; umask 000; read x || sleep 300", cwd=directory)
        wait_output(worker, run, b"\n0027\n")
        assert run.output == f"{directory}\n0027\n".encode()
        assert os.getsid(run.pid) == os.getpgid(run.pid) == run.pid
        assert os.readlink(f"/proc/{driver.pid}/cwd") == "/"


def test_C5_environment_is_what_was_asked_for_and_nothing_else(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.start("/usr/bin/env", env=(b"A=1", b"EMPTY=", b"TWO=a=b", b"RAW=\xff\n"))
    worker.wait(run)
    marker = f"UNIQUE_ID={driver.token}-0-1".encode()
    expected = b"\n".join([PATH, marker, b"A=1", b"EMPTY=", b"TWO=a=b", b"RAW=\xff\n", b""])
    assert run.output == expected


def test_C6_arguments_arrive_as_they_are(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.start("/usr/bin/printf", "[%s]", "a b", "", "-x", "$(id)", "*")
    worker.wait(run)
    assert run.output == b"[a b][][-x][$(id)][*]"


def test_C2_stdin_ends_where_the_body_ends(driver: Driver) -> None:
    worker = driver.worker()
    runs = [worker.start("/bin/cat", stdin=body) for body in (b"", b"x", b"y" * 60_000)]
    worker.wait(*runs)
    assert [len(run.output) for run in runs] == [0, 1, 60_000]


def test_C2_without_input_stdin_is_at_its_end_and_nothing_is_held_open(driver: Driver) -> None:
    worker = driver.worker()
    runs = [
        worker.start("/bin/sh", "-c", "cat; readlink /proc/self/fd/0", has_input=False),
        worker.start(PYTHON, "-c", "import sys; print(repr(sys.stdin.read()))", has_input=False),
    ]
    worker.wait(*runs)
    assert [bytes(run.output) for run in runs] == [b"/dev/null\n", b"''\n"]


def test_C2_a_spool_is_stdin_from_its_offset(driver: Driver) -> None:
    worker = driver.worker()
    with tempfile.TemporaryFile() as spool:
        spool.write(b"skipped" + b"body" * 100_000)
        spool.flush()
        os.lseek(spool.fileno(), len(b"skipped"), os.SEEK_SET)
        run = worker.start("/bin/cat", spool=spool.fileno())
        worker.wait(run)
    assert run.output == b"body" * 100_000
    assert len(driver.fds()) == 14


def test_pipes_can_be_opened_by_name_by_another_user(driver: Driver) -> None:
    worker = driver.worker()
    run = worker.shell(
        "for n in 0 1 2; do stat -L -c %a /proc/self/fd/$n; done; echo y >/dev/stderr"
    )
    worker.wait(run)
    assert run.output == b"666\n666\n666\n"
    assert run.errors == b"y\n"


def test_a_short_program_ends_though_a_long_one_runs_beside_it(
    driver: Driver, directory: Path
) -> None:
    """Neither the one before it nor the one after it holds its pipes."""
    flag = directory / "flag"
    worker = driver.worker()
    before = worker.shell(FOREVER)
    short = worker.shell(f"while [ ! -e {flag} ]; do sleep 0.02; done; echo end")
    after = worker.shell(FOREVER)
    worker.wait_started(before, short, after)
    flag.touch()
    worker.wait(short)
    assert short.output == b"end\n"
    assert before.exited is None
    assert after.exited is None


def test_C19_the_end_of_a_program_is_told_with_its_cost(driver: Driver) -> None:
    worker = driver.worker()
    busy = worker.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 7")
    crash = worker.shell("ulimit -c 0; kill -SEGV $$")
    worker.wait(busy, crash)
    assert busy.exited is not None
    assert (busy.code, crash.code) == (7, -signal.SIGSEGV)
    assert busy.exited.user_time + busy.exited.system_time > 0
    assert busy.exited.wall > 0
    assert busy.exited.max_rss > 100


# What cannot be started.


def test_a_program_that_cannot_be_started_is_refused_with_the_errno(
    driver: Driver, directory: Path
) -> None:
    worker = driver.worker()
    plain = script(directory / "plain", "#!/bin/sh\n", mode=0o644)
    shebang = script(directory / "shebang", "#!/nowhere/python\n")
    text = script(directory / "text", "echo no shebang\n")
    long = b"LONG=" + b"x" * 140_000
    cases = {
        errno.ENOENT: [
            worker.start(str(directory / "missing")),
            worker.start(shebang),
            worker.start("/bin/true", cwd=directory / "missing"),
        ],
        errno.EACCES: [worker.start(plain), worker.start(str(directory))],
        errno.ENOEXEC: [worker.start(text)],
        errno.ENOTDIR: [worker.start("/bin/true", cwd=plain)],
        errno.E2BIG: [worker.start("/bin/true", env=(long,))],
    }
    for number, runs in cases.items():
        worker.wait(*runs)
        for run in runs:
            assert run.refused == (run.id, Reason.SYSTEM, number)
    assert driver.cells(Cell.ACTIVE, Cell.REQUESTS) == (0, 0)
    wait_until(lambda: driver.slot.get(Cell.REFUSED) == 8, "REFUSED")
