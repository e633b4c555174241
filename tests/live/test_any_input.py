"""Whatever clients send, a worker goes on: what the wire corpus grows into, to the real daemon."""

import random
import socket
from collections.abc import Iterator

import pytest

from tests.http1.test_fuzz import FRAGMENTS
from tests.live.daemon import SITE, Daemon, daemon, read_all, wait_for
from tests.wire import corpus

CASES = corpus.load()
INPUTS = 1000
TARGETS = (b"/", b"/page", b"/list/", b"/cgi-bin/", b"/list", b"/none")
FIELDS = (
    b"Range: bytes=0-0,-1\r\n",
    b"If-None-Match: *\r\n",
    b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    b"Accept-Encoding: gzip;q=0.5, *;q=0\r\n",
    b"Accept: application/json\r\n",
    b"Authorization: Basic !\r\n",
    b"X-Forwarded-For: a, b\r\n",
    b"Forwarded: for=\r\n",
)


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    with daemon(SITE.replace("workers = 2", "workers = 1")) as running:
        running.write("www/page", "page")
        running.write("www/list/file", "file")
        yield running


def grown(chance: random.Random) -> bytes:
    """Return some cases after one another, with some changes."""
    data = b"".join(chance.choice(CASES).raw for _ in range(chance.randint(1, 3)))
    data = data.replace(b" / ", b" %b " % chance.choice(TARGETS))
    for _ in range(chance.randrange(5)):
        at = chance.randrange(len(data) + 1)
        new = chance.choice((*FRAGMENTS, *FIELDS, chance.randbytes(2)))
        data = data[:at] + new + data[at + chance.randrange(3) :]
    return data


def test_any_input_is_answered_in_http_or_not_at_all(site: Daemon) -> None:
    (worker,) = site.workers()
    assert site.get("/page").text == "page"
    before = worker.num_fds()
    chance = random.Random(4)
    for _ in range(INPUTS):
        data = grown(chance)
        with site.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = read_all(connection)
        assert not answer or answer.startswith(b"HTTP/1.1 "), (data, answer)
        assert b" 500 " not in answer.partition(b"\r\n")[0], data
    assert site.get("/page").text == "page"
    assert [each.pid for each in site.workers()] == [worker.pid]
    wait_for(lambda: worker.num_fds() <= before, "all descriptors closed")
    for word in ("Traceback", "failed", "Error"):
        assert word not in site.log
