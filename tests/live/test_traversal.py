"""S1: the spellings of the corpus over the wire, while strace(1) writes down what is opened."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.handlers.spellings import CORPUS, FORBIDDEN, make_site
from tests.live.client import Client, get, open_client
from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.programs.peers import need

CONFIG = (
    SITE.replace("workers = 2", "workers = 1")
    + """
[[site.mount]]
path = "/never/"
docroot = "www"
symlinks = "never"
precompressed = true
fallback = ["/index.html"]
"""
)
MOUNTS = ("", "/never")
STEP = 5  # every fifth spelling, each mount from another one on: all of them take half a minute
LINKS = ("/out", "/out/", "/out/outside/secret.txt", "/top/etc/passwd", "/dir/secret", "/top/")

# With -y, what was opened stands behind its descriptor: `openat(3</a>, "b", O_RDONLY) = 4</a/b>`.
_OPENED = re.compile(r"(?:open|openat|openat2|creat|open_by_handle_at)\(.* = [0-9]+<(.*)>$")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Where strace writes, a file for each process; skips where nobody may be traced."""
    program = need("strace", package="strace")
    if subprocess.run([program, "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("strace may not trace here (ptrace(2) is forbidden)")
    return tmp_path / "trace"


@pytest.fixture
def traced(trace: Path) -> Iterator[Daemon]:
    """A daemon of one worker, traced from its first moment."""
    calls = "open,openat,openat2,creat,open_by_handle_at"
    wrapper = ("strace", "-D", "-ff", "-y", "-s", "4096", "-e", calls, "-o", str(trace))
    with daemon(CONFIG, wrapper=wrapper, start=False) as running:
        make_site(running.directory / "www")
        running.write("outside/secret.txt", "SECRET")
        running.write("www/dir/inner/page.txt", "page")
        running.start()
        yield running


def opened(trace: Path, pid: int) -> list[str]:
    """Return what a process has opened so far."""
    lines = trace.with_name(f"{trace.name}.{pid}").read_text().splitlines()
    return [match[1] for line in lines if (match := _OPENED.match(line))]


def test_S1_no_spelling_opens_anything_outside_the_roots(traced: Daemon, trace: Path) -> None:
    (worker,) = traced.workers()
    assert traced.get("/dir/inner/page.txt").text == "page"
    before = len(opened(trace, worker.pid))
    targets = [
        mount + path
        for first, mount in enumerate(MOUNTS)
        for path in (*CORPUS[first::STEP], *LINKS)
    ]
    statuses = ask_all(traced, targets)
    assert traced.get("/never/dir/inner/page.txt").text == "page"
    assert traced.stop() == 0
    wait_for(lambda: "+++ exited" in _end_of(trace, worker.pid), "the end of the trace")
    found = opened(trace, worker.pid)[before:]
    roots = tuple(f"{traced.directory}/{name}" for name in ("www", "cgi-bin"))
    outside = [path for path in found if not _is_below(path, roots)]
    print(f"{sum(statuses.values())} spellings {statuses}, {len(found)} opens, outside: {outside}")
    assert outside == []
    assert len(targets) > 3000
    assert len(found) > 500  # what is asked for is looked for, and the trace sees it
    assert f"{roots[0]}/dir/inner/page.txt" in found
    assert statuses.keys() <= {200, 301, 400, 403, 404}


def ask_all(running: Daemon, targets: list[str]) -> dict[int, int]:
    """Ask for each target; return how often each status came.  Nothing of ours comes with any."""
    statuses: dict[int, int] = {}
    client = open_client(running)
    for target in targets:
        reply = client.ask(get(target.replace("/neverhttp://localhost", "http://localhost/never")))
        assert not any(secret in reply.body for secret in FORBIDDEN), target
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
        if reply.fields.get("connection") == "close":
            client = _renewed(client, running)
    _renewed(client, running).__exit__(None, None, None)
    return statuses


def _renewed(client: Client, running: Daemon) -> Client:
    client.__exit__(None, None, None)
    return open_client(running)


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def _end_of(trace: Path, pid: int) -> str:
    return trace.with_name(f"{trace.name}.{pid}").read_text()[-100:]
