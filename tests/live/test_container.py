"""As PID 1 of a container: everybody's orphans are ours, and none of them stops anything (M13)."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, wait_for

CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

# Leaves a process behind that no program waits for, and that ends a little later with 3.
DOUBLE_FORK = """\
#!/bin/sh
printf 'Content-Type: text/plain\\n\\nhello\\n'
(setsid sh -c 'exec >/dev/null 2>&1; while [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.05; done
exit 3' &)
"""
LEAVE = SITE + 'background = "leave"\n'


def may_unshare() -> bool:
    return subprocess.run([*CONTAINER, "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not may_unshare(), reason="needs a PID name space of its own")


@contextlib.contextmanager
def contained() -> Iterator[tuple[Daemon, psutil.Process]]:
    """Run a daemon as PID 1; its process, as it is seen from outside."""
    with daemon(LEAVE, wrapper=CONTAINER) as running:
        (init,) = psutil.Process(running.process.pid).children()
        yield running, init


def number_inside(process: psutil.Process) -> int:
    with open(f"/proc/{process.pid}/status") as file:
        (line,) = [line for line in file if line.startswith("NSpid:")]
    return int(line.split()[-1])


def zombies(init: psutil.Process) -> list[psutil.Process]:
    found = []
    for process in init.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_M13_strangers_are_reaped_quietly() -> None:
    """What another process of the container leaves becomes ours, as it does with any init."""
    with contained() as (running, init):
        assert number_inside(init) == 1
        said = running.log
        wait = f"while [ ! -e {running.directory}/go ]; do sleep 0.05; done"
        strangers = f'for code in 0 1 3 70 78; do (setsid sh -c "{wait}; exit $code" &); done'
        subprocess.run(
            ["nsenter", "--target", str(init.pid), "--pid", "sh", "-c", strangers],
            check=True,
            timeout=DEADLINE,
        )
        wait_for(lambda: sum(map(is_shell, init.children())) == 5, "five strangers")
        running.write("go", "")
        wait_for(lambda: not any(map(is_shell, init.children())), "the strangers reaped")
        assert running.get("/").status == 200
        assert running.log == said


def is_shell(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() in ("sh", "dash", "sleep")
    return False


def test_M13_a_double_forked_program_that_exits_3_stops_nothing() -> None:
    with contained() as (running, init):
        running.script("fork.sh", DOUBLE_FORK)
        workers = {process.pid for process in running.workers()}
        for _ in range(5):
            assert running.get("/cgi-bin/fork.sh").text == "hello\n"
        wait_for(lambda: len(shells(init)) >= 5, "what the programs left")
        running.write("www/go", "")
        wait_for(lambda: not shells(init), "their end")
        wait_for(lambda: not zombies(init), "nobody left to reap")
        assert {process.pid for process in running.workers()} == workers
        assert running.get("/cgi-bin/fork.sh").text == "hello\n"
        assert " error " not in running.log


def shells(init: psutil.Process) -> list[psutil.Process]:
    return [one for one in init.children(recursive=True) if is_shell(one)]


def test_M13_programs_of_a_dead_spawner_are_reaped_too() -> None:
    with contained() as (running, init):
        running.script("fork.sh", DOUBLE_FORK)
        assert running.get("/cgi-bin/fork.sh").text == "hello\n"
        wait_for(lambda: shells(init), "what the program left")
        (spawner,) = running.spawners()
        spawner.kill()
        running.await_log("died: SIGKILL, respawned")
        wait_for(lambda: not shells(init) and not zombies(init), "everybody gone")
        assert running.get("/cgi-bin/fork.sh").text == "hello\n"


def test_M13_it_reloads_and_stops_like_any_other() -> None:
    with contained() as (running, init):
        init.send_signal(signal.SIGHUP)
        running.await_log("]: reloaded: ")
        init.send_signal(signal.SIGTERM)
        assert running.process.wait(DEADLINE) == 0
        assert not (running.directory / "forkhttpd.pid").exists()
        assert not os.path.exists(f"/proc/{init.pid}")
