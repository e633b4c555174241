"""The metrics of the server, for Prometheus and whoever reads its format."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from forkhttpd.handlers.locality import Locality
from forkhttpd.handlers.show.audience import check
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Bytes, Response
from forkhttpd.overview import Overview

_EXPOSITION: Final = "forkhttpd.handlers.show.exposition"


class Metrics:
    """The handler of a mount that shows metrics.

    look: returns how the server is now; only: who may see it, None for everybody.
    """

    __slots__ = ("_expose", "_look", "_only")

    def __init__(self, look: Callable[[], Overview], *, only: Locality | None) -> None:
        self._look = look
        self._only = only
        # By name, for a worker that shows no metrics is not to load all that.
        self._expose: Any = import_module(_EXPOSITION).expose

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for the mount itself.  Raises HTTPError: 403, 404, 405."""
        check(request, path, only=self._only)
        accept = request.fields.get("accept") or ""
        content_type, text = self._expose(self._look(), accept)
        fields = (("Content-Type", content_type), ("Cache-Control", "no-store"))
        return Response(200, fields, Bytes(text))
