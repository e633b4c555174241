"""Clients that never stop asking, in threads, and what became of them."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.live.daemon import Daemon


@dataclass(slots=True)
class Load:
    """What the clients have seen so far.  failures: requests without the right answer, in words."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, failure: str = "") -> None:
        with self._lock:
            self.answered += not failure
            if failure:
                self.failures.append(failure)


@contextlib.contextmanager
def load(running: Daemon, *paths: str, clients: int = 2, keep_alive: bool) -> Iterator[Load]:
    """Ask for the paths, again and again, until the block ends; the clients have ended then.

    keep_alive: a connection for many requests, else one for each.
    """
    seen, stop = Load(), threading.Event()
    ask = _on_one_connection if keep_alive else _on_many_connections
    threads = [
        threading.Thread(target=_repeat, args=(ask, running, paths, seen, stop))
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()  # each of its waits has a deadline


def _repeat(
    ask: Callable[..., None],
    running: Daemon,
    paths: tuple[str, ...],
    seen: Load,
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            ask(running, paths, seen, stop)
        except (OSError, http.client.HTTPException) as error:
            seen.count(f"{type(error).__name__}: {error}")


def _on_many_connections(
    running: Daemon, paths: tuple[str, ...], seen: Load, _stop: threading.Event
) -> None:
    for path in paths:
        with contextlib.closing(running.session()) as session:
            _ask(session, path, seen)


def _on_one_connection(
    running: Daemon, paths: tuple[str, ...], seen: Load, stop: threading.Event
) -> None:
    """Until the server says that it is the last answer; then the client's library reconnects."""
    with contextlib.closing(running.session()) as session:
        while not stop.is_set():
            for path in paths:
                _ask(session, path, seen)


def _ask(session: http.client.HTTPConnection, path: str, seen: Load) -> None:
    session.request("GET", path)
    response = session.getresponse()
    body = response.read()
    right = response.status == 200 and body
    seen.count("" if right else f"{path}: {response.status}, {len(body)} bytes")
