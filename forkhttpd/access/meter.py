"""How often an address may do something: a rate, and how many at once (GCRA).

Each address has a moment from which on its past counts for nothing; each time it does something,
that moment moves on by one interval, and it must not be further away than a burst of intervals.
The moments stand in a table that all workers share, each written by a single store, so nobody
locks and nobody can be stuck.  Two who write the same one in the same microsecond count as one.

Addresses have places by a keyed hash, two for each, and the earlier of both moments counts: so who
shares one place with somebody busy has another.
"""

from forkhttpd.config.rates import Rate

Places = tuple[int, int]


class Meter:
    """One table; `moments` are nanoseconds of CLOCK_MONOTONIC."""

    __slots__ = ("_burst", "_interval", "_moments")

    def __init__(self, moments: memoryview, rate: Rate, *, burst: int = 0) -> None:
        """`burst` 0 is as many at once as the rate counts."""
        self._moments = moments
        self._interval = max(int(rate.seconds * 1e9 / rate.count), 1)
        self._burst = (burst or rate.count) * self._interval

    def wait(self, places: Places, now: float) -> float:
        """Return in how many seconds there is room for one more: 0.0 is now."""
        moment = int(now * 1e9)
        return max(self._due(places, moment) - moment - self._burst, 0) / 1e9

    def room(self, places: Places, now: float) -> int:
        """Return for how many more there is room at once; for none while there is a `wait`."""
        moment = int(now * 1e9)
        left = moment + self._burst - self._due(places, moment)
        return max(left // self._interval + 1, 0)

    def add(self, places: Places, now: float) -> None:
        """Count one more, whether there is room or not."""
        due = self._due(places, int(now * 1e9))
        for place in places:
            self._moments[place] = max(self._moments[place], due)

    def _due(self, places: Places, moment: int) -> int:
        first, second = places
        earlier: int = min(self._moments[first], self._moments[second])
        return max(earlier, moment) + self._interval
