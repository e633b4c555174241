"""The metrics of the server, for Prometheus and whoever reads its format."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from forkhttpd.handlers.show.audience import check
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Bytes, Response
from forkhttpd.overview import Overview

_EXPOSITION: Final = "forkhttpd.handlers.show.exposition"


class Metrics:
    """The handler of a mount that shows metrics.

    look: returns how the server is now; local: only clients on this machine may see it.
    """

    __slots__ = ("_expose", "_local", "_look")

    def __init__(self, look: Callable[[], Overview], *, local: bool) -> None:
        self._look = look
        self._local = local
        # By name, for a worker that shows no metrics is not to load all that.
        self._expose: Any = import_module(_EXPOSITION).expose

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for the mount itself.  Raises HTTPError: 403, 404, 405."""
        check(request, path, local=self._local)
        accept = request.fields.get("accept") or ""
        content_type, text = self._expose(self._look(), accept)
        fields = (("Content-Type", content_type), ("Cache-Control", "no-store"))
        return Response(200, fields, Bytes(text))
