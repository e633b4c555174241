"""Slow clients are as many as they should be, and none that was sent away counts."""

import socket

import pytest

from scripts.benchmark.latency import LatencyError
from scripts.benchmark.slow import slow_clients

CLIENTS = 20


def test_slow_clients_send_on_and_on_and_leave() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=CLIENTS) as listener:
        listener.settimeout(10)
        with slow_clients(listener.getsockname()[1], size=CLIENTS):
            connections = [listener.accept()[0] for _ in range(CLIENTS)]
            for connection in connections:
                received = b""
                while not received.endswith(b"xx"):
                    received += connection.recv(100)
                assert received.startswith(b"GET / HTTP/1.1\r\n")
                assert b"\r\n\r\n" not in received
        for connection in connections:
            with connection:
                while connection.recv(100):
                    pass


def test_slow_clients_that_were_sent_away_are_no_burden() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
    with (
        pytest.raises(LatencyError, match=f"{CLIENTS} of {CLIENTS} slow clients were ended"),
        slow_clients(listener.getsockname()[1], size=CLIENTS),
    ):
        listener.close()


def test_slow_clients_that_cannot_connect_are_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LatencyError, match="could not connect"), slow_clients(port, size=1):
        pass
