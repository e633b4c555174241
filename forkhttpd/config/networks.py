"""Networks of the configuration: who is meant by an address, a prefix, or a word.

"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"; "all" is everybody with an address, and "unix" whoever
comes through a Unix socket, which has none.
"""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from itertools import chain
from typing import Annotated, Literal

from forkhttpd.config.schema import Checked, Spelled

Network = IPv4Network | IPv6Network | Literal["unix"]

_EVERYBODY = ("0.0.0.0/0", "::/0")


def parse_network(text: object) -> Network:
    """Return a network.  Raises ValueError with the words that the operator needs."""
    if text == "unix":
        return "unix"
    if not isinstance(text, str):
        raise ValueError('not a network; write it in quotes, as in "10.0.0.0/8"')
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            'not a network; write one like "10.0.0.0/8", "192.0.2.7" or "2001:db8::/32"'
        ) from None
    if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
        raise ValueError(f'an address inside a network; write "{network}" for the whole of it')
    return network


def _parse_networks(text: object) -> tuple[Network, ...]:
    """Return the networks of one item of a list; "all" stands for every address there is."""
    return tuple(map(parse_network, _EVERYBODY if text == "all" else (text,)))


def _join(items: tuple[tuple[Network, ...], ...]) -> tuple[Network, ...]:
    return tuple(chain.from_iterable(items))


Networks = Annotated[
    tuple[Annotated[Network, Spelled(_parse_networks)], ...],
    Checked(_join),
]
