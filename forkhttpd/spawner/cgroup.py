"""A cgroup for each program: limits for all of it together, and an end that nothing escapes.

A resource limit holds for each process by itself, and a process group is easy to leave; a cgroup
(version 2) holds whatever descends from its first process.  Where the pool has a part of the tree
(see forkhttpd/cgroups.py), each program is born in a cgroup of its own, which is ended with it.

It has to be *born* there, since a program that is moved may have forked by then.  posix_spawn knows
nothing of cgroups, but a child is where its parent is: so the spawner goes in, starts the program,
and goes back.  Its limits are set right after that, so that they never hold for the spawner, whom
too little memory would end and who counts as a process.  To move is cheap while it is done often
(10 µs), and costs some milliseconds once it was not for a while (the kernel waits for an RCU grace
period, if it is not mounted with favordynmods).
"""

import itertools
import os
from contextlib import contextmanager, suppress
from typing import Dict, Iterator, List, Optional

_RETRY = 0.1  # seconds between two attempts to remove what still has a process


class Cgroup:
    """One program's."""

    __slots__ = ("_home", "path")

    def __init__(self, path: str, home: str) -> None:
        self.path = path
        self._home = home

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in it meanwhile."""
        _write(f"{self.path}/cgroup.procs", "0")
        try:
            yield
        finally:
            _write(f"{self._home}/cgroup.procs", "0")

    def take(self, pid: int) -> None:
        """Take a process in that was started elsewhere, and waits to become the program."""
        _write(f"{self.path}/cgroup.procs", str(pid))

    def limit(self, limits: Dict[str, str]) -> None:
        """Set what all of the program may have together: values by names of files."""
        for name, value in limits.items():
            _write(f"{self.path}/{name}", value)

    def kill(self) -> None:
        """Kill all that is in it.  Kernels before 5.14 cannot; there the other ways must do."""
        with suppress(FileNotFoundError):
            _write(f"{self.path}/cgroup.kill", "1")

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed something in it for using too much."""
        try:
            with open(f"{self.path}/memory.events", encoding="ascii") as file:
                events = dict(line.split() for line in file)
        except FileNotFoundError:  # no controller
            return False
        return events.get("oom_kill", "0") != "0"

    def remove(self) -> bool:
        """Remove it; False while something is alive in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:  # EBUSY
            return False
        return True


class Cgroups:
    """Makes the cgroups of the pool whose part of the tree is `directory`; "" is none.

    memory: bytes, tasks: processes and threads, that a program may have with all that it starts; 0
    is any.
    """

    __slots__ = ("_again", "_directory", "_left", "_limits", "_numbers")

    def __init__(self, directory: str, *, memory: int, tasks: int) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self._limits: Dict[str, str] = {}
        self._left: List[Cgroup] = []
        self._again = 0.0
        if memory:
            # One process of a program that is killed alone leaves the rest in no good state.
            self._limits.update({"memory.max": str(memory), "memory.oom.group": "1"})
        if tasks:
            self._limits["pids.max"] = str(tasks)

    def make(self) -> Optional[Cgroup]:
        """Return a new one, None where the pool has none.  Raises OSError."""
        if not self._directory:
            return None
        path = f"{self._directory}/{next(self._numbers)}"
        os.mkdir(path)
        return Cgroup(path, f"{self._directory}/spawner")

    def limit(self, cgroup: Cgroup) -> None:
        """Set the limits of a program that has been started in it."""
        cgroup.limit(self._limits)

    def leave(self, cgroup: Cgroup) -> None:
        """Remove it as soon as nothing is alive in it any more: see `tidy`."""
        if not cgroup.remove():
            self._left.append(cgroup)

    def tidy(self, now: float) -> None:
        """Remove what has become empty."""
        if self._left and now >= self._again:
            self._again = now + _RETRY
            self._left = [cgroup for cgroup in self._left if not cgroup.remove()]


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
