"""The daemon that everything goes wrong with, and what is expected of it.

Its state is read from outside as far as that goes: /proc, its port, its PID file; what only it can
know it is asked for over its control socket.
"""

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from forkhttpd.inquiry import NoAnswer, ask
from forkhttpd.master.pidfile import holder
from tests.live.asking import control
from tests.live.daemon import DEADLINE, Daemon, wait_for

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

    @property
    def marker(self) -> str:
        """What stands in the environment of each of its programs."""
        return f"SCRIPT_FILENAME={self.running.directory}"

    def write_config(self, *, pool: str = "", workers: int | None = None) -> None:
        count = self.workers if workers is None else workers
        text = CONFIG.format(workers=count, access=self.access, pool=pool)
        self.running.write("forkhttpd.conf", text)

    def master(self) -> int:
        """Return the pid that the PID file names, if somebody holds it."""
        pid_file = self.running.directory / "forkhttpd.pid"
        return wait_for(lambda: holder(pid_file) or 0, "a master")

    def signal(self, number: signal.Signals) -> None:
        """Send the master a signal and wait until it has read it.

        Of signals that wait together the lower number is read first, and two equal ones are one.
        """
        master = self.master()
        os.kill(master, number)
        wait_for(lambda: not is_pending(master, number), f"{number.name} to be read")

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


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal was sent to a process, which has not taken it yet."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    masks = [line.split()[1] for line in status.splitlines() if line.startswith(("SigP", "ShdP"))]
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def stands_still(pid: int) -> bool:
    """Whether it is gone, or stopped: it does nothing any more."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    return True


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
