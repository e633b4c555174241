"""The census: what addresses do, counted by all workers in memory that they share.

It is anonymous shared memory that the master makes once and every worker inherits by fork: no
descriptor, nothing in a file system, and no page of it exists before somebody counts.

An address has two places in each table, by a hash with a key that is made at the start, so nobody
can choose addresses that meet; see `access/meter.py` for what two are good for.
"""

import ipaddress
import mmap
import secrets
from hashlib import blake2b

ROWS = 4096  # places of each of the two hashes

_METERS = ("requests", "failures")
_METER_SIZE = 2 * ROWS * 8  # bytes


class Census:
    """All tables.  Lives as long as the master; a new master of an upgrade begins anew."""

    __slots__ = ("_key", "_map", "_words")

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._map = mmap.mmap(-1, len(_METERS) * _METER_SIZE)
        self._words = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """Unmap it, which nobody may use any more then."""
        self._words.release()
        self._map.close()

    def meter(self, name: str) -> memoryview:
        """Return the table of moments of a meter."""
        start = _METERS.index(name) * 2 * ROWS
        return self._words[start : start + 2 * ROWS]

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
