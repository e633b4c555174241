"""How often an address may ask: the rate of requests, over all workers."""

import math

from forkhttpd.access.meter import Meter
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.loop import Loop
from forkhttpd.worker.counting import Counting
from forkhttpd.worker.notice import Notice


class Pace:
    """The rate of one address each."""

    __slots__ = ("_counting", "_loop", "_meter", "_notice")

    def __init__(self, meter: Meter, *, counting: Counting, loop: Loop, notice: Notice) -> None:
        self._meter = meter
        self._counting = counting
        self._loop = loop
        self._notice = notice

    def keep(self, request: Request) -> None:
        """Count a request; raises HTTPError 429 for one too many, which is not counted."""
        host = request.hop.client.host
        wait = self._count(host)
        if wait:
            self._notice.tell(f"{host} asks too often (limits.rate)")
            fields = (("Retry-After", str(math.ceil(wait))),)
            raise HTTPError(429, f"{host} asks too often", fields=fields)

    def allows(self, host: str) -> bool:
        """Count a request of an address; False for one too many, which is not counted."""
        return not self._count(host)

    def _count(self, host: str) -> float:
        """Count one more if there is room for it; else return in how many seconds there will be."""
        places = self._counting.places(host)
        if places is None:
            return 0.0
        wait = self._meter.wait(places, self._loop.now)
        if not wait:
            self._meter.add(places, self._loop.now)
        return wait
