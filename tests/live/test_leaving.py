"""H10: clients that leave in the middle, by thousands and with their bodies half sent."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.live.client import get, open_client
from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.live.scene import processes_with

RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds
RESETS = 10_000
SOON = 10.0  # seconds; that it is one by the clock of the loop: tests/worker/test_leaving.py

# One program at a time: whoever comes next tells whether its place is free again.
ONE = SITE.replace("workers = 2", "workers = 1") + "\n[pool.default]\nprocesses = 1\n"


@pytest.fixture(scope="module")
def one() -> Iterator[Daemon]:
    with daemon(ONE) as running:
        running.write("www/page", "page")
        with open(running.write("www/large", ""), "wb") as large:
            large.truncate(16 << 20)
        running.script("reader.sh", "#!/bin/sh\ncat >/dev/null\nprintf 'A: b\\n\\nread'\n")
        running.script("quick.sh", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nquick'\n")
        yield running


def reset(connection: socket.socket) -> None:
    """Close with a reset in place of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def is_idle(worker: psutil.Process) -> Callable[[], bool]:
    """Return what is true once the worker has done next to nothing for half a second."""
    began, used = time.monotonic(), 1e9

    def look() -> bool:
        nonlocal began, used
        times = worker.cpu_times()
        now, spent = time.monotonic(), times.user + times.system
        if spent - used > 0.05 or spent < used:  # the clock has ticks of 10 ms
            began, used = now, spent
        return now - began >= 0.5

    return look


def test_H10_10_000_resets_leave_no_descriptor_and_an_idle_worker(one: Daemon) -> None:
    """Before a byte, in the middle of a head, before the answer, in the middle of it."""
    (worker,) = one.workers()
    assert one.get("/large").status == 200
    before = worker.num_fds()
    stages = (b"", get("/page")[:-4], get("/page") * 3, get("/large"))
    for number in range(RESETS):
        connection = one.connect()
        connection.sendall(stages[number % len(stages)])
        reset(connection)
    wait_for(lambda: worker.num_fds() <= before, "all descriptors closed")
    wait_for(is_idle(worker), "an idle worker")
    assert one.get("/page").text == "page"
    assert (worker.pid, "Traceback" in one.log) == (one.workers()[0].pid, False)


def spools(worker: psutil.Process) -> int:
    """Count the bodies that a process collects, in memory or in files without a name."""
    count = 0
    for fd in os.listdir(f"/proc/{worker.pid}/fd"):
        with contextlib.suppress(OSError):
            name = os.readlink(f"/proc/{worker.pid}/fd/{fd}")
            count += "memfd:forkhttpd-spool" in name or name.endswith("(deleted)")
    return count


@pytest.mark.parametrize("leave", ["a FIN", "a reset"])
@pytest.mark.parametrize("size", [1000, 3 << 20], ids=["in memory", "on disk"])
def test_H10_who_leaves_in_a_chunked_body_frees_its_spool(
    one: Daemon, size: int, leave: str
) -> None:
    (worker,) = one.workers()
    idle = spools(worker)
    head = get("/cgi-bin/reader.sh", "Transfer-Encoding: chunked", method="POST")
    with open_client(one) as client:
        client.send(head + b"%x\r\n" % (2 * size) + bytes(size))
        wait_for(lambda: spools(worker) > idle, "a spool")
        if leave == "a FIN":
            client.connection.shutdown(socket.SHUT_WR)
        else:
            client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.__exit__(None, None, None)
        wait_for(lambda: spools(worker) == idle, "the end of the spool", within=SOON)


def test_H10_who_leaves_in_a_sized_body_frees_program_and_place(one: Daemon) -> None:
    head = get("/cgi-bin/reader.sh?half", "Content-Length: 10", method="POST")
    with open_client(one) as client:
        client.send(head + b"half")
        wait_for(lambda: processes_with("QUERY_STRING=half"), "the program")
        client.connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: not processes_with("QUERY_STRING=half"), "its end", within=SOON)
        assert one.get("/cgi-bin/quick.sh").text == "quick"
