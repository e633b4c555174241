"""Three servers behind HAProxy, as etc/examples/haproxy.cfg has it: all of them are brought to a
new version, each in another way, and one is killed; no request that may be asked twice fails.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.cluster.network import Network, inside, network
from tests.live.daemon import DEADLINE, Daemon, await_end, daemon, wait_for
from tests.programs.peers import need

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "etc/examples/haproxy.cfg"
VISITOR = ROOT / "tests/live/visitor.py"
PAGE = b"<!doctype html><title>Hello</title>" + b"<p>Hello.\n" * 200

NODE = """\
user = "www-data"
workers = 1
pid_file = "forkhttpd.pid"
trusted_proxies = ["192.0.2.1"]

[[listen]]
address = "0.0.0.0:8080"

[log]
access = "access.log"

[timeouts]
lame_duck = "2500ms"

[[site]]

[[site.mount]]
path = "/"
docroot = "www"

[[site.mount]]
path = "/ready"
show = "ready"
"""


def test_three_nodes_are_renewed_and_one_is_killed_and_no_request_fails() -> None:
    need("haproxy", package="haproxy")
    with network(nodes=3) as net, contextlib.ExitStack() as stack:
        first, second, third = nodes = [stack.enter_context(node(name)) for name in net.nodes]
        stack.enter_context(balancer(net))
        visitors = [stack.enter_context(visitor(net, kind)) for kind in ("regular", "newcomer")]
        for one in nodes:
            await_visits(one)
        assert versions(net) == {"1"}

        write_version(first, "2")
        assert first.stop() == 0  # says that it stops, is left alone, and then stops
        first.start()
        await_visits(first)

        write_version(second, "2")
        old = second.process.pid
        second.send_signal(signal.SIGUSR2)
        wait_for(lambda: second.process.poll() is not None, "the end of the old master")
        assert pid_of(second) != old
        await_visits(second)

        write_version(third, "2")
        assert third.reload(NODE.replace('"/"\n', '"/"\nheaders = { X-Version = "2" }\n'))
        await_visits(third)
        assert versions(net) == {"2"}

        kill(first)
        for one in (second, third):
            await_visits(one, 50)
        for report in map(ending, visitors):
            assert report["failures"] == []
            assert report["requests"] > 100
        assert second.access_log.count(" 192.0.2.1 ") == 0
        assert "127.0.0.1 - - " in second.access_log  # the client, as HAProxy has said it


@contextlib.contextmanager
def node(namespace: str) -> Iterator[Daemon]:
    with daemon(NODE, wrapper=inside(namespace), start=False) as running:
        running.write("www/page", PAGE)
        write_version(running, "1")
        running.start()
        try:
            yield running
        finally:
            kill(running)


def write_version(running: Daemon, version: str) -> None:
    running.write("www/version", version)


def pid_of(running: Daemon) -> int:
    return int((running.directory / "forkhttpd.pid").read_text())


def kill(running: Daemon) -> None:
    """Kill a node, whichever master it has by now, with all that belongs to it."""
    with contextlib.suppress(psutil.NoSuchProcess, OSError, ValueError):
        master = psutil.Process(pid_of(running))
        processes = [master, *master.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        running.process.poll()
        await_end(processes)


@contextlib.contextmanager
def balancer(net: Network) -> Iterator[None]:
    command = [*inside(net.balancer), "haproxy", "-q", "-db", "-f", str(EXAMPLE)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_for(lambda: ask(net, "/page") == PAGE, "HAProxy to answer")
            yield
        finally:
            process.kill()
            process.wait(DEADLINE)


def ask(net: Network, path: str) -> bytes:
    """Return what HAProxy answers, asked on its own machine; nothing if it does not."""
    script = (
        "import sys, http.client; one = http.client.HTTPConnection('127.0.0.1', timeout=60); "
        "one.request('GET', sys.argv[1]); sys.stdout.buffer.write(one.getresponse().read())"
    )
    command = [*inside(net.balancer), sys.executable, "-S", "-c", script, path]
    return subprocess.run(command, capture_output=True, timeout=DEADLINE).stdout


def versions(net: Network) -> set[str]:
    return {ask(net, "/version").decode() for _ in range(6)}


@contextlib.contextmanager
def visitor(net: Network, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    size, crc = str(len(PAGE)), str(zlib.crc32(PAGE))
    command = [sys.executable, str(VISITOR), kind, "80", "/page", size, crc]
    with subprocess.Popen(
        [*inside(net.balancer), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ending(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Let a visitor finish, and return what it has seen."""
    output, _ = process.communicate(timeout=DEADLINE)
    report: dict[str, Any] = json.loads(output)
    return report


def await_visits(running: Daemon, count: int = 10) -> None:
    """Wait until a node gets so many more of the visitors' requests."""
    before = visits(running)
    wait_for(lambda: visits(running) >= before + count, f"{count} visits")


def visits(running: Daemon) -> int:
    return running.access_log.count("GET /page ")


def test_nobody_else_is_in_the_network() -> None:
    with network(nodes=1) as net:
        listed = subprocess.run(
            [*inside(net.nodes[0]), "ip", "-brief", "address"], capture_output=True, text=True
        ).stdout
        assert "192.0.2.11/24" in listed
        assert "eth0" in listed
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
        assert str(os.getpid()) in names
