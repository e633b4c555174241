"""Fifty reloads under load: no request is lost, none is answered wrongly, nothing leaks (M5, M14).

Some of the reloads are refused, some add, move or take away a listener, some change the number of
workers.  Meanwhile wrk and clients of our own ask all the time: for a page on connections that stay
open, for the same on a connection for each request, for a download of 10 MB, and for a program that
takes 5 s, so that several reloads happen while it runs.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, await_end, daemon, read_all, wait_for
from tests.live.scene import open_fds

ROUNDS = 5  # of ten reloads each
PAGE = b"<!DOCTYPE html><title>Hello</title>" + b"<p>Hello.\n" * 100
LARGE = os.urandom(10_000_000)

SLOW = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbegun\\n'\nsleep 5\necho done\n"
SLOW += ': >"$DOCUMENT_ROOT/finished"\n'
SLOW_OUTPUT = b"begun\ndone\n"

Reports = dict[str, dict[str, Any]]  # "requests", "failures", "worst", by client

VISITOR = Path(__file__).with_name("visitor.py")

if not os.environ.get("CI"):
    pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration to reload, whether it is to be taken up, and a Unix socket that it has."""

    config: str
    is_right: bool = True
    extra: str = ""


def with_listener(address: str) -> str:
    return SITE.replace("[log]", f'[[listen]]\naddress = "{address}"\n[log]')


def changes(directory: Path, *, taken: int) -> list[Change]:
    """Return ten; `taken` is a port that somebody else has."""
    # Its spawner dies after its workers are ready: they must not have answered anybody.
    dies_late = (
        SITE.replace('"www"', '"wrong"') + f'\n[pool.default]\npython = "{directory}/dies"\n'
    )
    return [
        Change(SITE),
        Change(SITE.replace("workers = 2", "workers = 3")),
        Change(SITE.replace("[log]", "[log"), is_right=False),
        Change(with_listener("unix:one.sock"), extra="one.sock"),
        Change(with_listener("unix:two.sock"), extra="two.sock"),
        Change(with_listener(f"127.0.0.1:{taken}"), is_right=False),
        Change(with_listener("127.0.0.2:0")),
        Change(dies_late, is_right=False),
        Change(SITE.replace("workers = 2", "workers = 1")),
        Change(SITE.replace('"www"', '"none"'), is_right=False),
    ]


def test_M5_fifty_reloads_under_load_lose_nothing() -> None:
    with daemon() as running, socket.create_server(("127.0.0.1", 0)) as other:
        furnish(running)
        old, finished = running.family(), running.directory / "www" / "finished"
        assert running.reload(SITE)
        await_end(old)
        # Who has ended may not be reaped yet, and would be part of the state before.
        wait_for(lambda: len(running.family()) == 3, "two workers and a spawner at rest")
        before = resting_state(running)
        with crowd(running) as send_home:
            verdicts = Counter(
                perform(running, change)
                for _ in range(ROUNDS)
                for change in changes(running.directory, taken=other.getsockname()[1])
            )
            assert running.reload(SITE)
            wait_for(lambda: finished.exists(), "the end of a program that was there at the start")
            reports = send_home()
        print(json.dumps(reports))
        assert verdicts == {True: 6 * ROUNDS, False: 4 * ROUNDS}
        assert not [failure for one in reports.values() for failure in one["failures"]]
        assert all(one["requests"] for one in reports.values())
        wait_for(lambda: resting_state(running) == before, f"the state before: {before}")
        assert psutil.Process(running.process.pid).num_threads() == 1
        assert running.stop() == 0
        assert_logged(running, reports)


def furnish(running: Daemon) -> None:
    running.write("www/page", PAGE)
    running.write("www/large", LARGE)
    running.script("slow.sh", SLOW)
    running.write("wrong/page", b"This page is never served.")
    running.write("dies", "#!/bin/sh\nsleep 0.2\nexit 3\n", mode=0o755)


def perform(running: Daemon, change: Change) -> bool:
    """Reload; return whether it was taken up, which must be as expected."""
    assert running.reload(change.config) is change.is_right
    if change.extra:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(running.directory / change.extra))
            connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
            assert read_all(connection).endswith(PAGE)
    return change.is_right


def resting_state(running: Daemon) -> tuple[int, list[str]]:
    """Return what must not grow: the master's descriptors and the processes below it."""
    titles = sorted(process.name() for process in running.family())
    return open_fds(running.process.pid), titles


# The load


@contextlib.contextmanager
def crowd(running: Daemon) -> Iterator[Callable[[], Reports]]:
    """Let visitors and wrk ask; what is yielded sends them home and returns what they report."""
    pages = {
        "regular": ("regular", "/page?regular", PAGE),
        "newcomer": ("newcomer", "/page?newcomer", PAGE),
        "download": ("newcomer", "/large", LARGE),
        "program": ("regular", "/cgi-bin/slow.sh", SLOW_OUTPUT),
    }
    with contextlib.ExitStack() as clients:
        visitors = {
            name: clients.enter_context(visitor(running, *facts)) for name, facts in pages.items()
        }
        url = f"http://127.0.0.1:{running.port}/page?wrk"
        wrk = clients.enter_context(started("wrk", "-t1", "-c4", "-d10m", url))

        def send_home() -> Reports:
            wrk.send_signal(signal.SIGINT)
            reports = {name: json.loads(output_of(one)) for name, one in visitors.items()}
            return reports | {"wrk": report_of_wrk(output_of(wrk))}

        for path in ("/page?wrk", "/page?regular", "/page?newcomer", "/large"):
            running.await_access_log(f"GET {path} ")
        yield send_home


def visitor(
    running: Daemon, kind: str, path: str, body: bytes
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    facts = (str(running.port), path, str(len(body)), str(zlib.crc32(body)))
    return started(sys.executable, str(VISITOR), kind, *facts)


@contextlib.contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Start a client, and end it."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def output_of(client: subprocess.Popen[str]) -> str:
    """Close a client's input, which sends a visitor home, and return its output."""
    output, _ = client.communicate(timeout=DEADLINE)
    assert client.returncode == 0
    return output


def report_of_wrk(output: str) -> dict[str, Any]:
    """Read wrk's own words; it speaks of errors only when there were some."""
    requests = re.search(r"(\d+) requests in", output)
    assert requests, output
    failures = re.findall(r"(?:Socket errors|Non-2xx or 3xx responses): .*", output)
    return {"requests": int(requests[1]), "failures": failures}


# What the server says of it


def assert_logged(running: Daemon, reports: Reports) -> None:
    """Every answer that somebody got stands in the access log, once."""
    logged = Counter(re.findall(r'"GET (\S+) HTTP/1\.\d" 200 ', running.access_log))
    assert logged["/page?regular"] == reports["regular"]["requests"]
    assert logged["/page?newcomer"] == reports["newcomer"]["requests"]
    assert logged["/large"] == reports["download"]["requests"]
    assert logged["/cgi-bin/slow.sh"] == reports["program"]["requests"]
    assert logged["/page?wrk"] >= reports["wrk"]["requests"]
