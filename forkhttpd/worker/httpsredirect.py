"""Answers of a listener that only leads to https: port 80, that is, beside 443.

One path is answered all the same, where a mount is made for it: the challenges by which a
certificate authority sees that a name is ours come over plain HTTP (RFC 8555 §8.3).
"""

from collections.abc import Awaitable
from typing import Final

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Response
from forkhttpd.worker.router import Router

_WELL_KNOWN: Final = "/.well-known"
_CHALLENGES: Final = "/.well-known/acme-challenge/"


class HTTPSRedirect:
    """Sends every request to the same address under https, on a port."""

    __slots__ = ("_port", "_router")

    def __init__(self, router: Router, port: int) -> None:
        self._router = router
        self._port = "" if port == 443 else f":{port}"

    def respond(self, request: Request) -> Awaitable[Response]:
        """Have the request answered; the Entrance.respond of such a listener."""
        if request.path.startswith(_CHALLENGES):
            route = self._router.route(request.section.host, request.path)
            if route is not None and route.mount.path.startswith(_WELL_KNOWN):
                return self._router.respond(request)
        return self._redirect(request)

    async def _redirect(self, request: Request) -> Response:
        """Redirect for good; what is no GET keeps its method (RFC 9110 §15.4.9)."""
        host = request.section.host
        if not host or request.path == "*":
            raise HTTPError(400, "no host, or no path, to redirect to https")
        target = request.target.raw
        if request.target.authority:  # the absolute form: what follows scheme and host
            target = target.partition("://")[2][len(request.target.authority) :]
        location = f"https://{host}{self._port}/{target.removeprefix('/')}"
        status = 301 if request.method in ("GET", "HEAD") else 308
        return Response(status, (("Location", location),))
