"""Whether this server wants more requests: for balancers and supervisors, wherever they are.

200 while it serves, 503 from the moment on that it is to stop.  Old workers of a reload stay ready,
for others serve on.  That it answers at all says that it lives.
"""

from collections.abc import Callable
from typing import Final

from forkhttpd.handlers.show.audience import check
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Bytes, Response

_FIELDS: Final = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))


class Readiness:
    """The handler of a mount that shows readiness; tells nothing that needs a guard."""

    __slots__ = ("_is_ready",)

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for the mount itself.  Raises HTTPError: 404, 405."""
        check(request, path, only=None)
        if self._is_ready():
            return Response(200, _FIELDS, Bytes(b"ready\n"))
        return Response(503, _FIELDS, Bytes(b"stopping\n"))
