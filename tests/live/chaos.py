"""Things that go wrong with a daemon, one function each, and what must be true after any of them.

The daemon's state is read from outside as far as that goes: /proc, its port, its PID file; what
only it can know it is asked for over its control socket.
"""

import contextlib
import os
import random
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from forkhttpd.inquiry import NoAnswer, ask
from forkhttpd.master.pidfile import holder
from tests.live.asking import control
from tests.live.daemon import DEADLINE, Daemon, wait_for
from tests.live.scene import processes_with

MOST_WORKERS = 5
DISK_SIZE = 256 << 10  # bytes of the file system that the access log is on

CONFIG = """\
workers = {workers}
pid_file = "forkhttpd.pid"

[[listen]]
address = "127.0.0.1:0"

[log]
access = "{access}"

[timeouts]
graceful = "2s"
idle = "1s"
heartbeat = "1s"
start = "5s"

[pool.default]
kill_grace = "500ms"
{pool}

[[site]]

[[site.mount]]
path = "/"
docroot = "www"

[[site.mount]]
path = "/cgi-bin/"
cgi = "cgi-bin"
"""

HELLO = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"
SLEEP = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbegun\\n'\nexec sleep 1000\n"


@dataclass(slots=True)
class Victim:
    """The daemon, and what is expected of it.

    workers: how many there are to be; access: its access log; disk: what is mounted for that, or
    None; fds: of the master, beside one for each child; totals: the last that it told.
    """

    running: Daemon
    chance: random.Random
    access: Path
    disk: Path | None
    workers: int = 2
    pid: int = 0
    fds: int = -1  # not counted yet
    totals: dict[str, int] = field(default_factory=dict)

    def write_config(self, *, pool: str = "", workers: int | None = None) -> None:
        count = self.workers if workers is None else workers
        text = CONFIG.format(workers=count, access=self.access, pool=pool)
        self.running.write("forkhttpd.conf", text)

    def master(self) -> int:
        """Return the pid that the PID file names, if somebody holds it."""
        pid_file = self.running.directory / "forkhttpd.pid"
        return wait_for(lambda: holder(pid_file) or 0, "a master")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.master(), number)

    def children(self, beginning: str) -> list[psutil.Process]:
        """Return the master's children with such a title."""
        found = []
        for process in psutil.Process(self.master()).children():
            with contextlib.suppress(psutil.Error):
                if " ".join(process.cmdline()).startswith(beginning):
                    found.append(process)
        return found

    def any_worker(self) -> psutil.Process:
        return self.chance.choice(wait_for(lambda: self.children("forkhttpd: worker"), "a worker"))

    def ask(self, request: str) -> dict[str, Any]:
        """Ask the master; if that one leaves to another meanwhile, ask the other."""
        return wait_for(lambda: self._ask(request), f"an answer to {request}")

    def _ask(self, request: str) -> dict[str, Any]:
        try:
            return ask(control(self.running), request, patience=DEADLINE)
        except NoAnswer:
            return {}


# What goes wrong.  Each returns when it has happened, not when it is over.


def kill_worker(victim: Victim) -> None:
    deadly = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGQUIT]
    victim.any_worker().send_signal(victim.chance.choice(deadly))


def freeze_worker(victim: Victim) -> None:
    victim.any_worker().suspend()


def kill_spawner(victim: Victim) -> None:
    for spawner in victim.children("forkhttpd: spawner"):
        spawner.kill()


def kill_program(victim: Victim) -> None:
    """Start a program that never ends, and end it behind everybody's back."""
    with victim.running.connect() as client:
        client.sendall(b"GET /cgi-bin/sleep.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(OSError):
            client.recv(1000)
        for pid in processes_with(marker(victim)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def leave_program(victim: Victim) -> None:
    """Start a program that never ends, and go away."""
    with victim.running.connect() as client:
        client.sendall(b"GET /cgi-bin/sleep.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(OSError):
            client.recv(1000)


def reload_well(victim: Victim) -> None:
    workers = victim.chance.randint(1, MOST_WORKERS)
    victim.write_config(workers=workers)
    answer = victim.ask("reload")
    assert answer["code"] == 0, answer
    victim.workers = workers


def reload_nonsense(victim: Victim) -> None:
    victim.running.write("forkhttpd.conf", "workers = [[[\n")
    assert victim.ask("reload")["code"] == 78
    victim.write_config()


def reload_what_cannot_start(victim: Victim) -> None:
    victim.write_config(pool='python = "./bad"')
    assert victim.ask("reload")["code"] == 70
    victim.write_config()


def reload_many_times(victim: Victim) -> None:
    for _ in range(victim.chance.randint(2, 20)):
        victim.signal(signal.SIGHUP)
    # Who asks now hears of a reload that begins after all of those have been seen.
    assert victim.ask("reload")["code"] == 0
    victim.workers = configured(victim)


def configured(victim: Victim) -> int:
    text = victim.running.config.read_text()
    return int(text.partition("workers = ")[2].partition("\n")[0])


def reopen(victim: Victim) -> None:
    with contextlib.suppress(FileNotFoundError):
        victim.access.rename(victim.access.with_suffix(".1"))
    victim.signal(signal.SIGUSR1)


def grow(victim: Victim) -> None:
    if victim.workers < MOST_WORKERS:
        victim.signal(signal.SIGTTIN)
        victim.workers += 1


def shrink(victim: Victim) -> None:
    victim.signal(signal.SIGTTOU)
    victim.workers = max(victim.workers - 1, 1)


def upgrade(victim: Victim) -> None:
    old = victim.master()
    victim.write_config()  # the new master goes by the file, not by TTIN and TTOU
    victim.signal(signal.SIGUSR2)
    wait_for(lambda: victim.master() != old, "the new master")


def fill_disk(victim: Victim) -> None:
    """Leave no room for the log; what is over when `free_disk` makes some."""
    if victim.disk is not None:
        with contextlib.suppress(OSError), open(victim.disk / "ballast", "wb") as ballast:
            ballast.write(bytes(DISK_SIZE))


def exhaust_fds(victim: Victim) -> None:
    """Take a worker's descriptors away while clients come."""
    worker = victim.any_worker()
    with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        limits = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (worker.num_fds(), limits[1]))
        try:
            with contextlib.ExitStack() as clients:
                for _ in range(20):
                    clients.enter_context(victim.running.connect())
                victim.running.get("/page")
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, limits)


STEPS: tuple[Callable[[Victim], None], ...] = (
    kill_worker,
    freeze_worker,
    kill_spawner,
    kill_program,
    leave_program,
    reload_well,
    reload_nonsense,
    reload_what_cannot_start,
    reload_many_times,
    reopen,
    grow,
    shrink,
    upgrade,
    fill_disk,
    exhaust_fds,
)


# What must be true afterwards.


def check(victim: Victim) -> None:
    """Wait until all has come to rest, and see that nothing is broken, lost or left."""
    free_disk(victim)
    found = wait_for(lambda: at_rest(victim), "rest")
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


def at_rest(victim: Victim) -> dict[str, Any]:
    """Return the status once the right processes are there, able to run, and nobody is served."""
    found = victim.ask("status")
    workers, pools = found["workers"], found["pools"]
    is_at_rest = (
        found["master"]["state"] == "serving"
        and [one["state"] for one in workers] == ["ready"] * victim.workers
        and [one["state"] for one in pools] == ["ready"]
        and not any(one["connections"] or one["in_flight"] for one in workers)
        and not any(one["running"] or one["queued"] for one in pools)
        and not any(map(is_stopped, [*workers, *pools]))
        and not processes_with(marker(victim))
        and found["master"]["pid"] == victim.master()
    )
    return found if is_at_rest else {}


def is_stopped(one: dict[str, Any]) -> bool:
    """Whether it is gone or stands still, which its master has not noticed yet."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(one["pid"]).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    return True


def marker(victim: Victim) -> str:
    """Return what stands in the environment of each of its programs."""
    return f"SCRIPT_FILENAME={victim.running.directory}"


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


# A file system for the access log alone.


def may_mount() -> bool:
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Path | None]:
    """Mount a small file system there, where that is allowed; else None."""
    path.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=755", "none", str(path)]
    if not may_mount() or subprocess.run(["mount", *options], capture_output=True).returncode:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
