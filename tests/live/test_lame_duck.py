"""Readiness, and the time that a balancer has to notice that a server stops."""

import signal
import socket

import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, await_end, daemon, wait_for
from tests.live.scene import refuses, timeouts

READY = '\n[[site.mount]]\npath = "/ready"\nshow = "ready"\n'
REQUEST = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"


def readiness(running: Daemon) -> int:
    return running.get("/ready").status


def ask(connection: socket.socket) -> bytes:
    """Return a positive answer."""
    connection.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 200")
    return answer


def test_it_says_no_and_serves_on_until_the_time_is_over() -> None:
    with daemon(SITE + READY + timeouts(lame_duck="2s")) as running, running.connect() as idle:
        running.write("www/page", "page")
        assert readiness(running) == 200
        idle.sendall(REQUEST)
        assert b"Connection: close" not in idle.recv(1000)
        running.send_signal(signal.SIGTERM)
        wait_for(lambda: readiness(running) == 503, "it to say no")
        assert running.get("/page").fields["connection"] == "close"
        idle.sendall(REQUEST)
        assert b"Connection: close" in idle.recv(1000)
        assert idle.recv(1000) == b""
        running.await_log("stopping in 2 s")
        assert "what is running may finish" not in running.log
        assert running.process.wait(DEADLINE) == 0
        assert refuses(running.port)
        assert "what is running may finish" in running.log


def test_workers_of_a_reload_stay_ready() -> None:
    with daemon(SITE + READY) as running, running.connect() as idle:
        old = running.workers()
        assert b"Connection: close" not in ask(idle)
        assert running.reload()
        wait_for(lambda: b"Connection: close" in ask(idle), "the last answer of an old worker")
        await_end(old)
        assert readiness(running) == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_does_not_want_to_wait_says_so_again(number: signal.Signals) -> None:
    with daemon(SITE + READY + timeouts(lame_duck="10m")) as running:
        running.send_signal(signal.SIGTERM)
        wait_for(lambda: readiness(running) == 503, "it to say no")
        assert running.stop(number) == 0


def test_the_file_of_a_unix_socket_stays_as_long() -> None:
    site = SITE.replace('"127.0.0.1:0"', '"unix:http.sock"') + READY
    with daemon(site + timeouts(lame_duck="10m")) as running:
        running.send_signal(signal.SIGTERM)
        running.await_log("stopping in 600 s")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE)
            client.connect(str(running.directory / "http.sock"))
            client.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 ")
        assert running.stop() == 0
        assert not (running.directory / "http.sock").exists()
