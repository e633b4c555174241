"""Who may start now, who waits, who is turned away: the limit of a pool, and its queue.

Pure: the clock is an argument.  The queue is first come, first served over all workers, and every
entry waits equally long, so that the first in the queue is always the first to run out of time.
"""

import math
from collections import OrderedDict
from typing import Callable, Generic, Hashable, List, Optional, Tuple, TypeVar

Entry = TypeVar("Entry")


class Admission(Generic[Entry]):
    """Counts what runs and keeps what waits.

    limit: how many run at once; places: how many wait beyond those that can run;
    patience: seconds that an entry waits.
    """

    __slots__ = ("_patience", "_places", "_waiting", "limit", "running")

    def __init__(self, *, limit: int, places: int, patience: float) -> None:
        self.limit = limit
        self.running = 0
        self._places = places
        self._patience = patience
        self._waiting: "OrderedDict[Hashable, Tuple[Entry, float]]" = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def arrive(self, key: Hashable, entry: Entry, *, now: float) -> bool:
        """Put an entry into the queue; False: it is full.  Keys that wait are unique."""
        free = max(0, self.limit - self.running)
        if len(self._waiting) >= free + self._places:
            return False
        self._waiting[key] = (entry, now)
        return True

    def admit(self, *, now: float) -> Optional[Tuple[Entry, float]]:
        """Let the next one run, if there is one and a place: the entry and the seconds it waited.

        Whoever got an entry calls `leave` when it has ended, or could not start.
        """
        if not self._waiting or self.running >= self.limit:
            return None
        _, (entry, since) = self._waiting.popitem(last=False)
        self.running += 1
        return entry, now - since

    def leave(self) -> None:
        """One that was admitted has ended."""
        self.running -= 1

    def cancel(self, key: Hashable) -> Optional[Entry]:
        """Take an entry out of the queue, if it is there."""
        found = self._waiting.pop(key, None)
        return found[0] if found else None

    def expire(self, *, now: float) -> List[Entry]:
        """Take out the entries whose patience has ended."""
        taken = []
        while self._waiting and self.deadline() <= now:
            _, (entry, _) = self._waiting.popitem(last=False)
            taken.append(entry)
        return taken

    def withdraw(self, unwanted: Callable[[Entry], bool]) -> List[Entry]:
        """Take out the entries of which `unwanted` is true."""
        keys = [key for key, (entry, _) in self._waiting.items() if unwanted(entry)]
        return [self._waiting.pop(key)[0] for key in keys]

    def deadline(self) -> float:
        """When the next entry runs out of patience; infinity when none waits."""
        for _, since in self._waiting.values():
            return since + self._patience
        return math.inf
