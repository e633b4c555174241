"""The demo site, served as a visitor meets it, and a browser to visit it with."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.processes import running
from tests.browser.webdriver import Browser, browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def demo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a copy of the demo site on a port of the kernel's choice; "http://127.0.0.1:PORT"."""
    copy = tmp_path_factory.mktemp("demo") / "etc"
    shutil.copytree(ROOT / "etc", copy)
    config = copy / "forkhttpd.conf"
    text = config.read_text()
    assert '"127.0.0.1:8000"' in text
    config.write_text(text.replace('"127.0.0.1:8000"', '"127.0.0.1:0"'))
    command = [sys.executable, "-m", "forkhttpd", "-c", str(config)]
    if os.getuid() == 0:
        command.append("--allow-root")
    ready = rb"listening on (http://127\.0\.0\.1:\d+)"
    with running(command, ready=ready, stop=signal.SIGINT) as (url, process):
        yield url
    assert process.returncode == 0, "Ctrl-C stops it cleanly"


@pytest.fixture(scope="session")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium with a fresh profile."""
    chromedriver = shutil.which("chromedriver")
    if chromedriver is None or shutil.which("chromium") is None:
        message = "apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with browser(chromedriver, tmp_path_factory.mktemp("profile")) as session:
        yield session
