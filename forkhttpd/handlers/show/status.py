"""The server as a page for people: who there is, what they do, and the last minutes as graphs.

    PATH/           the page; it asks nobody else for anything
    PATH/data       the same as JSON
    PATH/events     the same again each second, as server-sent events, for the page

A stream ends when its worker drains; the browser then comes back by itself, to another one.
"""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any, Final

from forkhttpd.chronicle import BOUNDS, Sample, Totals
from forkhttpd.handlers.locality import Locality
from forkhttpd.handlers.show.audience import check
from forkhttpd.handlers.show.page import PAGE
from forkhttpd.handlers.show.script import SCRIPT
from forkhttpd.handlers.show.view import View
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import EMPTY, Bytes, Chunks, Response
from forkhttpd.loop import Loop
from forkhttpd.overview import Overview

_PATHS: Final = ("", "/", "/data", "/events")
_PAUSE: Final = 1.0  # seconds between two events
_MOST_STREAMS: Final = 32  # of one worker: each costs it a millisecond a second
_GRACE: Final = 1.0  # seconds until a client that has finished sending counts as gone

_HASH: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FRESH: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
_HTML: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _POLICY),
    *_FRESH,
)
_JSON: Final = (("Content-Type", "application/json"), *_FRESH)
_EVENTS: Final = (("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no"), *_FRESH)
_BODY: Final = PAGE.substitute(script=SCRIPT).encode()


class Status:
    """The handler of a mount that shows the status.

    only: who may see it, None for everybody; clock: seconds since the epoch.
    """

    __slots__ = ("_clock", "_loop", "_only", "_streams", "_view")

    def __init__(
        self,
        view: View,
        *,
        loop: Loop,
        only: Locality | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._view = view
        self._loop = loop
        self._only = only
        self._clock = clock
        self._streams = 0

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for the mount and what is below it.  Raises HTTPError: 403, 404, 405, 503."""
        check(request, path, paths=_PATHS, only=self._only)
        match path:
            case "/data":
                return Response(200, _JSON, Bytes(self._document(0)))
            case "/events":
                return self._stream(request)
            case _:
                return Response(200, _HTML, Bytes(_BODY))

    def _stream(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(200, _EVENTS, EMPTY)
        if self._streams >= _MOST_STREAMS:
            words = f"{self._streams} watch already"
            raise HTTPError(503, words, fields=(("Retry-After", "5"),))
        # Who comes back after the end is to come to another worker, and so by a new connection.
        pieces = Chunks(self._events(request))
        return Response(200, _EVENTS, pieces, close_connection=True)

    async def _events(self, request: Request) -> AsyncIterator[bytes]:
        self._view.stream(request)
        request.hop.watch_client(_GRACE)
        self._streams += 1
        try:
            yield b"retry: 1000\n\n"
            seen = 0
            while not self._view.is_leaving:
                yield b"data: " + self._document(seen) + b"\n\n"
                seen = int(self._clock()) - 1  # that second may still be missing
                await self._loop.sleep(self._loop.now + _PAUSE)
        finally:
            self._streams -= 1

    def _document(self, seen: int) -> bytes:
        """Return all of it, with the samples that are younger than `seen`."""
        samples = [one for one in self._view.samples(self._clock()) if one.time > seen]
        document = describe(self._view.overview(), samples)
        return json.dumps(document, separators=(",", ":")).encode()


def describe(overview: Overview, samples: list[Sample]) -> dict[str, Any]:
    """Return an overview as JSON knows it.  Seconds and bytes; times since the epoch."""
    return {
        "version": overview.version,
        "time": round(overview.time, 3),
        "since": round(overview.since, 3),
        "generation": overview.generation,
        "reloads": overview.reloads,
        "workers": [_rounded(asdict(one)) for one in overview.workers],
        "spawners": [_rounded(asdict(one)) for one in overview.spawners],
        "pools": {name: _rounded(asdict(pool)) for name, pool in overview.pools.items()},
        "ended": overview.ended,
        "sites": _sites(overview.totals),
        "durations": _durations(overview.totals),
        "samples": [asdict(one) for one in samples],
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in values.items()
    }


def _sites(totals: Totals) -> dict[str, dict[str, Any]]:
    """Return what each site has answered: bytes, and how often by method and status."""
    sites: dict[str, dict[str, Any]] = {
        site: {"bytes": size, "methods": {}, "statuses": {}} for site, size in totals.sent.items()
    }
    for (site, method, status), count in totals.answers.items():
        for kind, name in (("methods", method), ("statuses", status)):
            counts = sites[site][kind]
            counts[name] = counts.get(name, 0) + count
    return dict(sorted(sites.items()))


def _durations(totals: Totals) -> dict[str, dict[str, Any]]:
    """Return how long answers took; a bucket is an upper bound, None for none, and a count."""
    return {
        kind: {
            "seconds": round(one.seconds, 6),
            "buckets": list(zip((*BOUNDS, None), one.buckets, strict=True)),
        }
        for kind, one in totals.times.items()
    }
