"""Pools that start programs cold and warm, and a browser to look at what they answer."""

import sys
from collections.abc import Iterator

import pytest

from tests.browser.webdriver import Browser, browser
from tests.live.daemon import SITE, Daemon, daemon
from tests.programs.peers import need


@pytest.fixture(scope="session", params=["cold", "warm"])
def pool(request: pytest.FixtureRequest) -> str:
    """A [pool.default] with our own interpreter; every test runs over both kinds."""
    warm = "true" if request.param == "warm" else "false"
    return f'\n[pool.default]\npython = "{sys.executable}"\nwarm = {warm}\n'


@pytest.fixture(scope="module")
def served(pool: str) -> Iterator[Daemon]:
    """A running daemon with `www` at / and `cgi-bin` at /cgi-bin/."""
    with daemon(SITE + pool) as running:
        yield running


@pytest.fixture(scope="session")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium with a fresh profile."""
    need("chromium", package="chromium")
    chromedriver = need("chromedriver", package="chromium-driver")
    with browser(chromedriver, tmp_path_factory.mktemp("profile")) as session:
        yield session
