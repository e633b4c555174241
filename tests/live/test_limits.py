"""How much one client may have, and all of them together, over all workers (H9)."""

import contextlib
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.live.asking import status
from tests.live.client import Client, get, post
from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.live.neighbours import ask_from, connect_from

CONFIG = SITE.replace("workers = 2", 'workers = 3\ntrusted_proxies = ["127.0.0.9"]')
COUNTED = """
[limits]
connections_per_address = 4
total_connections = 12
exempt = ["127.0.0.8"]

[[site]]"""
PACED = """
[limits]
rate = "5/h"
body_rate = "1M"
exempt = ["127.0.0.8"]

[timeouts]
body = "500ms"

[[site]]"""


@pytest.fixture(scope="module")
def counted() -> Iterator[Daemon]:
    """A daemon of three workers that limits the connections of all of them together."""
    with daemon(CONFIG.replace("[[site]]", COUNTED), start=False) as running:
        running.write("www/page", "public")
        running.start()
        yield running


@pytest.fixture(scope="module")
def paced() -> Iterator[Daemon]:
    """A daemon of three workers that limits the requests of an address."""
    with daemon(CONFIG.replace("[[site]]", PACED), start=False) as running:
        running.write("www/page", "public")
        running.script("sink", "#!/bin/sh\ncat >/dev/null\nprintf 'Content-Type: x/y\\n\\n'\n")
        running.start()
        yield running


def is_served(connection: socket.socket) -> bool:
    """Whether a request is answered there; a connection that is refused is closed."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(get("/page"))
        return connection.recv(1) == b"H"
    return False


def count_served(running: Daemon, host: str, wanted: int, stack: ExitStack) -> int:
    """Open connections from an address, one after the other; return how many are served.

    All stay open that may, with an answer that is not read.
    """
    opened = (stack.enter_context(connect_from(running, host)) for _ in range(wanted))
    return sum(map(is_served, opened))


def test_H9_connections_of_one_address_and_of_all(counted: Daemon) -> None:
    with ExitStack() as stack:
        assert count_served(counted, "127.0.0.2", 7, stack) == 4
        assert count_served(counted, "127.0.0.3", 2, stack) == 2
        # Who speaks for others, and who is exempt, has only the limit of all together.
        assert count_served(counted, "127.0.0.9", 5, stack) == 5
        assert count_served(counted, "127.0.0.8", 3, stack) == 1
    counted.await_log("connection refused: 127.0.0.2 has 4 (limits.connections_per_address)")
    assert status(counted)["totals"]["turned_away"] == 3 + 2

    def has_room() -> bool:
        with ExitStack() as stack:
            return count_served(counted, "127.0.0.2", 4, stack) == 4

    wait_for(has_room, "room when the others have gone")


def test_H9_what_a_worker_had_is_forgotten_when_it_dies(counted: Daemon) -> None:
    with ExitStack() as stack:
        assert count_served(counted, "127.0.0.4", 4, stack) == 4
        old = counted.workers()
        for worker in old:
            worker.kill()

        def has_room() -> bool:
            with ExitStack() as inner:
                return count_served(counted, "127.0.0.4", 4, inner) == 4

        wait_for(has_room, "room, for nobody has a connection any more")
    assert not {worker.pid for worker in old} & {worker.pid for worker in counted.workers()}


def test_requests_have_a_rate_over_all_workers(paced: Daemon) -> None:
    """Each on a connection of its own, so that every worker gets some."""
    replies = [ask_from(paced, "127.0.0.5", get("/page")) for _ in range(8)]
    assert [reply.status for reply in replies] == [200] * 5 + [429] * 3
    for reply in replies[5:]:
        assert 0 < int(reply.fields["retry-after"]) <= 3600
        assert "Too Many Requests" in reply.text
    assert ask_from(paced, "127.0.0.6", get("/page")).status == 200
    assert [ask_from(paced, "127.0.0.8", get("/page")).status for _ in range(7)] == [200] * 7
    paced.await_log("requests refused: 127.0.0.5 asks too often (limits.rate)")


def test_requests_that_are_known_have_a_rate_too() -> None:
    with daemon(SITE.replace("[[site]]", '[limits]\nrate = "5/h"\n\n[[site]]')) as running:
        with Client(connect_from(running, "127.0.0.5")) as client:
            statuses = [client.ask(get("/absent")).status for _ in range(8)]
        assert statuses == [404] * 5 + [429] * 3


def test_the_rate_is_that_of_a_proxys_clients(paced: Daemon) -> None:
    field = "X-Forwarded-For: 192.0.2.{}"
    with Client(connect_from(paced, "127.0.0.9")) as proxy:
        for client in (1, 2):
            asked = get("/page", field.format(client))
            statuses = [proxy.ask(asked).status for _ in range(6)]
            assert statuses == [200] * 5 + [429]
        assert [proxy.ask(get("/page")).status for _ in range(7)] == [200] * 7


def test_H9_a_reload_takes_the_counts_along(counted: Daemon) -> None:
    with ExitStack() as stack:
        kept = [Client(connect_from(counted, "127.0.0.7")) for _ in range(3)]
        for client in kept:
            stack.enter_context(client)
            assert client.ask(get("/page")).status == 200
        assert counted.reload()
        assert count_served(counted, "127.0.0.7", 3, stack) == 1
        assert [client.ask(get("/page")).status for client in kept] == [200] * 3


def test_H9_a_body_that_trickles_is_not_waited_for(paced: Daemon) -> None:
    """Each byte comes well before `timeouts.body`, so only the rate can end it."""
    head = get("/cgi-bin/sink", "Content-Length: 1000000", method="POST")
    with Client(connect_from(paced, "127.0.0.10")) as client:
        client.send(head)

        def is_answered() -> bool:
            client.send(b"x")
            return bool(select.select([client.connection], [], [], 0.02)[0])

        wait_for(is_answered, "an answer before the body is complete")
        assert client.reply().status == 408
    with Client(connect_from(paced, "127.0.0.10")) as client:
        assert client.ask(post("/cgi-bin/sink", bytes(10000))).status == 200
