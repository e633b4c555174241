"""A process that has no descriptor left (EMFILE) says so, and goes on when there are some."""

import contextlib
import resource
import signal
import socket
from collections.abc import Iterator

from tests.live.daemon import SITE, daemon, read_all, wait_for
from tests.live.scene import busy, open_fds, processes_with

POOLS = f"{SITE}\n[pool.default]\n[pool.other]\n"


@contextlib.contextmanager
def most_descriptors(pid: int, number: int) -> Iterator[None]:
    """Let a process open none from this number on."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_status_is_answered_by_a_master_without_a_descriptor() -> None:
    with daemon() as running:
        master = running.process.pid
        before = open_fds(master)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(running.directory / "forkhttpd.control"))
            client.sendall(b"sta")
            wait_for(lambda: open_fds(master) > before, "it is accepted")
            with most_descriptors(master, 3):
                client.sendall(b"tus\n")
                assert read_all(client).startswith(b'{"master": {"pid": ')
        assert running.get("/").status == 200
        assert running.stop() == 0


def test_M8_a_reload_without_descriptors_is_refused_whatever_it_lacks_them_for() -> None:
    with daemon(POOLS) as running:
        master = running.process.pid
        for number in range(16, 32):
            with most_descriptors(master, number):
                if running.reload():
                    break
            (refusal,) = running.log.splitlines()[-1:]
            assert "Too many open files" in refusal
        assert number > 16
        assert "a bug" not in running.log
        assert running.get("/").status == 200


def test_M2_programs_of_a_dead_spawner_are_ended_as_soon_as_they_can_be_looked_for() -> None:
    with busy() as scene:
        running = scene.running
        assert processes_with(scene.marker)
        (spawner,) = running.spawners()
        with most_descriptors(running.process.pid, 3):
            spawner.kill()
            running.await_log("cannot look for programs of a dead spawner: Too many open files")
            running.await_log("spawner [default] could not be forked: Too many open files")
        wait_for(lambda: not processes_with(scene.marker), "the end of its program")
        wait_for(running.spawners, "a new spawner")
        assert running.stop(signal.SIGQUIT) == 0


def test_who_cannot_accept_says_so_into_a_pipe_too() -> None:
    """As in a container; to write there, a pipe of one's own is needed."""
    wrapper = ("sh", "-c", 'exec 3>&2; mkfifo "$0"; cat "$0" >&3 & exec "$@" 2>"$0"')
    with daemon(SITE.replace("workers = 2", "workers = 1"), start=False) as running:
        running.wrapper = (*wrapper, str(running.directory / "pipe"))
        running.start()
        (worker,) = running.workers()
        with most_descriptors(worker.pid, 3), running.connect() as connection:
            running.await_log("cannot accept connections: Too many open files")
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert running.get("/").status == 200
