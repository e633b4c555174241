"""Things that go wrong with a daemon, one function each.

Each returns when it has happened, which the rest of the daemon need not have noticed yet.
"""

import contextlib
import os
import resource
import signal
from collections.abc import Callable

import psutil

from tests.live.daemon import wait_for
from tests.live.scene import processes_with
from tests.live.victim import DISK_SIZE, Victim, is_pending, stands_still

MOST_WORKERS = 5


def kill_worker(victim: Victim) -> None:
    deadly = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGQUIT]
    strike(victim.any_worker(), victim.chance.choice(deadly))


def freeze_worker(victim: Victim) -> None:
    strike(victim.any_worker(), signal.SIGSTOP)


def kill_spawner(victim: Victim) -> None:
    for spawner in victim.children("forkhttpd: spawner"):
        strike(spawner, signal.SIGKILL)


def strike(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal and wait until it stands still; after TERM it works on, once it has read it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
    wait_for(lambda: stands_still(process.pid) or has_read_term(process, number), f"{number.name}")


def has_read_term(process: psutil.Process, number: signal.Signals) -> bool:
    return number is signal.SIGTERM and not is_pending(process.pid, number)


def kill_program(victim: Victim) -> None:
    """Start a program that never ends, and end it behind everybody's back."""
    with victim.running.connect() as client:
        client.sendall(b"GET /cgi-bin/sleep.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(OSError):
            client.recv(1000)
        for pid in processes_with(victim.marker):
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
    answer = victim.ask("reload")
    assert answer["code"] == 78, answer
    victim.write_config()


def reload_what_cannot_start(victim: Victim) -> None:
    victim.write_config(pool='python = "./bad"')
    answer = victim.ask("reload")
    assert answer["code"] == 70, answer
    victim.write_config()


def reload_many_times(victim: Victim) -> None:
    for _ in range(victim.chance.randint(2, 20)):
        victim.signal(signal.SIGHUP)
    # Who asks now hears of a reload that begins after all of those have been seen.
    answer = victim.ask("reload")
    assert answer["code"] == 0, answer
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
    # It has the PID file first, and answers once it serves.
    wait_for(lambda: victim.ask("status")["master"]["pid"] != old, "the new master")


def fill_disk(victim: Victim) -> None:
    """Leave no room for the log; what is over when `free_disk` makes some."""
    if victim.disk is not None:
        with contextlib.suppress(OSError), open(victim.disk / "ballast", "wb") as ballast:
            ballast.write(bytes(DISK_SIZE))


def exhaust_fds(victim: Victim) -> None:
    """Take a worker's descriptors away while clients come.

    Each of the few may have the one place that is left, and gives it up when its idle second is
    over: what comes last has to wait that long for all of them.
    """
    worker = victim.any_worker()
    with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        limits = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (worker.num_fds(), limits[1]))
        try:
            with contextlib.ExitStack() as clients:
                for _ in range(5):
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
