"""One daemon for all tests of a module that do not ask for their own."""

from collections.abc import Iterator

import pytest

from tests.live.daemon import SITE, Daemon, daemon
from tests.live.programs import ENVIRONMENT
from tests.live.site import furnish, strict_daemon


@pytest.fixture(scope="module")
def served() -> Iterator[Daemon]:
    """A running daemon with `www` at / and `cgi-bin` at /cgi-bin/."""
    with daemon() as running:
        yield running


@pytest.fixture(scope="module", params=[False, True], ids=["cold", "warm"])
def pooled(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """The same, once with a pool that is cold and once with one that is warm (C17)."""
    with daemon(f"{SITE}\n[pool.default]\nwarm = {str(request.param).lower()}\n") as running:
        yield running


@pytest.fixture(scope="module")
def cgi(pooled: Daemon) -> Daemon:
    """The same, with a program that shows what it was given."""
    pooled.script("env.py", ENVIRONMENT)
    return pooled


@pytest.fixture(scope="module")
def site(served: Daemon) -> Daemon:
    """`served`, with pages and a program to ask for."""
    return furnish(served)


@pytest.fixture(scope="module")
def strict() -> Iterator[Daemon]:
    """A daemon with the limits that the wire corpus is made for."""
    with strict_daemon() as running:
        yield running
