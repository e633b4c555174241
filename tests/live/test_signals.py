"""TTIN, TTOU and USR1: what a running master does without a reload (M15, M19)."""

import signal

from tests.live.daemon import await_end, daemon, wait_for
from tests.live.scene import await_closed


def test_M19_TTIN_and_TTOU_change_the_number_of_workers() -> None:
    with daemon() as running:
        running.write("www/page", "page")
        before = running.workers()
        running.send_signal(signal.SIGTTIN)
        wait_for(lambda: len(running.workers()) == 3, "one worker more")
        running.await_log("workers: 3")
        for number in range(3):
            running.send_signal(signal.SIGTTOU)
            running.await_log(f"workers: {max(2 - number, 1)}", count=1 + (number == 2))
        wait_for(lambda: len(running.workers()) == 1, "one worker")
        assert running.workers()[0] in before
        assert running.get("/page").text == "page"
        assert running.reload()
        wait_for(lambda: len(running.workers()) == 2, "as many as the file says")


def test_M19_a_worker_fewer_loses_no_request() -> None:
    with daemon() as running, running.connect() as connection:
        running.write("www/page", "page")
        request = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
        connections = [connection, *(running.connect() for _ in range(19))]
        for one in connections:
            one.sendall(request)
            assert one.recv(1000).endswith(b"page")
        before = running.workers()
        running.send_signal(signal.SIGTTOU)
        running.await_log("workers: 1")
        for one in connections:
            with one:
                one.sendall(request)
                assert one.recv(1000).endswith(b"page")
        wait_for(lambda: len(running.workers()) == 1, "one worker")
        await_end([worker for worker in before if worker not in running.workers()])


def test_M15_USR1_moves_every_worker_to_the_new_file() -> None:
    with daemon() as running:
        running.write("www/page", "page")
        old = running.directory / "access.1"
        for number in range(20):
            running.get(f"/page?{number}")
        (running.directory / "access.log").rename(old)
        running.send_signal(signal.SIGUSR1)
        running.await_log("logs reopened")
        await_closed(old)
        for number in range(20, 40):
            running.get(f"/page?{number}")
        running.await_access_log("/page?", count=20)
        lines = old.read_text().splitlines() + running.access_log.splitlines()
        assert len(old.read_text().splitlines()) == 20
        assert sum("/page?" in line for line in lines) == 40  # no line lost
