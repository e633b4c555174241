"""How much memory a daemon's processes need at worst while something happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.live.daemon import Daemon


@dataclass(slots=True)
class Growth:
    """By process title, in bytes: the peak of resident memory less what it was before."""

    bytes: dict[str, int] = field(default_factory=dict)

    @property
    def worst(self) -> int:
        return max(self.bytes.values())


@contextmanager
def growth_of(running: Daemon) -> Iterator[Growth]:
    """Measure workers and spawners; the result is there when the context has ended."""
    growth = Growth()
    processes = running.workers() + running.spawners()
    before = {process: _start_anew(process) for process in processes}
    yield growth
    for process, resident in before.items():
        title = " ".join(process.cmdline()).strip()
        growth.bytes[title] = _peak(process) - resident


def _start_anew(process: psutil.Process) -> int:
    """Forget a process's peak, and return what is resident now: proc(5), clear_refs."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return _peak(process)


def _peak(process: psutil.Process) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{process} has gone")
