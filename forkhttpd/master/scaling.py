"""How many workers the load asks for: readings in, a number out; no I/O and no clock.

What is measured.  A worker is one thread that serves everybody from one epoll loop.  The number of
requests in flight says little about it: a thousand slow downloads cost it nothing, and a dozen
listings may fill it.  What it runs out of is time, so its load is the share of time in which its
loop did not wait for something to do.  That counts time on the CPU, time spent waiting for a CPU
or for a disk, and so on: while it lasts, nobody else of that worker is served.  The other thing
that it can run out of is connections (`limits.connections`).  The worse of the two counts.

What follows.  The mean over all workers is what is used of what there is.  Above GROW_ABOVE there
is too little to spare, and as many are started as would bring it down to COMFORT, at most as many
as there are.  One is taken away when those that stay would not even be at SHRINK_BELOW, and only
after that has been so for a while: a start costs little, too few workers cost requests.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LOOK = 1.0  # seconds between two looks at the load
GROW_ABOVE = 0.7
COMFORT = 0.5
SHRINK_BELOW = 0.4


@dataclass(frozen=True, slots=True)
class Bounds:
    """least, most: workers; shrink: seconds of spare time that cost one its place."""

    least: int
    most: int
    shrink: float

    def clamp(self, count: int) -> int:
        """Return the number within the bounds that is nearest."""
        return max(self.least, min(count, self.most))


@dataclass(frozen=True, slots=True)
class Reading:
    """One worker at one moment.

    worked: seconds that its loop has not waited, since its start; connections: share of those that
    it may have; memory: resident bytes, 0 when nobody asked.
    """

    worked: float
    connections: float = 0.0
    memory: int = 0


@dataclass(slots=True, eq=False)
class Scaling:
    """What the looks so far have shown."""

    bounds: Bounds
    _before: Mapping[int, Reading] = field(default_factory=dict)  # by slot
    _looked_at: float = -math.inf
    _spare_since: float = math.inf

    def look(self, readings: Mapping[int, Reading], *, count: int, now: float) -> int:
        """Return how many workers there ought to be, where `count` serve; `now` in seconds."""
        used = sum(self._loads(readings, now - self._looked_at))
        self._before, self._looked_at = dict(readings), now
        if used > GROW_ABOVE * count:
            self._spare_since = math.inf
            return self.bounds.clamp(min(math.ceil(used / COMFORT), count * 2))
        if count <= self.bounds.least or used > SHRINK_BELOW * (count - 1):
            self._spare_since = math.inf
            return self.bounds.clamp(count)
        self._spare_since = min(self._spare_since, now)
        if now - self._spare_since < self.bounds.shrink:
            return self.bounds.clamp(count)
        self._spare_since = now
        return self.bounds.clamp(count - 1)

    def _loads(self, readings: Mapping[int, Reading], elapsed: float) -> Iterator[float]:
        """Yield everybody's load; who was not there at the last look has not worked yet."""
        for slot, reading in readings.items():
            before = self._before.get(slot, reading)
            time = max(reading.worked - before.worked, 0.0) / elapsed
            yield max(min(time, 1.0), reading.connections)
