"""Whether who asks is on this machine, and means this server: for what it tells of itself.

A browser on this machine asks in the name of whatever page it shows.  A page of anybody's may lead
a name of its own to 127.0.0.1 and read what we say to that name (DNS rebinding).  The browser
sends that name as Host, so the Host has to be one that nobody else can lead here.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from forkhttpd.hosts import Hosts
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request

# A proxy on this machine asks for others, and says so.
_OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
_OF_THIS_MACHINE: Final = ("localhost", "*.localhost")  # nobody else's (RFC 6761 §6.3)


class Locality:
    """Tells clients on this machine from all others.  names: those of the sites."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = Hosts(False)
        for name in (*_OF_THIS_MACHINE, *names):
            self._names.add(name, True)

    def has(self, request: Request) -> bool:
        """Whether whoever asks is on this machine, and neither a proxy nor a page of others."""
        return not self._objection(request)

    def admit(self, request: Request) -> None:
        """Let only a client on this machine pass.  Raises HTTPError 403."""
        if words := self._objection(request):
            raise HTTPError(403, f"shown to clients on this machine only: {words}")

    def _objection(self, request: Request) -> str:
        """Return what speaks against it, "" if nothing does."""
        for name in _OF_PROXIES:
            if name in request.fields:
                return f"who says {name} asks for another"
        client, host = request.hop.client.host, request.section.host
        if not _is_loopback(client):
            return f"not to {client or 'a Unix socket, at whose end there is a proxy'}"
        if host and not _is_address(host) and not self._names.find(host):
            return f"{host} is none of the sites' names"
        return ""


def _is_loopback(client: str) -> bool:
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    """Whether a Host is no name: an IPv6 address has its brackets, an IPv4 address none."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
