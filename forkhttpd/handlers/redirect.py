"""Answers that lead elsewhere: a mount that has moved, a directory that lacks its slash.

A path goes into a Location segment by segment, each encoded, with exactly one slash before each:
`//evil.example` or `/\\evil.example` would name another host to a browser (S4).
"""

from typing import Final
from urllib.parse import quote

from forkhttpd.config import Mount
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Response


class Redirect:
    """The handler of a mount that has moved: its path is replaced, what follows stays.

    A mount at `/old/` with the target `/new/` sends `/old/a?b` to `/new/a?b`.
    """

    __slots__ = ("_base", "_status", "_target")

    def __init__(self, mount: Mount) -> None:
        self._target = mount.redirect
        self._base = mount.redirect.rstrip("/")
        self._status = mount.status

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for `path`, the part of the request's path below the mount: "" or "/…"."""
        if request.target.encoded_slash >= 0:
            raise HTTPError(404, f"{request.path}: an encoded slash is no separator")
        location = self._base + _encoded(path) if path else self._target
        return _redirect(self._status, location, request.target.query)


def to_slash(request: Request) -> Response:
    """Redirect a directory to its slash, on this host whatever the path is."""
    return _redirect(301, _encoded(request.path + "/"), request.target.query)


def _redirect(status: int, location: str, query: str) -> Response:
    return Response(status, (("Location", f"{location}?{query}" if query else location),))


# What RFC 3986 §3.3 lets stand in a path, so that a name stays as readable as it can be.
_CHARACTERS: Final = "!$&'()*+,;=:@~"


def _encoded(path: str) -> str:
    """Return a path as it stands in a URL, without empty segments; its last slash stays."""
    segments = path.encode("utf-8", "surrogateescape").split(b"/")
    kept = [quote(segment, safe=_CHARACTERS) for segment in segments if segment]
    return "/".join(["", *kept, ""] if path.endswith("/") else ["", *kept])
