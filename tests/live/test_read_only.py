"""In a container of the strictest kind (O7): a read-only root, any user, no capability, process 1.

As etc/examples/Containerfile and kubernetes.yaml have it, by unshare and setpriv: the configuration
is the one for containers, with a tmpfs where it says so, and logs go to the outside.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import DEADLINE, Daemon, daemon, wait_for

EXAMPLE = Path(__file__).parents[2] / "etc/examples/container.conf"
UID = 12345  # nobody has it, and so no name

CONTAINER = ("unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child")
# In mounts of our own: a tmpfs on the directory $0, and everything else of / is read-only.
SETUP = 'mount -t tmpfs -o mode=1777 tmpfs "$0" && mount -o remount,bind,ro / && exec "$@"'
NOBODY = (
    *("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"),
    *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"),
)

TELL = """\
#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
echo "$(id -u) $(wc -c) $(grep CapEff /proc/self/status)"
touch "$DOCUMENT_ROOT/new" 2>&1
"""


def why_not(directory: Path) -> str:
    """Return why there can be no such container here, "" if there can."""
    if os.geteuid() != 0:
        return "only root can make a root file system read-only"
    probe = [sys.executable, "-c", "import forkhttpd"]
    command = [*CONTAINER, "sh", "-c", SETUP, str(directory), *NOBODY, *probe]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, cwd="/")
    return done.stderr.strip() if done.returncode else ""


@pytest.fixture
def contained(tmp_path: Path) -> Iterator[tuple[Daemon, psutil.Process]]:
    """The daemon in its container, and its master as it is seen from outside."""
    if reason := why_not(tmp_path):
        pytest.skip(reason)
    config = EXAMPLE.read_text()
    for ours, theirs in (
        ("/run/forkhttpd/", "run/"),
        ("/srv/", ""),
        ("0.0.0.0:8080", "127.0.0.1:0"),
        ('"5s"', '"1s"'),
    ):
        assert ours in config
        config = config.replace(ours, theirs)
    with daemon(config, start=False) as running:
        scratch = running.directory / "run"
        scratch.mkdir()
        running.wrapper = (*CONTAINER, "sh", "-c", SETUP, str(scratch), *NOBODY)
        running.env = {"TMPDIR": str(scratch)}
        running.start()
        (init,) = psutil.Process(running.process.pid).children()
        yield running, init


def test_O7_it_serves_reloads_and_stops(contained: tuple[Daemon, psutil.Process]) -> None:
    running, init = contained
    running.write("www/page", "page")
    running.script("tell.sh", TELL)
    assert inside(init) == 1
    assert init.uids().real == init.uids().effective == UID
    assert running.get("/page").text == "page"
    pieces = iter([b"x" * 65536] * 40)  # a body without a length is kept in a file, if it is long
    reply = running.ask("POST", "/cgi-bin/tell.sh", {"Transfer-Encoding": "chunked"}, pieces)
    assert reply.text.startswith(f"{UID} {40 * 65536} CapEff:\t0000000000000000\n")
    assert "Read-only file system" in reply.text
    assert running.get("/ready").status == 200
    assert running.get("/metrics").status == 200
    init.send_signal(signal.SIGHUP)
    running.await_log("]: reloaded: ")
    init.send_signal(signal.SIGTERM)
    wait_for(lambda: running.get("/ready").status == 503, "it to be not ready")
    assert running.process.wait(DEADLINE) == 0
    lines = [json.loads(line) for line in running.log.splitlines() if line.startswith("{")]
    assert {line["request"] for line in lines} >= {"GET /page HTTP/1.1", "GET /ready HTTP/1.1"}


def inside(process: psutil.Process) -> int:
    """Return what a process is called in its own name space."""
    with contextlib.suppress(IndexError), open(f"/proc/{process.pid}/status") as status:
        return int(next(line for line in status if line.startswith("NSpid:")).split()[-1])
    return 0
