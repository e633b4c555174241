"""Who may start now, who waits, who is turned away: the limit of a pool, and its queue.

Pure: the clock is an argument.  The queue is first come, first served over all workers, and every
entry waits equally long, so that the first in the queue is always the first to run out of time.

Entries of one mount may have a limit of their own below the pool's.  Those that wait for it let
others pass, and they get that much of the queue, too: a mount with a quarter of the programs has a
quarter of the places to wait (one at least).  So a mount that is full holds up nobody but itself.
"""

import math
from collections import OrderedDict
from typing import Callable, Dict, Generic, Hashable, List, NamedTuple, Optional, Tuple, TypeVar

Entry = TypeVar("Entry")


class Share(NamedTuple):
    """Whose limit an entry counts towards beside the pool's, and that limit; 0 is none."""

    name: bytes
    most: int


ANY = Share(b"", 0)


class Admission(Generic[Entry]):
    """Counts what runs and keeps what waits.

    limit: how many run at once; places: how many wait beyond those that can run;
    patience: seconds that an entry waits.
    """

    __slots__ = ("_has_shares", "_patience", "_places", "_shares", "_waiting", "limit", "running")

    def __init__(self, *, limit: int, places: int, patience: float) -> None:
        self.limit = limit
        self.running = 0
        self._places = places
        self._patience = patience
        self._waiting: "OrderedDict[Hashable, Tuple[Entry, float, Share]]" = OrderedDict()
        self._shares: Dict[bytes, int] = {}  # what runs, by name
        self._has_shares = False

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def arrive(self, key: Hashable, entry: Entry, *, now: float, share: Share = ANY) -> bool:
        """Put an entry into the queue; False: it is full.  Keys that wait are unique."""
        self._has_shares = self._has_shares or share.most > 0
        if not self._may_come(share):
            return False
        self._waiting[key] = (entry, now, share)
        return True

    def _may_come(self, share: Share) -> bool:
        """Whether there is room to run for one more, or else a place to wait."""
        free = max(0, self.limit - self.running)
        if not self._has_shares:
            return len(self._waiting) < free + self._places
        running, held, alike = dict(self._shares), 0, 0
        for _, _, other in self._waiting.values():  # who of them is going to run?
            if free and _has_room(other, running):
                free -= 1
                running[other.name] = running.get(other.name, 0) + 1
            else:
                held += 1
                alike += other.name == share.name
        if free > 0 and _has_room(share, running):
            return True
        return held < self._places and alike < self._places_of(share)

    def _places_of(self, share: Share) -> int:
        if not share.most:
            return self._places
        return max(1, math.ceil(self._places * min(share.most / self.limit, 1.0)))

    def admit(self, *, now: float) -> Optional[Tuple[Entry, float]]:
        """Let the next one run, if there is one and a place: the entry and the seconds it waited.

        Whoever got an entry calls `leave` when it has ended, or could not start.
        """
        if self.running >= self.limit:
            return None
        for key, (entry, since, share) in self._waiting.items():
            if _has_room(share, self._shares):
                del self._waiting[key]
                self._count(share, 1)
                return entry, now - since
        return None

    def leave(self, share: Share = ANY) -> None:
        """One that was admitted, with this share, has ended."""
        self._count(share, -1)

    def _count(self, share: Share, more: int) -> None:
        self.running += more
        if share.most:
            self._shares[share.name] = self._shares.get(share.name, 0) + more

    def cancel(self, key: Hashable) -> Optional[Entry]:
        """Take an entry out of the queue, if it is there."""
        found = self._waiting.pop(key, None)
        return found[0] if found else None

    def expire(self, *, now: float) -> List[Entry]:
        """Take out the entries whose patience has ended."""
        taken = []
        while self._waiting and self.deadline() <= now:
            _, (entry, _, _) = self._waiting.popitem(last=False)
            taken.append(entry)
        return taken

    def withdraw(self, unwanted: Callable[[Entry], bool]) -> List[Entry]:
        """Take out the entries of which `unwanted` is true."""
        keys = [key for key, (entry, _, _) in self._waiting.items() if unwanted(entry)]
        return [self._waiting.pop(key)[0] for key in keys]

    def deadline(self) -> float:
        """When the next entry runs out of patience; infinity when none waits."""
        for _, since, _ in self._waiting.values():
            return since + self._patience
        return math.inf


def _has_room(share: Share, running: Dict[bytes, int]) -> bool:
    return not share.most or running.get(share.name, 0) < share.most
