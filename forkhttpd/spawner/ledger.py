"""What the programs of a pool came to, counted since the spawner's start (C19).

It is written where the master can read it, into the spawner's slot of the scoreboard: whole numbers
that only grow, in microseconds and KiB, so that whoever adds up several spawners loses nothing.
"""

import os
import resource

from forkhttpd.scoreboard import Cell, Slot

_MICRO = 1_000_000


class Ledger:
    """Counts in the slot of the scoreboard that is its spawner's."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def started(self, queue_wait: float) -> None:
        """A program runs, after so many seconds in the queue."""
        self._slot.add(Cell.REQUESTS, 1)
        self._slot.add(Cell.WAITED, round(queue_wait * _MICRO))

    def refused(self) -> None:
        """A request was turned away, or its program could not be started."""
        self._slot.add(Cell.REFUSED, 1)

    def ended(
        self,
        status: int,
        usage: resource.struct_rusage,
        *,
        wall: float,
        overdue: bool,
        starved: bool,
    ) -> None:
        """A program has ended, with what os.wait4 tells of it, after `wall` seconds.

        overdue: its time was up; starved: it needed more memory than it may have.
        """
        slot = self._slot
        if status:
            slot.add(Cell.KILLED if os.WIFSIGNALED(status) else Cell.FAILED, 1)
        if overdue:
            slot.add(Cell.OVERDUE, 1)
        if starved:
            slot.add(Cell.STARVED, 1)
        slot.add(Cell.USER, round(usage.ru_utime * _MICRO))
        slot.add(Cell.SYSTEM, round(usage.ru_stime * _MICRO))
        slot.add(Cell.WALL, round(wall * _MICRO))
        slot.raise_to(Cell.PEAK, usage.ru_maxrss)
