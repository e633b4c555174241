"""C12: clients that leave, and what becomes of their programs."""

import contextlib
import select
import socket
from collections.abc import Iterator

import psutil
import pytest

from tests.live.asking import status
from tests.live.daemon import Daemon, daemon, is_alive, read_all, wait_for
from tests.live.programs import mounted, running_in
from tests.live.scene import processes_with

RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds


@pytest.fixture(scope="module")
def served(pooled: Daemon) -> Daemon:
    return pooled


@contextlib.contextmanager
def asked(running: Daemon, path: str, *, count: int = 1) -> Iterator[socket.socket]:
    """Ask for a program's path and wait until its processes, `count` of them, are there."""
    with running.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_for(lambda: len(running_in(running)) >= count, "the program")
        yield connection


WORK = """\
#!/bin/sh
[ -n "$CONTENT_LENGTH" ] && cat >/dev/null
printf 'Content-Type: text/plain\\n\\nbegun\\n'
while [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.02; done
head -c 1000000 /dev/zero
echo done > "$DOCUMENT_ROOT/done"
"""


@pytest.fixture
def worksite() -> Iterator[Daemon]:
    config = mounted('on_disconnect = "finish"\ndisconnect_grace = "100ms"')
    with daemon(config.replace("workers = 2", "workers = 1")) as running:
        (running.directory / "www").chmod(0o777)
        running.script("work.sh", WORK)
        running.script("short.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\n")
        yield running


@pytest.mark.parametrize("seen", [b"", b"begun"])
def test_C12_a_program_may_finish_without_its_client(worksite: Daemon, seen: bytes) -> None:
    with asked(worksite, "/cgi-bin/work.sh") as connection:
        got = b""
        while seen not in got:
            got += connection.recv(65536)
        # It runs before its worker knows: that is sure when a later one has answered.
        assert worksite.get("/cgi-bin/short.sh").status == 200
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    worksite.write("www/go", "")
    wait_for((worksite.directory / "www/done").exists, "the work to be done")
    wait_for(lambda: not running_in(worksite), "the end of the program")


def test_C12_a_program_may_finish_though_its_client_left_while_it_was_started(
    worksite: Daemon,
) -> None:
    """Its worker hears of the client's reset first, and then that it runs."""
    (spawner,) = worksite.spawners()
    spawner.suspend()
    with worksite.connect() as connection:
        connection.sendall(b"GET /cgi-bin/work.sh?early HTTP/1.1\r\nHost: x\r\n\r\n")
        assert worksite.get("/").status == 200  # by the only worker, so it has asked by now
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    worksite.await_access_log('/cgi-bin/work.sh?early HTTP/1.1" 499 ')
    spawner.resume()
    worksite.write("www/go", "")
    wait_for((worksite.directory / "www/done").exists, "the work to be done")
    wait_for(lambda: not running_in(worksite), "the end of the program")


def test_C12_a_program_that_has_to_wait_does_not_start_without_its_client() -> None:
    config = mounted('on_disconnect = "finish"') + "\n[pool.default]\nprocesses = 1\n"
    with daemon(config) as running:
        running.script("work.sh", WORK)
        with asked(running, "/cgi-bin/work.sh"):
            with running.connect() as second:
                second.sendall(b"GET /cgi-bin/work.sh?late HTTP/1.1\r\nHost: x\r\n\r\n")
                wait_for(lambda: status(running)["pools"][0]["queued"] == 1, "it to wait")
                second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            wait_for(lambda: status(running)["pools"][0]["queued"] == 0, "it to wait no more")
            pool = status(running)["pools"][0]
            assert (pool["running"], pool["started"], pool["refused"]) == (1, 1, 1)


def test_C12_a_program_that_lacks_its_input_does_not_finish(worksite: Daemon) -> None:
    """It would take what came for the whole (C2)."""
    with worksite.connect() as connection:
        connection.sendall(
            b"POST /cgi-bin/work.sh HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
        )
        wait_for(lambda: running_in(worksite), "the program")
    worksite.write("www/go", "")
    wait_for(lambda: not running_in(worksite), "the end of the program")
    assert not (worksite.directory / "www/done").exists()


def test_C12_the_clocks_run_on_without_the_client() -> None:
    with daemon(mounted('on_disconnect = "finish"\ntotal = "1s"')) as running:
        running.script("work.sh", WORK)
        with asked(running, "/cgi-bin/work.sh"):
            pass
        wait_for(lambda: not running_in(running), "the end of the program")


def test_C12_a_FIN_counts_after_the_grace_and_a_reset_at_once() -> None:
    with daemon(mounted('disconnect_grace = "5m"')) as running:
        running.script("work.sh", WORK)
        with asked(running, "/cgi-bin/work.sh") as connection:
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536)  # it still listens
            (pid,) = _leaders(running)
            assert is_alive(pid)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        wait_for(lambda: not is_alive(pid), "the end of the program")
    with daemon(mounted('disconnect_grace = "100ms"')) as running:
        running.script("work.sh", WORK)
        with asked(running, "/cgi-bin/work.sh") as connection:
            connection.shutdown(socket.SHUT_WR)
            wait_for(lambda: not running_in(running), "the end of the program")


def _leaders(running: Daemon) -> list[psutil.Process]:
    spawners = [spawner.pid for spawner in running.spawners()]
    found = []
    for pid in running_in(running):
        with contextlib.suppress(psutil.NoSuchProcess):  # its children come and go
            process = psutil.Process(pid)
            if process.ppid() in spawners:
                found.append(process)
    return found


def test_C12_a_FIN_that_came_with_the_request_counts_too() -> None:
    with daemon(mounted('disconnect_grace = "100ms"')) as running:
        running.script("work.sh", WORK)
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/work.sh HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            running.await_access_log("work.sh")
        wait_for(lambda: not running_in(running), "the end of the program")


def test_C12_a_client_that_only_sends_no_more_is_served_where_the_mount_says_so() -> None:
    with daemon(mounted('half_close = true\ndisconnect_grace = "0s"')) as running:
        (running.directory / "www").chmod(0o777)
        running.script("work.sh", WORK)
        with asked(running, "/cgi-bin/work.sh") as connection:
            connection.shutdown(socket.SHUT_WR)
            readable, _, _ = select.select([connection], [], [], 1)
            assert readable
            running.write("www/go", "")
            assert read_all(connection).endswith(b"0\r\n\r\n")


def test_C12_who_leaves_before_the_answer_is_in_the_log_with_499(served: Daemon) -> None:
    served.script("silent.sh", "#!/bin/sh\nexec sleep 300\n")
    with asked(served, "/cgi-bin/silent.sh?gone") as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    served.await_access_log('/cgi-bin/silent.sh?gone HTTP/1.1" 499 ')


def test_H10_a_reset_client_ends_its_script_within_a_second(cgi: Daemon) -> None:
    cgi.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
    marker = "QUERY_STRING=reset"
    connection = cgi.connect()
    connection.sendall(b"GET /cgi-bin/stuck.sh?reset HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: processes_with(marker), "the script")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_for(lambda: not processes_with(marker), "the end of the script")


def test_C12_a_closed_tab_ends_its_script(cgi: Daemon) -> None:
    cgi.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
    marker = "QUERY_STRING=closed"
    with cgi.connect() as connection:
        connection.sendall(b"GET /cgi-bin/stuck.sh?closed HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: processes_with(marker), "the script")
    wait_for(lambda: not processes_with(marker), "the end of the script")


def test_C12_a_client_that_only_finished_sending_gets_its_answer(cgi: Daemon) -> None:
    with cgi.connect() as connection:
        connection.sendall(b"GET /cgi-bin/env.py HTTP/1.0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert b"200 OK" in read_all(connection)
