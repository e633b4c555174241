"""CPU time of a server, all its processes included: those that ended, too.

A cgroup counts right whatever the processes do: fork twice, ignore SIGCHLD, die unreaped.  Both
kinds of cgroup count without any controller being enabled: version 2 in every group's cpu.stat,
version 1 where its cpuacct hierarchy is mounted.  Where we may not make a group (no root, no
delegation) the process tree is summed instead, with what that misses: see `processtree`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scripts.benchmark.processtree import ProcessStat, all_processes, cpu_seconds, tree_of

# The shell moves itself into the group named by its $0 and becomes the server.
_ENTER = 'echo 0 >"$0/cgroup.procs" && exec "$@"'
_EMPTY_DEADLINE = 5.0


class Meter(Protocol):
    """Counts, and afterwards clears away, the processes that one command line starts."""

    @property
    def counts_unreaped(self) -> bool:
        """Whether programs count that their parent never waits for."""

    def command(self, argv: list[str]) -> list[str]:
        """The command line that starts `argv` under this meter."""

    def seconds(self, root: int) -> float:
        """CPU time so far of everything that the process `root` is the root of."""

    def members(self, root: int) -> list[ProcessStat]:
        """The processes that live now."""

    def close(self) -> None:
        """Give back what the meter holds; all its processes must have ended.  May be repeated."""


class ProcessTreeMeter:
    """Sums /proc over the descendants of a process."""

    __slots__ = ()
    counts_unreaped = False

    def command(self, argv: list[str]) -> list[str]:
        return argv

    def seconds(self, root: int) -> float:
        return cpu_seconds(self.members(root))

    def members(self, root: int) -> list[ProcessStat]:
        return tree_of(root, all_processes())

    def close(self) -> None:
        pass


class CgroupMeter:
    """Owns the cgroup `directory`, from its making to `close`."""

    __slots__ = ("_directory",)
    counts_unreaped = True

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory

    def command(self, argv: list[str]) -> list[str]:
        return ["/bin/sh", "-c", _ENTER, str(self._directory), *argv]

    def seconds(self, root: int) -> float:  # noqa: ARG002
        version1 = self._directory / "cpuacct.usage"
        if version1.exists():
            return int(version1.read_text()) / 1e9
        return parse_cpu_stat((self._directory / "cpu.stat").read_text())

    def members(self, root: int) -> list[ProcessStat]:  # noqa: ARG002
        pids = (self._directory / "cgroup.procs").read_text().split()
        return [process for process in all_processes() if str(process.pid) in pids]

    def close(self) -> None:
        # EBUSY until the last of its processes has quite left.
        deadline = time.monotonic() + _EMPTY_DEADLINE
        while True:
            try:
                return self._directory.rmdir()
            except FileNotFoundError:
                return None
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def parse_cpu_stat(text: str) -> float:
    """Seconds of CPU time that a version 2 cgroup's cpu.stat tells.  Raises KeyError if none."""
    return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6


@dataclass(frozen=True, slots=True)
class Accounting:
    """How CPU time is counted in this run: `parent` is the cgroup to make groups in, if any."""

    title: str
    parent: Path | None = None

    def meter(self, name: str) -> Meter:
        """A new meter; the caller closes it."""
        if self.parent is None:
            return ProcessTreeMeter()
        return CgroupMeter(self.parent / f"bench-{os.getpid()}-{name}")


PROCESS_TREE = Accounting("/proc, programs included that their parents waited for")


def best_accounting() -> Accounting:
    """The most exact accounting that we have the rights for."""
    mounts = Path("/proc/self/mounts").read_text()
    groups = Path("/proc/self/cgroup").read_text()
    for accounting in cgroup_accountings(mounts, groups):
        if _works(accounting):
            return accounting
    return PROCESS_TREE


def cgroup_accountings(mounts: str, groups: str) -> Iterator[Accounting]:
    """Our own cgroup in each hierarchy that counts CPU time: `mounts` and `groups` are the texts
    of /proc/self/mounts and /proc/self/cgroup."""
    ours = dict(line.split(":", 2)[1:] for line in groups.splitlines())
    for line in mounts.splitlines():
        _, point, kind, options = line.split()[:4]
        if kind == "cgroup2" and "" in ours:
            yield Accounting("cgroup v2", Path(point + ours[""]))
        elif kind == "cgroup" and "cpuacct" in options.split(","):
            for names, group in ours.items():
                if "cpuacct" in names.split(","):
                    yield Accounting("cgroup v1", Path(point + group))


def _works(accounting: Accounting) -> bool:
    """Whether a process can enter a group of it: a writable directory alone does not tell."""
    try:
        with closing_meter(accounting.meter("probe")) as meter:
            subprocess.run(meter.command(["true"]), check=True, stderr=subprocess.DEVNULL)
            meter.seconds(0)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def closing_meter(meter: Meter) -> Iterator[Meter]:
    """Close `meter` at the end, whatever happens."""
    try:
        yield meter
    finally:
        meter.close()


def kill_all(processes: list[ProcessStat]) -> None:
    """Kill those of `processes` that still live, and no other process that took a number over."""
    living = {(process.pid, process.started) for process in all_processes()}
    for process in processes:
        if (process.pid, process.started) in living:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
