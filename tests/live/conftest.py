"""One daemon for all tests of a module that do not ask for their own."""

from collections.abc import Iterator

import pytest

from tests.live.daemon import Daemon, daemon


@pytest.fixture(scope="module")
def served() -> Iterator[Daemon]:
    """A running daemon with `www` at / and `cgi-bin` at /cgi-bin/."""
    with daemon() as running:
        yield running
