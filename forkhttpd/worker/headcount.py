"""How many connections there may be: of one address, and of all, over all workers."""

from forkhttpd.access.meter import Places
from forkhttpd.census import Census
from forkhttpd.config import Limits
from forkhttpd.scoreboard import Cell, Slot
from forkhttpd.worker.counting import Counting
from forkhttpd.worker.notice import Notice


class Headcount:
    """Counts this worker's connections in the census, and looks what all of them come to."""

    __slots__ = ("_census", "_counting", "_limits", "_notice", "_slot")

    def __init__(
        self, limits: Limits, census: Census, *, counting: Counting, slot: Slot, notice: Notice
    ) -> None:
        self._limits = limits
        self._census = census
        self._counting = counting
        self._slot = slot
        self._notice = notice

    def enter(self, host: str) -> bool:
        """Count a connection that begins; False if there is no room, and it is not counted.

        It is counted first: of two workers that take the last one at once, none may pass by.
        """
        places = self._counting.places(host)
        self._count(places, 1)
        reason = self._reason(host, places)
        if reason:
            self._count(places, -1)
            self._slot.add(Cell.REFUSED, 1)
            self._notice.tell(reason)
        return not reason

    def leave(self, host: str) -> None:
        """Count a connection that ends."""
        self._count(self._counting.places(host), -1)

    def _count(self, places: Places | None, change: int) -> None:
        self._census.count(self._slot.index, places or (), change)

    def _reason(self, host: str, places: Places | None) -> str:
        """Return why there is no room, "" when there is."""
        total, each = self._limits.total_connections, self._limits.connections_per_address
        if total and self._census.connections() > total:
            return f"there are {total} (limits.total_connections)"
        if each and places is not None and self._census.connections_of(places) > each:
            return f"{host} has {each} (limits.connections_per_address)"
        return ""


def is_wanted(limits: Limits) -> bool:
    """Whether connections are to be counted at all."""
    return bool(limits.total_connections or limits.connections_per_address)
