"""Networks of the configuration: who is meant by an address, a prefix, or a word.

"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"; "all" is everybody with an address, and "unix" whoever
comes through a Unix socket, which has none.
"""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer

Network = IPv4Network | IPv6Network | Literal["unix"]

_EVERYBODY = ("0.0.0.0/0", "::/0")


def parse_network(text: object) -> object:
    """Return a network.  Raises ValueError with the words that the operator needs."""
    if text == "unix" or isinstance(text, IPv4Network | IPv6Network):
        return text
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


def _expand(value: object) -> object:
    """Let "all" stand for every address there is."""
    if not isinstance(value, list):
        return value
    return [part for item in value for part in (_EVERYBODY if item == "all" else (item,))]


Networks = Annotated[
    tuple[
        Annotated[
            IPv4Network | IPv6Network | Literal["unix"],
            BeforeValidator(parse_network),
            PlainSerializer(str, return_type=str),
        ],
        ...,
    ],
    BeforeValidator(_expand),
]
