"""What must be true of a daemon after whatever went wrong, once it has come to rest."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import psutil

from forkhttpd.scoreboard import Cell, Scoreboard
from tests.live.daemon import wait_for
from tests.live.scene import processes_with
from tests.live.victim import Victim, stands_still

# States of a socket in /proc/net/tcp, as the kernel's include/net/tcp_states.h numbers them.
TIME_WAIT = "06"
LISTEN = "0A"


def check(victim: Victim) -> None:
    """Wait until all has come to rest, and see that nothing is broken, lost or left.

    Nobody comes any more, but a worker may have yet to answer who waited in the backlog, and shows
    what it has counted only from time to time: before it beats.
    """
    free_disk(victim)
    wait_for(lambda: is_quiet(victim.running.port), "the last client served")
    since = time.monotonic_ns()
    found = wait_for(lambda: at_rest(victim, since), "rest")
    assert found["master"]["pid"] == victim.master()
    check_family(victim, found)
    check_descriptors(victim, found)
    check_counters(victim, found)


def free_disk(victim: Victim) -> None:
    if victim.disk is not None:
        for name in ("ballast", "access.1"):
            (victim.disk / name).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.truncate(victim.access, 0)


def is_quiet(port: int) -> bool:
    """Whether no connection to the port is open on the server's side, accepted or not."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues = line.split()[:5]
        backlog = int(queues.partition(":")[2], 16)
        is_over = state == TIME_WAIT or (state == LISTEN and not backlog)
        if int(local.partition(":")[2], 16) == port and not is_over:
            return False
    return True


def at_rest(victim: Victim, since: int) -> dict[str, Any]:
    """Return the status once the right processes are there, able to run, and nobody is served.

    since: CLOCK_MONOTONIC in nanoseconds; each worker has told what it had counted by then.
    """
    beaten = have_beaten(victim.master(), since)
    found = victim.ask("status")
    workers, pools = found["workers"], found["pools"]
    is_at_rest = (
        found["master"]["state"] == "serving"
        and [one["state"] for one in workers] == ["ready"] * victim.workers
        and [one["state"] for one in pools] == ["ready"]
        and not any(one["connections"] or one["in_flight"] for one in workers)
        and not any(one["running"] or one["queued"] for one in pools)
        and beaten.issuperset(one["pid"] for one in workers)
        and not any(stands_still(one["pid"]) for one in [*workers, *pools])
        and not processes_with(victim.marker)
        and found["master"]["pid"] == victim.master()
    )
    return found if is_at_rest else {}


def have_beaten(master: int, since: int) -> set[int]:
    """Return the pids of those whose loops have turned since; the scoreboard says it."""
    name = next(name for name in descriptors(master) if "memfd:forkhttpd-scoreboard" in name)
    fd = os.open(f"/proc/{master}/fd/{name.partition(' ')[0]}", os.O_RDWR)
    scoreboard = Scoreboard(fd)
    try:
        slots = scoreboard.living()
        return {slot.get(Cell.PID) for slot in slots if slot.get(Cell.HEARTBEAT) > since}
    finally:
        scoreboard.close()
        os.close(fd)


def check_family(victim: Victim, found: dict[str, Any]) -> None:
    """The master and the children that it told of, and nobody else: no orphan, no old master."""
    told = {one["pid"] for one in [*found["workers"], *found["pools"]]}
    master = victim.master()
    wait_for(
        lambda: session_members(victim) == told | {master},
        f"{told} and {master} alone, not {session_members(victim)}",
    )
    assert {one.pid for one in psutil.Process(master).children(recursive=True)} == told
    name = victim.running.directory / "forkhttpd.pid"
    assert name.read_text() == f"{master}\n"


def session_members(victim: Victim) -> set[int]:
    """Return who lives of the session that the daemon was started in."""
    return {pid for pid in psutil.pids() if session_of(pid) == victim.running.process.pid}


def session_of(pid: int) -> int:
    """Return the session of a process; 0 if it is gone or only waits to be reaped."""
    with contextlib.suppress(OSError, psutil.NoSuchProcess):
        if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            return os.getsid(pid)
    return 0


def check_descriptors(victim: Victim, found: dict[str, Any]) -> None:
    """The master has one for each child, and beside these always the same number."""
    children = len(found["workers"]) + len(found["pools"])
    if victim.fds < 0:
        victim.fds = len(descriptors(victim.master())) - children
    wait_for(
        lambda: len(descriptors(victim.master())) == victim.fds + children,
        f"{victim.fds} and {children} descriptors, not {descriptors(victim.master())}",
    )


def descriptors(pid: int) -> list[str]:
    """Return what each open descriptor of a process is."""
    found = []
    for fd in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
        with contextlib.suppress(FileNotFoundError):
            found.append(f"{fd} {os.readlink(f'/proc/{pid}/fd/{fd}')}")
    return found


def check_counters(victim: Victim, found: dict[str, Any]) -> None:
    """Totals never go back, and of these requests each counts once."""
    totals = counts(found)
    if victim.pid != victim.master():  # an upgrade begins to count anew
        victim.pid, victim.totals = victim.master(), {}
    assert all(totals[name] >= before for name, before in victim.totals.items())
    for _ in range(4):
        assert victim.running.get("/page").text == "page"
    assert victim.running.get("/cgi-bin/hello.sh").text == "hello\n"
    expected = {
        **totals,
        "requests": totals["requests"] + 5,
        "bytes": totals["bytes"] + 4 * len("page") + len("hello\n"),
        "started": totals["started"] + 1,
    }
    try:
        wait_for(lambda: counts(victim.ask("status")) == expected, f"{expected}")
    except AssertionError:
        raise AssertionError(f"{victim.ask('status')} for {expected}") from None
    victim.totals = expected


def counts(found: dict[str, Any]) -> dict[str, int]:
    """Return the totals that count something; what programs cost, nobody can foretell."""
    return {name: total for name, total in found["totals"].items() if isinstance(total, int)}
