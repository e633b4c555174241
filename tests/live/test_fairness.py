"""Workers share what comes, and what waits belongs to nobody (M17)."""

import contextlib
import os
import signal
import socket

import pytest

from tests.live.asking import await_workers, ready_workers
from tests.live.daemon import SITE, Daemon, daemon, read_all, wait_for
from tests.live.scene import timeouts

FOUR = SITE.replace("workers = 2", "workers = 4")
COUNT = 400
SLOW = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


def make_large(running: Daemon) -> None:
    with open(running.write("www/large", ""), "wb") as large:
        large.truncate(64 << 20)


def open_slow(running: Daemon, stack: contextlib.ExitStack) -> socket.socket:
    """Ask for more than the buffers hold, and read none of it."""
    connection = socket.socket()
    stack.enter_context(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", running.port))
    connection.sendall(SLOW)
    return connection


def test_M17_who_stays_connected_is_shared_by_four_in_turn() -> None:
    """The kernel would send all to the worker in front, or to two, if none stepped back."""
    with daemon(FOUR) as running, contextlib.ExitStack() as stack:
        running.write("www/page", "page")
        for _ in range(COUNT):
            connection = stack.enter_context(running.connect())
            connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        wait_for(lambda: sum(connections(running)) == COUNT, "all to be connected")
        assert max(connections(running)) <= 1.5 * COUNT / 4, connections(running)


def connections(running: Daemon) -> list[int]:
    return [one["connections"] for one in ready_workers(running)]


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "all at once"])
def test_M17_the_busiest_of_four_has_at_most_half_as_much_again_as_the_mean(together: bool) -> None:
    """Workers that have much to send: one that has a core to itself would take twice as much.

    It did so in one crowd of four, and more often after others had come and gone: so eight.
    """
    with daemon(FOUR) as running:
        make_large(running)
        for _ in range(8):
            shares = share(running, together=together)
            assert max(shares) <= 1.5 * COUNT / 4, shares


def test_M17_who_cannot_take_its_share_stops_nobody() -> None:
    """One of four is left, and soon has more than its share: it stands back for
    moments, and half a second in all.  If it did so for good, not all would be served in time.
    """
    with daemon(FOUR + timeouts(heartbeat="10m")) as running, contextlib.ExitStack() as stack:
        make_large(running)
        hung = running.workers()[1:]
        for worker in hung:
            worker.suspend()
        for _ in range(COUNT):
            open_slow(running, stack)
        wait_for(lambda: sum(in_flight(running)) == COUNT, "all to be served")
        for worker in hung:
            worker.resume()


def share(running: Daemon, *, together: bool) -> list[int]:
    """Return how many of COUNT clients, who are gone then, each worker had at once."""
    with contextlib.ExitStack() as stack:
        for _ in range(COUNT):
            connection = open_slow(running, stack)
            assert together or connection.recv(1) == b"H"
        wait_for(lambda: sum(in_flight(running)) == COUNT, "all to be served")
        shares = in_flight(running)
    wait_for(lambda: not any(in_flight(running)), "all to be gone")
    return shares


def in_flight(running: Daemon) -> list[int]:
    return [one["in_flight"] for one in ready_workers(running)]


def test_M17_connections_in_the_backlog_of_a_killed_worker_are_answered_by_the_next() -> None:
    config = SITE.replace("workers = 2", "workers = 1") + timeouts(heartbeat="10m")
    with daemon(config) as running, contextlib.ExitStack() as stack:
        running.write("www/page", "page")
        (worker,) = running.workers()
        worker.suspend()
        waiting = [stack.enter_context(running.connect()) for _ in range(100)]
        for connection in waiting:
            connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        worker.kill()
        answers = [read_all(connection) for connection in waiting]
        assert all(answer.endswith(b"\r\n\r\npage") for answer in answers)
        running.await_log("died: SIGKILL, respawned")


def test_M17_a_killed_worker_of_four_loses_only_its_own() -> None:
    with daemon(FOUR) as running, contextlib.ExitStack() as stack:
        running.write("www/page", "page")
        victim = running.workers()[0].pid
        os.kill(victim, signal.SIGSTOP)
        clients = [stack.enter_context(running.connect()) for _ in range(80)]
        for connection in clients:
            connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        os.kill(victim, signal.SIGKILL)
        answers = [read_all(connection) for connection in clients]
        # It slept, so it had accepted none of them.
        assert all(answer.endswith(b"\r\n\r\npage") for answer in answers)
        await_workers(running, 4)
