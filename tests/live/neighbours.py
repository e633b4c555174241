"""Clients with addresses of their own: all of 127.0.0.0/8 is this machine."""

import socket

from tests.live.client import Client
from tests.live.daemon import DEADLINE, Daemon, Reply


def connect_from(running: Daemon, host: str) -> socket.socket:
    """Connect as a client with this address; the caller closes it."""
    return socket.create_connection(("127.0.0.1", running.port), DEADLINE, (host, 0))


def ask_from(running: Daemon, host: str, data: bytes) -> Reply:
    """Send one request from an address and return the answer."""
    with Client(connect_from(running, host)) as client:
        return client.ask(data)
