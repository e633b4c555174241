"""The census: what addresses do, counted by all workers in memory that they share.

It is anonymous shared memory that the master makes once and every worker inherits by fork: no
descriptor, nothing in a file system, and no page of it exists before somebody counts.

Moments are written by everybody (see `access/meter.py`).  How many connections an address has is
counted in columns, one for each slot of the scoreboard, that only the worker of the slot writes;
readers add them up, and what a worker leaves behind that died is wiped by the master.

An address has two places in each table, by a hash with a key that is made at the start, so nobody
can choose addresses that meet; see `access/meter.py` for what two are good for.
"""

import ipaddress
import mmap
import secrets
from hashlib import blake2b

from forkhttpd.scoreboard import SLOTS

ROWS = 4096  # places of each of the two hashes

_METERS = ("requests", "failures")
_METER_SIZE = 2 * ROWS * 8  # bytes
_COLUMNS = SLOTS  # of the one master that we have
_COLUMN = 8 + 2 * ROWS  # words of 32 bits: the number of all connections, and one for each place
_TOTAL = 0
_HEAD = 8  # words before the first column: how many columns were ever used


class Census:
    """All tables.  Lives as long as the master; a new master of an upgrade begins anew."""

    __slots__ = ("_counts", "_head", "_key", "_map", "_moments")

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        moments = len(_METERS) * _METER_SIZE
        self._map = mmap.mmap(-1, moments + 4 * (_HEAD + _COLUMNS * _COLUMN))
        whole = memoryview(self._map)
        self._moments = whole[:moments].cast("Q")
        self._head = whole[moments : moments + 4 * _HEAD].cast("I")
        self._counts = whole[moments + 4 * _HEAD :].cast("I")

    def close(self) -> None:
        """Unmap it, which nobody may use any more then."""
        for view in (self._moments, self._head, self._counts):
            view.release()
        self._map.close()

    def meter(self, name: str) -> memoryview:
        """Return the table of moments of a meter."""
        start = _METERS.index(name) * 2 * ROWS
        return self._moments[start : start + 2 * ROWS]

    def wipe(self, slot: int) -> None:
        """Forget the connections of a slot's worker, which is gone or not there yet; the master's.

        Where nothing was counted nothing is written: an empty page costs no memory.
        """
        column = slot % _COLUMNS
        self._head[0] = max(self._head[0], column + 1)
        start = column * _COLUMN
        if any(self._counts[start : start + _HEAD]):
            self._counts[start : start + _COLUMN] = memoryview(bytes(4 * _COLUMN)).cast("I")

    def count(self, slot: int, places: tuple[int, ...], change: int) -> None:
        """Count a connection of the calling worker that begins (1) or ends (-1)."""
        start = slot % _COLUMNS * _COLUMN
        self._counts[start + _TOTAL] += change
        self._counts[start + 1] = 1  # something was counted here
        for place in places:
            self._counts[start + _HEAD + place] += change

    def connections(self) -> int:
        """Return how many connections all workers have."""
        return self._sum(_TOTAL)

    def connections_of(self, places: tuple[int, int]) -> int:
        """Return how many of them an address has, or a few more."""
        return min(self._sum(_HEAD + place) for place in places)

    def _sum(self, row: int) -> int:
        return sum(self._counts[row : self._head[0] * _COLUMN : _COLUMN])

    def places(self, host: str) -> tuple[int, int]:
        """Return the places of an address in every table.  Of IPv6 a /64 is one (RFC 6177)."""
        digest = blake2b(_counted(host), key=self._key, digest_size=8).digest()
        first = int.from_bytes(digest[:4], "little") % ROWS
        second = int.from_bytes(digest[4:], "little") % ROWS
        return first, ROWS + second


def _counted(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.encode()
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return mapped.packed if mapped is not None else address.packed[:8]
    return address.packed
