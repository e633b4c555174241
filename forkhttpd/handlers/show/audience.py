"""Who may see what the server shows of itself, and by which requests.

Where the mount has no rule of its own who may come in, only clients on this machine may.
"""

from collections.abc import Collection

from forkhttpd.handlers.locality import Locality
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request


def check(
    request: Request, path: str, *, paths: Collection[str] = ("", "/"), only: Locality | None
) -> None:
    """Let a GET or HEAD of one of `paths` pass; `only`: of clients there.

    Raises HTTPError: 403, 404, 405.
    """
    if path not in paths:
        raise HTTPError(404, f"{request.path}: nothing is shown there")
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, request.method, fields=(("Allow", "GET, HEAD"),))
    if only is not None:
        only.admit(request)
