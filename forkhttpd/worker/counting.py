"""Which clients are counted, and where: by address, but for those that many may stand behind."""

from collections.abc import Callable
from functools import lru_cache

from forkhttpd.access.meter import Places
from forkhttpd.access.networks import NetworkTable, table_of
from forkhttpd.census import Census
from forkhttpd.config import Config

_REMEMBERED = 4096  # addresses; a hash takes a few microseconds


class Counting:
    """The places of addresses in the census.

    `places` returns those of a numeric address, None for who is not counted: `limits.exempt`,
    trusted proxies, which speak for others, and who comes through a Unix socket and has no address.
    """

    __slots__ = ("_census", "_exempt", "places")

    def __init__(self, config: Config, census: Census) -> None:
        self._census = census
        self._exempt: NetworkTable = table_of((*config.limits.exempt, *config.trusted_proxies))
        self.places: Callable[[str], Places | None] = lru_cache(_REMEMBERED)(self._places)

    def _places(self, host: str) -> Places | None:
        if not host or self._exempt.find(host):
            return None
        return self._census.places(host)
