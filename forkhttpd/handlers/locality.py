"""Whether who asks is on this machine: for what the server tells of itself."""

import ipaddress
from typing import Final

from forkhttpd.http1.request import Request

# A proxy on this machine asks for others, and says so.
_OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


def is_local(request: Request) -> bool:
    """Whether whoever asks is on this machine, and no proxy that asks for others."""
    if any(name in request.fields for name in _OF_PROXIES):
        return False
    try:
        return ipaddress.ip_address(request.hop.client.host).is_loopback
    except ValueError:  # a Unix socket, at whose other end there is a proxy as a rule
        return False
