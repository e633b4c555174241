"""C17: forks that wait for requests: used once, never stale, never seen, and gone when idle."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.scoreboard import Cell
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON
from tests.spawner.programs import is_alive
from tests.spawner.warm.scripts import Scripts
from tests.spawner.worker import Run, Worker, wait_until

NAMES = "import json\nprint(json.__file__)\n"


@pytest.fixture
def interpreter() -> str:
    return PYTHON


@pytest.fixture
def warm(scripts: Scripts) -> Iterator[Driver]:
    with Driver(scripts.interpreter, warm=True, processes=2) as driver:
        yield driver


def hurry(worker: Worker, script: Path, count: int) -> list[Run]:
    """Run a script so often at once."""
    runs = [worker.start(str(script), cwd=script.parent) for _ in range(count)]
    worker.wait(*runs)
    return runs


def test_C17_spares_are_used_once_and_go_when_nothing_asks_for_them(
    scripts: Scripts, warm: Driver
) -> None:
    script = scripts.add("script.py", "import os, sys\nprint(os.getpid(), os.getsid(0))\n")
    worker = warm.worker()
    scripts.wait_until_kept(worker, script, warm)
    before = warm.fds()
    runs = hurry(worker, script, 40)
    assert len({run.pid for run in runs}) == 40
    assert all(bytes(run.output).split() == [b"%d" % run.pid] * 2 for run in runs)
    wait_until(lambda: warm.cells(Cell.ACTIVE, Cell.QUEUED) == (0, 0), "nothing to be counted")
    wait_until(lambda: not warm.children(), "the end of idle spares")
    wait_until(lambda: warm.fds() == before, "the end of their descriptors")


def test_C16_a_spare_is_not_used_once_a_module_lies_beside_the_script(
    scripts: Scripts, warm: Driver
) -> None:
    script = scripts.add("script.py", NAMES)
    worker = warm.worker()
    scripts.wait_until_kept(worker, script, warm)
    library = hurry(worker, script, 20)[-1].output
    (scripts.directory / "json.py").write_text("")
    beside = hurry(worker, script, 3)
    (scripts.directory / "json.py").unlink()
    again = hurry(worker, script, 3)
    assert all(b"json.py" in run.output for run in beside)
    assert all(run.output == library for run in again)


def test_M4_a_spare_that_was_killed_is_replaced(scripts: Scripts, warm: Driver) -> None:
    script = scripts.add("script.py", NAMES)
    worker = warm.worker()
    scripts.wait_until_kept(worker, script, warm)
    for _ in range(3):
        runs = hurry(worker, script, 20)
        for pid in warm.children():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not warm.children(), "their end")
        assert all(run.code == 0 for run in runs)


def test_M2_no_spare_outlives_the_spawner(scripts: Scripts) -> None:
    script = scripts.add("script.py", NAMES)
    with Driver(scripts.interpreter, warm=True) as driver:
        worker = driver.worker()
        scripts.wait_until_kept(worker, script, driver)
        hurry(worker, script, 20)
        spares = driver.children()
        driver.signal(signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, spares)), "the end of the spares")


def test_C17_each_request_has_its_own_environment_and_no_other(
    scripts: Scripts, warm: Driver
) -> None:
    script = scripts.add(
        "script.py",
        "import os\n"
        "os.system('env')\n"
        "print(*(f'{name}={value}' for name, value in os.environ.items()), sep='\\n')\n",
    )
    worker = warm.worker()
    scripts.wait_until_kept(worker, script, warm)
    environments = [
        (b"SCRIPT_NAME=/a", b"HTTP_COOKIE=secret", b"QUERY_STRING=a=b"),
        (b"SCRIPT_NAME=/b", b"SERVER_PORT=1", b"EMPTY="),
        (b"LONG=" + b"x" * 100_000,),
        (),
    ]
    runs = [
        worker.start(str(script), cwd=script.parent, env=env)
        for env in [*environments, *environments, *environments]
    ]
    worker.wait(*runs)
    for run, env in zip(runs, environments * 3, strict=True):
        lines = bytes(run.output).splitlines()
        told = {
            line for line in lines if not line.startswith((b"PWD=", b"_=", b"SHLVL=", b"OLDPWD="))
        }
        marker = next(line for line in told if line.startswith(b"UNIQUE_ID="))
        assert marker.endswith(b"-%d" % run.id)
        assert {
            line for line in told if line != marker and not line.startswith((b"PATH=", b"LC_"))
        } == set(env)
        assert all(lines.count(entry) == 2 for entry in env)
