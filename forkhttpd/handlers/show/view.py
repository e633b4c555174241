"""What the handlers here ask of whoever watches the server."""

from typing import Protocol

from forkhttpd.chronicle import Sample
from forkhttpd.http1.request import Request
from forkhttpd.overview import Overview


class View(Protocol):
    """The whole server, as a worker sees it."""

    @property
    def is_leaving(self) -> bool:
        """Whether the worker drains, so that nobody should stay."""

    def overview(self) -> Overview:
        """Return how it is now."""

    def samples(self, now: float) -> list[Sample]:
        """Return the last minutes, oldest first; `now` is in seconds since the epoch."""

    def stream(self, request: Request) -> None:
        """Take note that the answer lasts as long as the client likes."""
