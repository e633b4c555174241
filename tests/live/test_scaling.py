"""Workers that come with the load and go without it, and worn ones that are replaced (M19, M5)."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

from tests.live.asking import await_workers, ready_workers, status
from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.live.load import load

ELASTIC = SITE.replace("workers = 2", 'workers = { min = 1, max = 3, shrink = "1s" }')
NARROW = ELASTIC + "\n[limits]\nconnections = 10\n"
BRIEF = "max_requests = 50\nmax_requests_jitter = 10\n" + SITE


@contextlib.contextmanager
def connections(running: Daemon, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as open_ones:
        yield [open_ones.enter_context(running.connect()) for _ in range(count)]


def test_M19_connections_bring_workers_and_their_end_sends_them_away() -> None:
    with daemon(NARROW) as running:
        await_workers(running, 1)
        with connections(running, 9):
            await_workers(running, 2)
        await_workers(running, 1)
        assert "workers: 2, as the load asks for" in running.log
        assert "workers: 1, as the load asks for" in running.log


def test_M19_work_brings_workers_though_nobody_has_many_connections() -> None:
    """A client that sends ahead keeps the loop of one worker at work all the time."""
    with daemon(ELASTIC) as running, flood(running):
        running.await_log("workers: 2, as the load asks for")
        wait_for(lambda: busiest(running) > 0.5, "a worker that works more than it waits")


def busiest(running: Daemon) -> float:
    """Return how much of its life the busiest worker has worked."""
    old = [one for one in ready_workers(running) if one["uptime"]]  # not the newcomer's 0 s
    return max(float(one["worked"] / one["uptime"]) for one in old)


@contextlib.contextmanager
def flood(running: Daemon) -> Iterator[None]:
    """Send requests ahead, and drop the answers, on three connections."""
    batch = b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n" * 500
    with connections(running, 3) as open_ones:
        threads = [
            threading.Thread(target=work, args=(one,))
            for one in open_ones
            for work in (lambda one: pour(one, batch), drain)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for one in open_ones:
                one.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def pour(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(data)


def drain(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(1 << 20):
            pass


def test_M19_a_reload_under_load_keeps_the_number_of_workers() -> None:
    with daemon(NARROW) as running, connections(running, 9):
        await_workers(running, 2)
        assert running.reload()
        assert [one["state"] for one in status(running)["workers"]].count("ready") == 2


def test_M5_M19_workers_are_replaced_after_max_requests_and_no_request_is_lost() -> None:
    with daemon(BRIEF) as running:
        running.write("www/page", "page" * 1000)
        running.script("hello.sh", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n")
        with (
            load(running, "/page", keep_alive=True) as kept,
            load(running, "/page", keep_alive=False) as single,
            load(running, "/cgi-bin/hello.sh", clients=1, keep_alive=True) as programs,
        ):
            wait_for(lambda: status(running)["totals"]["ended_workers"] >= 20, "20 replacements")
        seen = (kept, single, programs)
        assert [one.failures for one in seen] == [[], [], []]
        assert min(one.answered for one in seen) > 20
        assert " error " not in running.log
        assert " died: " not in running.log


def test_M19_worn_workers_are_replaced_one_at_a_time() -> None:
    """The new one is ready before the old one drains, so there are never fewer than two."""
    with daemon(BRIEF) as running:
        running.write("www/page", "page")
        with load(running, "/page", keep_alive=True) as seen:
            while (found := status(running))["totals"]["ended_workers"] < 10:
                states = [one["state"] for one in found["workers"]]
                assert states.count("ready") >= 2
                assert states.count("starting") <= 1
                assert states.count("draining") <= 2
        assert seen.failures == []


def test_M19_chance_spreads_the_replacements() -> None:
    config = "max_requests = 5\nmax_requests_jitter = 60\n" + SITE.replace(
        "workers = 2", "workers = 1"
    )
    with daemon(config) as running:
        lives: list[int] = []
        while len(lives) < 6:
            worker = ready_workers(running)[0]  # there may be its successor already
            while worker["pid"] in {one["pid"] for one in ready_workers(running)}:
                running.get("/none")
            total = status(running)["totals"]["requests"]
            lives.append(total - sum(lives))
        assert min(lives) >= 5
        assert len(set(lives)) > 1


def test_M19_a_worker_that_uses_too_much_memory_is_replaced() -> None:
    with daemon(SITE) as running:
        memory = max(one["memory"] for one in status(running)["workers"])
        before = {one["pid"] for one in ready_workers(running)}
        assert running.reload(f"worker_memory = {memory // 2}\n" + SITE)
        running.await_log(" MiB: a new one takes its place", count=4)
        assert re.search(r"worker \d \(pid \d+\) uses \d+ MiB", running.log)
        assert len(ready_workers(running)) >= 2
        assert not before & {one["pid"] for one in ready_workers(running)}
        assert running.get("/").status == 200
