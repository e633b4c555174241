"""A daemon whose masters follow each other: which one it is, and the end of all of them."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil

from forkhttpd.master.pidfile import holder
from tests.live.daemon import SITE, Daemon, await_end, daemon, is_alive, wait_for


@dataclass(slots=True)
class Masters:
    """A daemon that has a PID file; whoever holds that is the master."""

    running: Daemon

    @property
    def pid(self) -> int:
        """The master that serves."""
        return holder(self.running.directory / "forkhttpd.pid") or 0

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def upgrade(self) -> int:
        """Upgrade; return the new master's pid once it serves, the old one may still drain."""
        old = self.pid
        self.signal(signal.SIGUSR2)
        wait_for(lambda: self.pid not in (0, old), f"a new master:\n{self.running.log}")
        pid = self.pid
        wait_for(lambda: f"master[{pid}]: ready: " in self.running.log, "it serves")
        return pid

    def await_alone(self) -> None:
        """Wait until the master before has left."""
        self.running.await_log(f"master[{self.pid}]: the old master has left")

    def refusal(self) -> str:
        """Ask for an upgrade that is refused; return the line that says why."""
        before = len(self.refusals())
        self.signal(signal.SIGUSR2)
        wait_for(lambda: len(self.refusals()) > before, f"a refusal:\n{self.running.log}")
        return self.refusals()[-1]

    def refusals(self) -> list[str]:
        return re.findall(r"upgrade refused, nothing changed: (.*)", self.running.log)

    def family(self) -> list[psutil.Process]:
        """Return every process below the master."""
        return psutil.Process(self.pid).children(recursive=True)

    def everybody(self) -> list[psutil.Process]:
        """Return all that has come of the first master and lives: who serves and who drains."""
        session = [one for one in psutil.process_iter() if _session(one.pid) == self._session]
        below = [one for each in session for one in _children(each)]
        return [one for one in {*session, *below} if is_alive(one)]

    @property
    def _session(self) -> int:
        return self.running.process.pid  # it was made its leader

    def end(self) -> None:
        """End all of them, however it goes."""
        everybody = self.everybody()
        for process in everybody:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.running.process.wait()
        await_end(everybody)


def _session(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


@contextlib.contextmanager
def masters(
    config: str = SITE, *, env: Mapping[str, str] = {}, wrapper: tuple[str, ...] = ()
) -> Iterator[Masters]:
    """Run a daemon that may be upgraded, and end whoever is there in the end."""
    with daemon(config, env=env, wrapper=wrapper) as running:
        followed = Masters(running)
        try:
            yield followed
        finally:
            followed.end()
