"""Lines for tests of encrypted streams."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.loop.tlsline import Line
from tests.tls.authority import Pair, make_pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("certificates"), "one", "localhost")


@pytest.fixture(params=["memory", "socket", "kernel"])
def raw(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Line]:
    """A line before its handshake."""
    with contextlib.closing(Line(pair, request.param)) as line:
        yield line


@pytest.fixture
def line(raw: Line) -> Line:
    raw.shake_hands()
    return raw
