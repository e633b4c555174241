"""For a while everything that can go wrong does, and after each time all is as it should be.

FORKHTTPD_CHAOS_SECONDS: how long, 30 unless set.  FORKHTTPD_CHAOS_SEED: repeats a run; the seed of
each run is printed.
"""

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from forkhttpd.master.pidfile import holder
from tests.live import chaos, rest
from tests.live.daemon import DEADLINE, Daemon, daemon, wait_for
from tests.live.load import load
from tests.live.scene import processes_with
from tests.live.victim import HELLO, SLEEP, Victim, small_disk

SECONDS = float(os.environ.get("FORKHTTPD_CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("FORKHTTPD_CHAOS_SEED") or random.randrange(1 << 32))


@pytest.mark.timeout(SECONDS + 300)
def test_after_whatever_goes_wrong_the_port_answers_and_nothing_is_left(tmp_path: Path) -> None:
    print(f"FORKHTTPD_CHAOS_SEED={SEED}")
    tmp_path.chmod(0o755)
    chance = random.Random(SEED)
    with small_disk(tmp_path / "disk") as disk, daemon(start=False) as running:
        try:
            victim = prepare(running, chance, disk, tmp_path)
            rounds = disturb(victim)
            print(f"{rounds} rounds in {SECONDS:.0f} s")
            leave(victim)
        finally:
            end_session(running)


def prepare(running: Daemon, chance: random.Random, disk: Path | None, tmp_path: Path) -> Victim:
    access = (disk or tmp_path) / "access"
    victim = Victim(running, chance, access, disk)
    running.write("www/page", "page")
    running.write("bad", "#!/bin/sh\nexit 3\n", mode=0o755)
    running.script("hello.sh", HELLO)
    running.script("sleep.sh", SLEEP)
    victim.write_config()
    running.start()
    rest.check(victim)
    return victim


def disturb(victim: Victim) -> dict[str, int]:
    """Let things go wrong under load, one or a few at a time; return how often what did."""
    counts: dict[str, int] = {}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        steps = victim.chance.choices(chaos.STEPS, k=victim.chance.choice((1, 1, 2, 3)))
        print(time.strftime("%T"), *(step.__name__ for step in steps))
        with (
            load(victim.running, "/page", "/cgi-bin/hello.sh", keep_alive=True) as kept,
            load(victim.running, "/page", "/cgi-bin/hello.sh", keep_alive=False) as single,
        ):
            # Who is served by what is killed loses; nothing can be said of the clients later.
            wait_for(lambda: kept.answered and single.answered, "answers to both")
            for step in steps:
                step(victim)
                counts[step.__name__] = counts.get(step.__name__, 0) + 1
        rest.check(victim)
    return counts


def leave(victim: Victim) -> None:
    """Stop, and see that nothing is left of it."""
    victim.signal(signal.SIGTERM)
    pid_file = victim.running.directory / "forkhttpd.pid"
    wait_for(lambda: holder(pid_file) is None, "the end")
    assert not pid_file.exists()
    assert not (victim.running.directory / "forkhttpd.control").exists()
    wait_for(lambda: not session(victim.running), "everybody gone")
    assert not processes_with(victim.marker)


def session(running: Daemon) -> list[psutil.Process]:
    """Return every process of the session that the daemon was started in."""
    found = []
    for process in psutil.process_iter():
        if rest.session_of(process.pid) == running.process.pid:
            found.append(process)
    return found


def end_session(running: Daemon) -> None:
    """An upgrade leaves the daemon with another process than the one that we started."""
    with contextlib.suppress(AttributeError):
        left = session(running)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, DEADLINE)
