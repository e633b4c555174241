"""What part of all connections a worker has, and whether it leaves the next ones to others (M17).

Facts
    * Whom the kernel wakes depends on who is asleep, and who is awake takes what it has time for.
      Of 400 slow requests for four workers on two cores, the one that had a core to itself took up
      to 222, in a burst and one by one alike; 10 of 36 crowds went beyond 150.
    * To register the listener anew, as `acceptor.py` does, shares out among who sleeps, no more.

Decision
    Who has a fifth and sixteen more than the mean stands back for a moment; the scoreboard tells
    what the others have, up to 10 ms late where it becomes less.  Of 210 such crowds, on one core,
    on two, and beside four processes that wanted both, the largest share was 135.  Few connections
    may be shared as they come: a worker with much to do in one turn does it for less.

    Evenness is not worth waiting for: others may hang, or have as much as they can do though they
    hold little.  So patience ends after half a second in all, and is back once the share is even
    again.  With three of four workers stopped, 400 one by one took 1.1 s instead of 0.4.
"""

import math
from collections.abc import Sequence
from typing import Final

from forkhttpd.scoreboard import Cell, Scoreboard, Slot, SlotState

MOMENT: Final = 0.01  # seconds

_PATIENCE: Final = 50  # moments
_EXCESS: Final = 1.2  # of the mean
_FEW: Final = 16  # connections
_LOOK_DELAY: Final = 0.001  # seconds; a look takes 0.4 µs for each worker
_FIND_DELAY: Final = 1.0  # seconds; a search takes 20 µs


class Share:
    """One worker's; `slot` is its own."""

    __slots__ = ("_bound", "_find_at", "_look_at", "_patience", "_scoreboard", "_slot", "_slots")

    def __init__(self, scoreboard: Scoreboard, slot: Slot) -> None:
        self._scoreboard = scoreboard
        self._slot = slot
        self._slots: Sequence[Slot] = ()
        self._patience = _PATIENCE
        self._bound = 0.0
        self._find_at = self._look_at = -math.inf

    def stands_back(self, held: int, now: float) -> bool:
        """Whether to stand back for a `MOMENT`, with `held` connections; each yes takes patience.

        now: seconds, of any clock that does not go back.  The others see `held` from here on.
        """
        self._slot.set(Cell.CONNECTIONS, held)
        if held > self._bound or now >= self._look_at:
            self._look_at = now + _LOOK_DELAY
            self._bound = self._look(now)
        if held <= self._bound:
            self._patience = _PATIENCE
            return False
        if self._patience == 0:
            return False
        self._patience -= 1
        return True

    def _look(self, now: float) -> float:
        if now >= self._find_at:
            self._find_at = now + _FIND_DELAY
            self._slots = self._find()
        serving = [slot for slot in self._slots if slot.get(Cell.STATE) == SlotState.READY]
        total = sum(slot.get(Cell.CONNECTIONS) for slot in serving)
        return _EXCESS * total / max(1, len(serving)) + _FEW

    def _find(self) -> Sequence[Slot]:
        """Return the slots of all workers who take from the same listeners as we do."""
        generation = self._slot.get(Cell.GENERATION)
        return [
            slot
            for slot in self._scoreboard.living()
            if not slot.name and slot.get(Cell.GENERATION) == generation
        ]
