"""What a listener makes of the connections that come in by it."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from forkhttpd.http1.request import Endpoint, Request
from forkhttpd.http1.response import Response

Respond = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Entrance:
    """server: our end of it; respond: who answers; tls: what its connections are encrypted with;
    is_proxied: they begin with a header of the PROXY protocol.
    """

    server: Endpoint
    respond: Respond
    tls: ssl.SSLContext | None = None
    is_proxied: bool = False
