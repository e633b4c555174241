"""slowhttptest, an attacker of other hands: its four ways to be slow, against a patient server.

What is slow is ended by its deadline, and meanwhile everybody else is answered (H9).  How long
others wait is measured by scripts/bench.
"""

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from tests.live.client import get, open_client
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, wait_for
from tests.programs.peers import need

CLIENTS = 100
SECONDS = 4  # that they keep it up, if they may
CONFIG = (
    SITE.replace("workers = 2", "workers = 1")
    + """
[timeouts]
header = "1s"
body = "1s"
write = "1s"
idle = "1s"

[pool.default]
processes = 200
"""
)

# Head and body come by bits every 2 s; of the answer 32 bytes are taken every 2 s.
MODES = {
    "a head by bits": ("-H", "-i", "2"),
    "a body by bits": ("-B", "-i", "2", "-s", "8192"),
    "many ranges": ("-R", "-t", "GET", "-a", "10", "-b", "3000"),
    "an answer by bits": ("-X", "-n", "2", "-w", "512", "-y", "1024", "-z", "32", "-k", "3"),
}
PATHS = {"a body by bits": "/cgi-bin/reader.sh"}


@pytest.fixture(scope="module")
def server() -> Iterator[Daemon]:
    with daemon(CONFIG) as running:
        running.write("www/page", "page")
        with open(running.write("www/large", ""), "wb") as large:
            large.truncate(8 << 20)
        running.script("reader.sh", "#!/bin/sh\ncat >/dev/null\nprintf 'Status: 200\\n\\nread'\n")
        yield running


@contextlib.contextmanager
def slow_clients(running: Daemon, mode: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run slowhttptest; it is ended with the block."""
    program = need("slowhttptest", package="slowhttptest")
    url = f"http://127.0.0.1:{running.port}{PATHS.get(mode, '/large')}"
    size = ("-c", str(CLIENTS), "-r", str(CLIENTS), "-l", str(SECONDS), "-p", "3", "-v", "0")
    with subprocess.Popen(
        [program, *MODES[mode], *size, "-u", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("mode", MODES)
def test_H9_slow_clients_are_ended_and_everybody_else_is_served(server: Daemon, mode: str) -> None:
    (worker,) = server.workers()
    asked, answered = server.access_log.count("\n"), 0
    with slow_clients(server, mode) as process:
        wait_for(lambda: connections(server) or server.access_log.count("\n") > asked, "clients")
        while not answered or (process.poll() is None and answered < 10_000):
            with open_client(server) as client:
                assert client.ask(get("/page")).text == "page"
                answered += 1
        process.wait(DEADLINE)
        wait_for(lambda: connections(server) == 0, "the end of all slow connections")
    assert [process.pid for process in server.workers()] == [worker.pid]
    assert "Traceback" not in server.log
    # Each of them has a line, for however short a time it was there.
    expected = asked + answered + CLIENTS // 2
    wait_for(lambda: server.access_log.count("\n") >= expected, "lines of the slow clients")


def connections(running: Daemon) -> int:
    """Count the connections that the daemon's workers have open."""
    return sum(
        connection.status == "ESTABLISHED"
        for worker in running.workers()
        for connection in worker.net_connections()
    )
