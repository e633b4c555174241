"""Which network an address is in, of some that are told apart by a value.

The smallest network that an address is in counts, whatever the order: routers do it so, and no
line can be in the way of another.  An IPv4 address is itself also when it arrives as ::ffff:1.2.3.4
over a socket for both; a Unix socket has the address "" and is found as "unix".
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from forkhttpd.config.networks import Network

_REMEMBERED = 4096  # addresses; the same clients come again and again

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return an address in its one form: without a scope, and IPv4 as IPv4; None if it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class NetworkTable:
    """A value for each of some networks.  `find` returns that of an address, None if it has none.

    `find` takes a numeric address, or "" for the peer at a Unix socket.
    """

    __slots__ = ("_networks", "_unix", "find")

    def __init__(self, entries: Iterable[tuple[Network, bool]]) -> None:
        values = dict(entries)
        self._unix = values.pop("unix", None)
        networks = [(one, value) for one, value in values.items() if not isinstance(one, str)]
        self._networks = sorted(networks, key=lambda entry: entry[0].prefixlen, reverse=True)
        self.find = lru_cache(_REMEMBERED)(self._find)

    def _find(self, host: str) -> bool | None:
        if not host:
            return self._unix
        address = parse_address(host)
        if address is None:
            return None
        return next((value for network, value in self._networks if address in network), None)


def table_of(networks: Iterable[Network]) -> NetworkTable:
    """Return a table that finds True for whoever is in one of the networks."""
    return NetworkTable((network, True) for network in networks)
