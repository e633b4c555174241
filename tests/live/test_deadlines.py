"""Slow clients: every wait for one has an end (H7, H9)."""

import select
import socket
import time
from collections.abc import Iterator

import pytest

from tests.live.asking import status
from tests.live.client import Client, get, open_client, post
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, wait_for

HASTE = 0.3  # seconds
HASTY = (
    SITE.replace("workers = 2", "workers = 1")
    + f"""
[limits]
body = "20G"

[timeouts]
header = "{HASTE}s"
body = "{HASTE}s"
write = "{HASTE}s"
idle = "{HASTE}s"

[pool.default]
kill_grace = "{HASTE}s"
"""
)
LARGE = 10 << 20
# Says what it read only after the end of it, and leaves a file behind if there was one.
READER = """\
#!/bin/sh
cat >/dev/null
echo "$QUERY_STRING" >>"$DOCUMENT_ROOT/finished"
printf 'Content-Type: text/plain\\n\\nread'
"""


@pytest.fixture(scope="module")
def hasty() -> Iterator[Daemon]:
    """A daemon with one worker that waits for nobody."""
    with daemon(HASTY) as running:
        running.write("www/index.html", "hello")
        running.write("www/large.bin", bytes(LARGE))
        running.write("www/finished", "")
        running.script("reader.sh", READER)
        yield running


def open_deaf_client(running: Daemon) -> Client:
    """Connect with room for next to nothing in our own buffers."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE)
    connection.connect(("127.0.0.1", running.port))
    return Client(connection)


def trickle(client: Client, data: bytes) -> int:
    """Send a byte now and then until there is something to read; return how many were sent."""
    for sent, byte in enumerate(data):
        if select.select([client.connection], [], [], HASTE / 10)[0]:
            return sent
        client.send(bytes([byte]))
    return len(data)


def is_cut(client: Client) -> bool:
    """Read on; whether it ends in a way that nobody can take for a whole answer."""
    try:
        client.rest()
    except ConnectionResetError:
        return True
    return False


# Heads


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_H9_a_header_that_stops_is_408(hasty: Daemon, data: bytes) -> None:
    with open_client(hasty) as client:
        began = time.monotonic()
        reply = client.ask(data)
        assert time.monotonic() - began >= HASTE  # never early
        assert (reply.status, reply.fields["connection"]) == (408, "close")
        assert client.rest() == b""


def test_H9_a_second_header_that_stops_is_408(hasty: Daemon) -> None:
    with open_client(hasty) as client:
        assert client.ask(get()).status == 200
        assert client.ask(get()[:-1]).status == 408
        assert client.rest() == b""


def test_H9_what_came_with_the_request_before_counts_as_a_header_begun(hasty: Daemon) -> None:
    with open_client(hasty) as client:
        assert client.ask(get() + get()[:-1]).status == 200
        assert client.reply().status == 408


def test_H9_the_header_deadline_is_absolute_from_the_first_byte(hasty: Daemon) -> None:
    data = get("/", "X-Slow: " + "z" * 200)
    with open_client(hasty) as client:
        assert trickle(client, data) < len(data)
        assert client.reply().status == 408


@pytest.mark.parametrize("data", [b"", b"\r\n", get()])
def test_an_idle_connection_is_closed_without_a_word(hasty: Daemon, data: bytes) -> None:
    with open_client(hasty) as client:
        client.send(data)
        if data.startswith(b"GET"):
            assert client.reply().status == 200
        assert client.rest() == b""
    assert "Traceback" not in hasty.log


# Bodies


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_H11_a_body_that_stops_is_408(hasty: Daemon, framing: str) -> None:
    with open_client(hasty) as client:
        client.send(get("/cgi-bin/reader.sh", framing, method="POST") + b"4\r\nab")
        reply = client.reply()
        assert (reply.status, reply.fields["connection"]) == (408, "close")
        assert client.rest() == b""


def test_H11_a_large_body_that_never_begins_costs_nothing_and_is_408(hasty: Daemon) -> None:
    head = get("/cgi-bin/reader.sh", f"Content-Length: {10 << 30}", method="POST")
    (worker,) = hasty.workers()
    with open_client(hasty) as client:
        assert client.ask(head).status == 408
    before = worker.memory_info().rss
    with open_client(hasty) as client:
        client.send(head)
        assert client.reply().status == 408
        assert client.rest() == b""
    assert worker.memory_info().rss < before + (1 << 20)


def test_a_slow_body_is_read_as_long_as_it_keeps_coming(hasty: Daemon) -> None:
    body = b"0123456789" * 3
    with open_client(hasty) as client:
        client.send(post("/cgi-bin/reader.sh?slow", body)[: -len(body)])
        assert trickle(client, body) == len(body)
        assert client.reply().text == "read"


def test_a_body_that_nobody_wants_and_that_stops_ends_quietly(hasty: Daemon) -> None:
    with open_client(hasty) as client:
        client.send(post("/", b"0123456789")[:-5])
        assert client.reply().status == 405
        assert client.rest() == b""
    assert "connection failed" not in hasty.log


@pytest.mark.parametrize("end", ["stops", "finishes", "resets"])
def test_C2_a_program_never_takes_a_broken_body_for_a_whole_one(hasty: Daemon, end: str) -> None:
    """It is ended before it can see the end of its input."""
    for number in range(10):
        before = pool(hasty)["started"]
        with open_client(hasty) as client:
            client.send(post(f"/cgi-bin/reader.sh?{end}{number}", b"0123456789")[:-5])
            wait_for(lambda: pool(hasty)["started"] > before, "the program")  # noqa: B023
            if end == "resets":
                client.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )
            elif end == "finishes":
                client.connection.shutdown(socket.SHUT_WR)
            if end != "resets":
                client.rest()
        wait_for(lambda: not pool(hasty)["running"], "the end of the program")
    assert end not in (hasty.directory / "www" / "finished").read_text()


def pool(running: Daemon) -> dict[str, int]:
    """Return what is known of the only pool."""
    found: dict[str, int] = status(running)["pools"][0]
    return found


def test_a_last_word_of_a_program_that_lost_its_input_is_no_answer(hasty: Daemon) -> None:
    hasty.script(
        "stubborn.py",
        "#!/usr/bin/env python3\n"
        "import os, signal, sys\n"
        "def answer(*_):\n"
        "    os.write(1, b'Content-Type: text/plain\\n\\ndone')\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, answer)\n"
        "sys.stdin.buffer.read()\n",
    )
    with open_client(hasty) as client:
        assert client.ask(post("/cgi-bin/stubborn.py", b"0123456789")[:-5]).status == 408
        assert client.rest() == b""


# Answers


def test_H9_a_client_that_takes_nothing_of_a_file_is_left(hasty: Daemon) -> None:
    with open_deaf_client(hasty) as client:
        client.send(get("/large.bin?deaf"))
        hasty.await_access_log("/large.bin?deaf")
        assert is_cut(client)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_H9_a_client_that_takes_nothing_of_a_program_is_left(hasty: Daemon, version: str) -> None:
    """On 1.0 the end of the connection is the end of the answer, so it must not look like one."""
    hasty.script("much.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nexec cat /dev/zero\n")
    with open_deaf_client(hasty) as client:
        client.send(get(f"/cgi-bin/much.sh?{version}", version=version))
        hasty.await_access_log(f"/cgi-bin/much.sh?{version}")
        assert is_cut(client)
    wait_for(lambda: not pool(hasty)["running"], "the end of the program")


def test_H9_a_client_that_takes_a_little_now_and_then_is_served(hasty: Daemon) -> None:
    with open_deaf_client(hasty) as client:
        client.send(get("/large.bin", "Range: bytes=0-1999999"))
        reply = client.reply()
        assert (reply.status, len(reply.body)) == (206, 2_000_000)


def test_deadlines_leave_no_connection_behind(hasty: Daemon) -> None:
    (worker,) = hasty.workers()
    wait_for(
        lambda: not [c for c in worker.net_connections() if c.status == "ESTABLISHED"],
        "all connections closed",
    )
