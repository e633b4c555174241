"""What trusted proxies say of a request: who asks, over what scheme, under which id.

Only the field that the operator named is read, since only that one is known to be written by the
proxy: of the other anybody may have sent one through it.  Addresses are read from the right, where
our own proxy wrote; the first that is no trusted proxy's is the client.  Where a proxy hides it
("unknown"), the client is who connected to us.

A field that cannot be read is refused.  What spoils it may be the client's part, to which a proxy
adds its own: who sends that must not be taken for the proxy, whom rules and limits let pass.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from forkhttpd.access.networks import parse_address, table_of
from forkhttpd.config import Config
from forkhttpd.config.networks import Network
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Endpoint, Hop

_REMEMBERED = 1024  # texts
_MOST = 4096  # characters of a field
_SCHEMES = ("http", "https")

# An id that stands in logs, headers and environments as it is: printable, no quotes, no spaces.
_ID = re.compile(r"[!#-\[\]-~]{1,128}")

# A node of RFC 7239 §6: an address, with a port perhaps; IPv6 in brackets then.
_NODE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?")

# A pair of RFC 7239 §4 and what ends it.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110 §5.6.2
_PAIR = re.compile(rf'[ \t]*({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*")[ \t]*([;,]|\Z)')
_EMPTY = re.compile(r"[ \t]*(,|\Z)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, as one proxy saw them; `scheme` is "" where it does not say."""

    client: Endpoint
    scheme: str


class Proxies:
    """The proxies that are believed, and the field that they write."""

    __slots__ = ("_field", "_origin", "_table")

    def __init__(self, networks: Sequence[Network], *, field: str) -> None:
        self._table = table_of(networks)
        self._field = field.lower()
        # The same clients come again and again, and to read this takes 15 µs.
        self._origin = lru_cache(_REMEMBERED)(self._find_origin)

    def trust(self, host: str) -> bool:
        """Whether what connects from an address is one of them; "" is a Unix socket."""
        return self._table.find(host) is True

    def look_behind(self, hop: Hop, fields: Fields) -> Hop:
        """Return the hop of a request that one of them passed on.  Raises HTTPError 400."""
        text = fields.joined(self._field)
        if text is not None and len(text) > _MOST:
            raise _unreadable(f"{self._field} of {len(text)} characters, at most {_MOST}")
        schemes = () if self._field == "forwarded" else tuple(fields.all("x-forwarded-proto"))
        origin = None if text is None else self._origin(text, schemes)
        given = fields.get("x-request-id") or ""
        request_id = given if _ID.fullmatch(given) else ""
        if origin is None:
            return hop.seen_as(hop.client, hop.scheme, request_id) if request_id else hop
        return hop.seen_as(origin.client, origin.scheme or hop.scheme, request_id)

    def _find_origin(self, text: str, schemes: tuple[str, ...]) -> Origin | None:
        if self._field == "forwarded":
            return self._first_untrusted(parse_forwarded(text))
        clients = [parse_node(item.strip(" \t")) for item in text.split(",")]
        scheme = _scheme(schemes)
        return self._first_untrusted(
            [None if client is None else Origin(client, scheme) for client in clients]
        )

    def _first_untrusted(self, origins: Sequence[Origin | None]) -> Origin | None:
        """Return the rightmost one that is no proxy of ours; the leftmost if all are."""
        for origin in reversed(origins):
            if origin is None or not self.trust(origin.client.host):
                return origin
        return origins[0] if origins else None


def proxies_of(config: Config) -> Proxies | None:
    """Return the proxies of a configuration, None when there are none."""
    if not config.trusted_proxies:
        return None
    return Proxies(config.trusted_proxies, field=config.forwarded)


def _scheme(values: Sequence[str]) -> str:
    """Return the one scheme that is said, "" when there are several, or others than ours."""
    scheme = values[0].lower() if len(values) == 1 else ""
    return scheme if scheme in _SCHEMES else ""


def parse_node(text: str) -> Endpoint | None:
    """Read "192.0.2.7", "192.0.2.7:80", "[2001:db8::1]:80", and a bare 2001:db8::1 as well.

    Port 0 is one that is not said.
    """
    match = _NODE.fullmatch(text)
    host = (match[1] or match[2]) if match else text
    port = int(match[3] or 0) if match else 0
    address = None if "%" in host else parse_address(host)
    if address is None or port > 65535:
        return None
    return Endpoint(str(address), port)


def parse_forwarded(text: str) -> list[Origin | None]:
    """Read a Forwarded field (RFC 7239); None for an element that names no address.

    What follows a mistake cannot be told apart any more: then it raises HTTPError 400.
    """
    origins: list[Origin | None] = []
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            empty = _EMPTY.match(text, position)  # an element without anything (RFC 9110 §5.6.1)
            if empty is None or pairs:
                raise _unreadable("forwarded is not of RFC 7239")
            position = max(empty.end(), position + 1)
            continue
        name, value, end = match.groups()
        if name.lower() in pairs:
            raise _unreadable(f"forwarded says {name} twice of one")
        pairs[name.lower()] = _unquoted(value)
        position = match.end()
        if end != ";":
            origins.append(_element(pairs))
            pairs = {}
    if pairs:
        raise _unreadable("forwarded ends in the middle")
    return origins


def _unreadable(how: str) -> HTTPError:
    return HTTPError(400, f"{how}, and so does not say who asks")


def _element(pairs: dict[str, str]) -> Origin | None:
    text = pairs.get("for", "")
    client = parse_node(text)
    proto = [pairs["proto"]] if "proto" in pairs else []
    # A bare IPv6 address is for X-Forwarded-For only (RFC 7239 §6).
    bare = ":" in text and not _NODE.fullmatch(text)
    return None if client is None or bare else Origin(client, _scheme(proto))


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
