"""The end that nobody asked for: of a worker, of a spawner's interpreter, of the master."""

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator

import psutil
import pytest

from tests.live.daemon import (
    DEADLINE,
    SITE,
    Daemon,
    await_end,
    daemon,
    is_alive,
    read_all,
    wait_for,
)
from tests.live.scene import (
    STUBBORN,
    busy,
    processes_with,
    refuses,
    timeouts,
)

SOON = 10.0  # seconds; M1 promises 2, on a machine that has nothing else to do

# A worker.


def worker_of(connection: socket.socket) -> int:
    """Return the pid of the worker at the other end: it begins every request's id."""
    connection.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while (
        found := re.search(rb"request ([0-9a-f]+)-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", answer)
    ) is None:
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    while b"</html>" not in answer:
        answer += connection.recv(65536)
    return int(found[1], 16)


@contextlib.contextmanager
def client_of_each(running: Daemon) -> Iterator[dict[int, socket.socket]]:
    """Connect until every worker has a client; by pid."""
    clients: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as connections:
        while len(clients) < len(running.workers()):
            connection = connections.enter_context(running.connect())
            clients.setdefault(worker_of(connection), connection)
        yield clients


def test_a_killed_worker_is_replaced_and_a_client_of_another_does_not_notice() -> None:
    with daemon() as running, client_of_each(running) as clients:
        victim, survivor = clients
        os.kill(victim, signal.SIGKILL)
        while victim in {worker.pid for worker in running.workers()} or len(running.workers()) < 2:
            assert worker_of(clients[survivor]) == survivor
        assert clients[victim].recv(1) == b""
        running.await_log(f"(pid {victim}) died: SIGKILL, respawned")
        with client_of_each(running) as later:
            assert survivor in later
            assert victim not in later


def test_M3_a_worker_that_stands_still_is_replaced() -> None:
    """Stopped, it is like one in an endless loop: alive, and of no use."""
    with (
        daemon(SITE + timeouts(heartbeat="500ms")) as running,
        client_of_each(running) as clients,
    ):
        victim, survivor = clients
        os.kill(victim, signal.SIGSTOP)
        while psutil.pid_exists(victim):
            assert worker_of(clients[survivor]) == survivor
        running.await_log(f"(pid {victim}) gave no sign of life, respawned")
        wait_for(lambda: len(running.workers()) == 2, "the new worker")
        with client_of_each(running) as later:
            assert survivor in later


# A pool's interpreter.

POOL = '\n[pool.default]\npython = "{}/python"\n'
GOOD = '#!/bin/sh\nexec /usr/bin/python3 "$@"\n'
BAD = "#!/bin/sh\necho 'no memory, say' >&2\nexit 3\n"


@contextlib.contextmanager
def with_own_python(python: str, *, start: bool) -> Iterator[Daemon]:
    """Make a daemon whose pool has a python of its own, in the daemon's directory."""
    with daemon(SITE, start=False) as running:
        running.write("python", python, mode=0o755)
        running.write("forkhttpd.conf", SITE + POOL.format(running.directory))
        running.script("hello.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\necho hello\n")
        if start:
            running.start()
        yield running


def test_M12_an_interpreter_that_never_starts_ends_the_start_with_70() -> None:
    with with_own_python(BAD, start=False) as running:
        running.launch()
        assert running.process.wait(DEADLINE) == 70
        lines = running.log.splitlines()
        assert len(lines) < 20
        (verdict,) = [line for line in lines if "cannot start: " in line]
        assert "exited with status 3 (5 attempts, none was ever ready)" in verdict
        assert not (running.directory / "forkhttpd.pid").exists()


def test_M12_an_interpreter_that_fails_later_is_tried_ever_more_rarely() -> None:
    """Files are served all the time, and programs again when it is repaired."""
    with with_own_python(GOOD, start=True) as running:
        running.write("www/page", "page")
        assert running.get("/cgi-bin/hello.sh").text == "hello\n"
        running.write("python", BAD, mode=0o755)
        (spawner,) = running.spawners()
        spawner.kill()
        running.await_log("next try in 1 s")
        running.await_log("next try in 2 s")
        assert running.get("/page").text == "page"
        assert running.log.count("exited with status 3") <= 7
        running.write("python", GOOD, mode=0o755)
        wait_for(lambda: running.get("/cgi-bin/hello.sh").status == 200, "programs to run again")


def test_M15_logs_are_reopened_at_the_moment_when_a_spawner_is_tried_again() -> None:
    """It is to be forked then, and has nothing yet by which it could be sent a log."""
    with with_own_python(GOOD, start=True) as running:
        running.write("python", BAD, mode=0o755)
        (spawner,) = running.spawners()
        spawner.kill()
        running.await_log("next try in 1 s")
        while running.log.count("next try in 1 s") + running.log.count("next try in 2 s") < 2:
            running.send_signal(signal.SIGUSR1)
            assert running.process.poll() is None
        assert running.get("/").status == 200
        assert running.stop() == 0


# The master.


def kill_master(running: Daemon) -> list[psutil.Process]:
    """Kill it as it cannot prevent; return those whom it leaves behind."""
    family = running.family()
    running.send_signal(signal.SIGKILL)
    running.process.wait(DEADLINE)
    return family


def test_M1_without_its_master_an_idle_server_is_gone_within_2_s() -> None:
    with daemon(SITE + timeouts(graceful="10m", idle="10m")) as running, running.connect() as idle:
        worker_of(idle)
        family = kill_master(running)
        await_end(family, within=SOON)
        assert len(family) == 3


def test_M1_without_its_master_a_busy_server_finishes_and_a_new_one_can_bind_at_once() -> None:
    with busy(SITE + timeouts(graceful="10m")) as scene:
        running = scene.running
        family = kill_master(running)
        wait_for(lambda: refuses(running.port), "the listeners closed", within=SOON)
        with successor(running) as second:
            assert second.get("/page").text == "the new page"
            scene.finish()
            await_end(family)


@contextlib.contextmanager
def successor(running: Daemon) -> Iterator[Daemon]:
    """Start a new daemon on the address of a former one."""
    config = SITE.replace("127.0.0.1:0", f"127.0.0.1:{running.port}")
    with daemon(config, start=False) as second:
        second.write("www/page", "the new page")
        second.start()
        yield second


def test_M1_what_does_not_finish_is_gone_after_graceful() -> None:
    with busy(SITE + timeouts(graceful="1s"), script=STUBBORN) as scene:
        programs = processes_with(scene.marker)
        assert programs
        family = kill_master(scene.running)
        await_end(family, within=SOON)
        assert not processes_with(scene.marker)


def test_M1_the_same_configuration_starts_again_over_what_a_killed_master_left() -> None:
    """Its PID file, and the file of its Unix socket."""
    config = SITE.replace('"127.0.0.1:0"', '"127.0.0.1:0"\n[[listen]]\naddress = "unix:http.sock"')
    with daemon(config) as running:
        await_end(kill_master(running))
        assert (running.directory / "forkhttpd.pid").exists()
        assert (running.directory / "http.sock").exists()
        running.start()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(running.directory / "http.sock"))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert read_all(connection).startswith(b"HTTP/1.1 200")
        assert (running.directory / "forkhttpd.pid").read_text() == f"{running.process.pid}\n"
        assert running.stop() == 0


@pytest.mark.parametrize("kind", ["worker", "spawner"])
def test_M1_a_child_that_is_killed_with_the_master_changes_nothing(kind: str) -> None:
    with daemon(SITE + timeouts(graceful="10m")) as running:
        (victim, *_) = running.workers() if kind == "worker" else running.spawners()
        victim.suspend()
        family = kill_master(running)
        victim.kill()
        await_end(family, within=SOON)
        assert not is_alive(victim)
