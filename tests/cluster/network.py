"""A network of its own for a test: a balancer and nodes, each in a network namespace.

    balancer  192.0.2.1   ── bridge ──   node 1  192.0.2.11, node 2  192.0.2.12, …

Nothing of it can reach, or be reached from, anywhere else.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.programs.peers import need


@dataclass(frozen=True, slots=True)
class Network:
    """Names of network namespaces."""

    balancer: str
    nodes: tuple[str, ...]


def inside(namespace: str) -> tuple[str, ...]:
    """Return a command that execs another one in a namespace."""
    return ("ip", "netns", "exec", namespace)


@contextlib.contextmanager
def network(*, nodes: int) -> Iterator[Network]:
    """Make a network, and take it away; who lives in it has ended then."""
    need("ip", package="iproute2")
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace")
    prefix = f"forkhttpd-{os.getpid()}"
    found = Network(f"{prefix}-lb", tuple(f"{prefix}-{i}" for i in range(1, nodes + 1)))
    made: list[str] = []
    try:
        _make(found, made)
        yield found
    finally:
        for namespace in made:
            _ip("netns", "del", namespace)


def _make(wanted: Network, made: list[str]) -> None:
    try:
        _add(wanted.balancer, made)
        _ip("-n", wanted.balancer, "link", "add", "bridge0", "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    _address(wanted.balancer, "bridge0", "192.0.2.1/24")
    for number, node in enumerate(wanted.nodes, 1):
        _add(node, made)
        port = f"port{number}"
        pair = ("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", node)
        _ip("-n", wanted.balancer, *pair)
        _ip("-n", wanted.balancer, "link", "set", port, "master", "bridge0", "up")
        _address(node, "eth0", f"192.0.2.1{number}/24")


def _add(namespace: str, made: list[str]) -> None:
    _ip("netns", "add", namespace)
    made.append(namespace)
    _ip("-n", namespace, "link", "set", "lo", "up")


def _address(namespace: str, device: str, address: str) -> None:
    _ip("-n", namespace, "address", "add", address, "dev", device)
    _ip("-n", namespace, "link", "set", device, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
