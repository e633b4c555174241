"""What a pool's programs may use: resource limits, and how much they yield to others.

A program has its limits from birth where that can be: the spawner lowers its own soft limits, which
a child inherits, for the moment in which it starts one.  Two things cannot be had this way, and
follow at once, by the child's number: the hard limits, since we could not raise ours again, and the
address space, since it would be ours as well.

Each limit holds for each process by itself, but for RLIMIT_NPROC: the kernel counts all processes
of a user, wherever they were started, and never those of root.
"""

import os
import resource
from contextlib import contextmanager, nullcontext, suppress
from typing import ContextManager, Dict, Iterator, Tuple

# Seconds of CPU between SIGXCPU, which a program may handle, and SIGKILL.
_CPU_GRACE = 5
_BY_NUMBER_ALONE = (resource.RLIMIT_AS,)

Limits = Dict[int, Tuple[int, int]]
"""Soft and hard limit of each resource that is not as it was inherited."""


class Allowance:
    """The limits of a pool's programs.

    wanted: soft and hard limit of each resource, cut down to what we may give; nice: 0 to 19,
    on top of ours.
    """

    __slots__ = ("_limits", "_nice", "_ours")

    def __init__(self, wanted: Limits, *, nice: int) -> None:
        limits = {kind: _possible(kind, *wanted[kind]) for kind in wanted}
        ours = {kind: resource.getrlimit(kind) for kind in wanted}
        self._limits = {kind: limits[kind] for kind in wanted if limits[kind] != ours[kind]}
        self._nice = nice and os.getpriority(os.PRIO_PROCESS, 0) + nice  # the kernel stops at 19
        self._ours = {kind: ours[kind] for kind in self._limits if kind not in _BY_NUMBER_ALONE}

    def lowered(self) -> ContextManager[None]:
        """Have our own soft limits as low as a program's, while one is started."""
        return self._lowered() if self._ours else nullcontext()

    @contextmanager
    def _lowered(self) -> Iterator[None]:
        self.lower()
        try:
            yield
        finally:
            self.restore()

    def lower(self) -> None:
        """Make our own soft limits as low as a program's."""
        for kind, (_, hard) in self._ours.items():
            resource.setrlimit(kind, (self._limits[kind][0], hard))

    def restore(self) -> None:
        """Make our own limits what they were."""
        for kind, ours in self._ours.items():
            resource.setrlimit(kind, ours)

    def impose(self, pid: int) -> None:
        """Give a program that has just been started the rest; 0 is whoever calls.

        One that is another user's by now, by sudo, keeps what it was born with, and one that has
        ended needs nothing.
        """
        if not self._limits and not self._nice:
            return
        with suppress(ProcessLookupError, PermissionError):
            for kind, limits in self._limits.items():
                resource.prlimit(pid, kind, limits)
            if self._nice:
                os.setpriority(os.PRIO_PROCESS, pid, self._nice)


def share(wanted: Limits, kind: int) -> None:
    """Take a limit for ourselves that we can do with: programs then have it from us."""
    if kind in wanted:
        resource.setrlimit(kind, _possible(kind, *wanted[kind]))


def limits_of(
    *, address_space: int, cpu: int, open_files: int, user_processes: int, file_size: int, core: int
) -> Limits:
    """Return the limits that a pool's settings amount to: 0 leaves one as it is, but for core."""
    same = {
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_NPROC: user_processes,
        resource.RLIMIT_FSIZE: file_size,
    }
    limits = {kind: (value, value) for kind, value in same.items() if value}
    if cpu:
        limits[resource.RLIMIT_CPU] = (cpu, cpu + _CPU_GRACE)
    limits[resource.RLIMIT_CORE] = (core, core)
    return limits


def _possible(kind: int, soft: int, hard: int) -> Tuple[int, int]:
    """Cut limits down to our own hard one, which nobody but root may raise."""
    highest = resource.getrlimit(kind)[1]
    if highest == resource.RLIM_INFINITY:
        return soft, hard
    return min(soft, highest), min(hard, highest)
