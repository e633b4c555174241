"""What the programs of a pool came to, added up: `status` and its totals (C19)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.asking import status
from tests.live.daemon import SITE, Daemon, daemon, wait_for

HEAD = "printf 'Content-Type: text/plain\\n\\n'"


def pool_when(running: Daemon, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what is known of the only pool as soon as something holds of it."""

    def found() -> dict[str, Any]:
        (pool,) = status(running)["pools"]
        return pool if holds(pool) else {}

    return wait_for(found, "the pool's count")


def test_C19_ends_costs_and_waits_are_counted_by_pool_and_outlive_its_spawner() -> None:
    config = (
        SITE + '\n[[site.mount]]\npath = "/hasty/"\ncgi = "cgi-bin"\nsilence = "300ms"\n'
        "\n[pool.default]\nprocesses = 1\n"
    )
    with daemon(config) as running:
        running.script("fine.sh", f"#!/bin/sh\n{HEAD}\n")
        running.script("fails.sh", f"#!/bin/sh\n{HEAD}\necho oh >&2\nexit 3\n")
        running.script("dies.sh", f"#!/bin/sh\n{HEAD}\nkill -11 $$\n")
        running.script("silent.sh", f"#!/bin/sh\n{HEAD}\nexec sleep 60\n")
        running.script(
            "works.py",
            "#!/usr/bin/env python3\nimport time\nprint('Content-Type: a/b\\n', flush=True)\n"
            "memory = b'x' * (60 << 20)\nwhile time.process_time() < 0.2: pass\n",
        )
        with running.connect() as first:
            first.sendall(b"GET /hasty/silent.sh HTTP/1.0\r\n\r\n")
            assert first.recv(4096).startswith(b"HTTP/1.1 200")
            assert running.get("/cgi-bin/fine.sh").status == 200  # has to wait for the other's end
        for name in ("fails.sh", "dies.sh", "works.py"):
            assert running.get(f"/cgi-bin/{name}").status == 200
        pool = pool_when(running, lambda pool: pool["running"] == 0 and pool["started"] == 5)
        ends = {name: pool[name] for name in ("failed", "killed", "overdue", "refused")}
        assert ends == {"failed": 1, "killed": 2, "overdue": 1, "refused": 0}
        assert pool["user"] + pool["system"] >= 0.19
        assert pool["wall"] >= 0.3 + 0.19
        assert 0.2 < pool["waited"] < pool["wall"]
        assert pool["peak"] >= 60 << 20
        wait_for(lambda: status(running)["totals"]["complained"] == len("oh\n"), "its complaint")
        before = status(running)["totals"]
        assert running.reload()
        wait_for(lambda: status(running)["totals"]["ended_spawners"] == 1, "the old spawner's end")
        after = status(running)["totals"]
        for name in ("failed", "killed", "overdue", "user", "system", "wall", "waited"):
            assert after[name] == before[name] == pool[name], name


# Limits of a program with all that it starts, which need cgroups (C14); tests/spawner/test_cgroup
# has them at work where the machine's controllers are in version 2.


def test_C14_limits_that_cannot_be_set_are_said_and_nothing_else_changes() -> None:
    """`tasks` and `memory` where no controller is: a line at the start, a warning of -t."""
    if {"memory", "pids"} & controllers():
        pytest.skip("this machine has the controllers")
    config = SITE + '\n[pool.default]\nmemory = "64M"\ntasks = 9\n'
    with daemon(config) as running:
        running.script("fine.sh", f"#!/bin/sh\n{HEAD}\necho fine\n")
        assert running.get("/cgi-bin/fine.sh").text == "fine\n"
        line = "programs run without the cgroups they should have: "
        (said,) = [one for one in running.log.splitlines() if line in one]
        assert "no controller memory and pids" in said or "no cgroup v2" in said or "cannot" in said
        told = running.command("-t").stderr
    for key, controller in (("memory", "memory"), ("tasks", "pids")):
        assert f"[pool.default] {key}: this machine has no controller {controller}" in told


def controllers() -> set[str]:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    points = [Path(point) for _, point, kind, *_ in mounts if kind == "cgroup2"]
    return {name for one in points for name in (one / "cgroup.controllers").read_text().split()}
