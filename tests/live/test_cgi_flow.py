"""How programs and clients keep pace with each other, and where an answer ends (C10, C11, C20)."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import DEADLINE, Daemon, daemon, wait_for
from tests.live.programs import mounted, running_in


@pytest.fixture(scope="module")
def served(pooled: Daemon) -> Daemon:
    return pooled


# C10


def test_C10_each_event_arrives_before_the_next_is_written(served: Daemon) -> None:
    """A server-sent event that was kept back anywhere would never come: the script waits."""
    served.script(
        "events.py",
        "#!/usr/bin/env python3\n"
        "import os, time\n"
        "print('Content-Type: text/event-stream\\n', flush=True)\n"
        "for number in range(20):\n"
        "    print(f'data: {number}\\n', flush=True)\n"
        "    while not os.path.exists(f\"{os.environ['DOCUMENT_ROOT']}/seen{number}\"):\n"
        "        time.sleep(0.005)\n",
    )
    with served.connect() as connection:
        connection.sendall(b"GET /cgi-bin/events.py HTTP/1.0\r\n\r\n")
        got = b""
        for number in range(20):
            while f"data: {number}\n\n".encode() not in got:
                got += connection.recv(65536)
            assert f"data: {number + 1}\n".encode() not in got
            served.write(f"www/seen{number}", "")
        assert connection.recv(65536) == b""


def test_C10_a_body_reaches_the_program_as_it_comes(served: Daemon) -> None:
    served.script(
        "upload.py",
        "#!/usr/bin/env python3\n"
        "import os\n"
        "os.write(1, b'Content-Type: text/plain\\n\\n')\n"
        "while piece := os.read(0, 65536):\n"
        "    os.write(1, piece)\n",
    )
    with served.connect() as connection:
        connection.sendall(
            b"POST /cgi-bin/upload.py HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n"
        )
        got = b""
        for word in (b"one..", b"two..", b"three"):
            connection.sendall(word)
            while word not in got:
                got += connection.recv(65536)


FLOOD_SIZE = 200 << 20
FLOOD = """\
#!/usr/bin/env python3
import os
os.write(1, b'Content-Type: a/b\\n\\n')
with open(os.environ['DOCUMENT_ROOT'] + '/progress', 'w') as progress:
    for number in range(int(os.environ['QUERY_STRING']) >> 16):
        piece = memoryview(bytes(65536))
        while piece:
            piece = piece[os.write(1, piece):]
        progress.seek(0)
        progress.write(f'{number:9}')
        progress.flush()
"""


@contextlib.contextmanager
def flood(running: Daemon, size: int = FLOOD_SIZE) -> Iterator[socket.socket]:
    """Ask for 200 MB, with a small window."""
    running.script("flood.py", FLOOD)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", running.port))
        client.sendall(f"GET /cgi-bin/flood.py?{size} HTTP/1.0\r\n\r\n".encode())
        yield client


def progress(running: Daemon) -> int:
    """Return how many bytes the program has got rid of."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int((running.directory / "www/progress").read_text()) << 16
    return 0


def memory(running: Daemon) -> int:
    return sum(process.memory_info().rss for process in running.workers() + running.spawners())


@pytest.mark.parametrize(("spool", "size"), [("64M", 2 << 30), ("0", FLOOD_SIZE)])
def test_C10_a_slow_client_costs_no_memory(spool: str, size: int) -> None:
    config = mounted(f'spool = "{spool}"').replace("workers = 2", "workers = 1")
    with daemon(config) as running:
        running.script("warm.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\n")
        running.get("/cgi-bin/warm.sh")
        before = memory(running)
        with flood(running, size) as client:
            wait_for(lambda: _standstill(running), "the program to stand still")
            samples, total = [memory(running)], 0
            while piece := client.recv(1 << 20):
                total += len(piece)
                if total >> 24 >= len(samples):  # every 16 MiB
                    samples.append(memory(running))
        assert total > size
        assert max(samples) - before < 4 << 20


def test_C10_without_a_spool_the_client_holds_the_program_back() -> None:
    with daemon(mounted('spool = "0"')) as running, flood(running) as client:
        blocked = wait_for(lambda: _standstill(running), "the program to stand still")
        assert blocked < 16 << 20  # pipe, the piece at hand, the sockets' buffers
        assert running.get("/").status == 200
        assert read_slowly(client) > FLOOD_SIZE


def test_C20_with_a_spool_the_program_does_not_wait_for_its_client() -> None:
    config = mounted('spool = "300M"') + "\n[pool.default]\nprocesses = 1\n"
    with daemon(config) as running, flood(running) as client:
        wait_for(lambda: progress(running) >= FLOOD_SIZE - 65536, "the program's end")
        wait_for(lambda: not running_in(running), "its place in the pool")
        assert running.get("/cgi-bin/flood.py?0", method="HEAD").status == 200
        assert read_slowly(client) > FLOOD_SIZE


def _standstill(running: Daemon) -> int:
    """Return how far the program is, when it makes no headway for a second; else 0."""
    here = progress(running)
    deadline = time.monotonic() + 1
    while here and progress(running) == here:
        if time.monotonic() > deadline:
            return here
        time.sleep(0.05)
    return 0


# C11

HOLDER = """\
#!/bin/sh
%s sleep 300 &
printf 'Content-Type: text/plain\\n\\n%%s' $!
"""


@pytest.mark.parametrize("start", ["", "setsid"])
def test_C11_the_answer_ends_with_the_leader_though_a_child_holds_the_output(start: str) -> None:
    with daemon(mounted('background = "leave"\ndrain_grace = "100ms"')) as running:
        running.script("hold.sh", HOLDER % start)
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/hold.sh HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while not got.endswith(b"0\r\n\r\n"):
                piece = connection.recv(65536)
                assert piece, got
                got += piece
        left = wait_for(lambda: running_in(running), "the one that was left")
        for pid in left:
            psutil.Process(pid).kill()


@pytest.mark.parametrize("start", ["", "setsid"])
def test_C11_where_nothing_is_left_the_answer_ends_with_the_group(start: str) -> None:
    with daemon(mounted('background = "kill"\ndrain_grace = "1m"\nsilence = "1m"')) as running:
        running.script("hold.sh", HOLDER % start)
        assert running.get("/cgi-bin/hold.sh").status == 200
        wait_for(lambda: not running_in(running), "the end of all")


def test_C11_all_that_was_written_before_the_end_arrives() -> None:
    with daemon(mounted('background = "leave"\ndrain_grace = "50ms"')) as running:
        running.script(
            "hold.py",
            "#!/usr/bin/env python3\n"
            "import os, subprocess\n"
            "child = subprocess.Popen(['sleep', '300'])\n"
            "os.write(1, b'Content-Type: a/b\\n\\n')\n"
            "for _ in range(64): os.write(1, bytes(65536))\n",
        )
        assert len(running.get("/cgi-bin/hold.py").body) == 4 << 20
        for pid in running_in(running):
            psutil.Process(pid).kill()


def test_C11_a_leader_that_ends_without_a_header_is_502_though_its_output_is_held() -> None:
    with daemon(mounted('background = "leave"\ndrain_grace = "100ms"')) as running:
        running.script("hold.sh", "#!/bin/sh\nsleep 300 &\nexit 3\n")
        assert running.get("/cgi-bin/hold.sh").status == 502
        running.await_log("exited with 3 without any output")
        for pid in running_in(running):
            psutil.Process(pid).kill()


def test_the_log_names_no_bug(served: Daemon) -> None:
    assert not re.findall("a task failed|Traceback", served.log)
    assert Path(served.directory).exists()


def read_slowly(client: socket.socket) -> int:
    total = 0
    while piece := client.recv(1 << 20):
        total += len(piece)
    return total
