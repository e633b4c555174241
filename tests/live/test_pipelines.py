"""H8: requests that come before the answers to those before them have gone."""

import random

from tests.live.client import Client, chunked, get, open_client, post
from tests.live.daemon import Daemon, wait_for
from tests.live.site import PAGE


def test_H8_1000_pipelined_requests_are_answered_in_order_with_bodies_between(
    site: Daemon,
) -> None:
    chance = random.Random(8)
    expected, data = [], b""
    for number in range(1000):
        name = chance.randrange(10)
        if number % 100 == 50:
            data += post("/cgi-bin/echo.sh", b"number %d" % number)
            expected.append(f"length {len(f'number {number}')}\nnumber {number}")
        elif number % 10 == 5:
            body = get("/none") * 3
            data += post("/", body) if name % 2 else chunked("/", body)
            expected.append("405")
        else:
            data += get(f"/{name}.txt")
            expected.append(f"file {name}\n" * (name + 1))
    with open_client(site) as client:
        client.send(data)
        for text in expected:
            reply = client.reply()
            assert (str(reply.status) if reply.status == 405 else reply.text) == text
        client.send(get("/", "Connection: close"))
        assert client.reply().text == PAGE
        assert client.rest() == b""


def test_H8_a_pipeline_whose_answers_nobody_takes_costs_no_memory(strict: Daemon) -> None:
    strict.write("www/file.txt", bytes(60_000))
    (worker,) = strict.workers()
    assert strict.get("/file.txt").status == 200
    before = worker.memory_info().rss
    with open_client(strict) as client:
        client.send(get("/file.txt") * 1000)
        wait_for(lambda: _has_stopped(client, strict), "the server to hold its answers back")
        for _ in range(1000):
            assert len(client.reply().body) == 60_000
            assert worker.memory_info().rss < before + (8 << 20)


def _has_stopped(client: Client, running: Daemon) -> bool:
    """Whether the server's socket takes no more: what it wrote lies in the kernel's buffers."""
    port = client.connection.getsockname()[1]
    with open("/proc/net/tcp") as table:
        for line in table:
            local, remote, _, queues = line.split()[1:5]
            if local == f"0100007F:{running.port:04X}" and remote.endswith(f":{port:04X}"):
                return int(queues.split(":")[0], 16) > 100_000
    return False
