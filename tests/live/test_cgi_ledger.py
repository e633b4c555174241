"""What the programs of a pool came to, added up: `status` and its totals (C19)."""

from collections.abc import Callable
from typing import Any

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
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nsilence = "300ms"')
    with daemon(config + "\n[pool.default]\nprocesses = 1\n") as running:
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
            first.sendall(b"GET /cgi-bin/silent.sh HTTP/1.0\r\n\r\n")
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
