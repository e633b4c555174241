"""A browser on a wire: the few commands of W3C WebDriver that the tests need.

chromedriver speaks JSON over HTTP (https://www.w3.org/TR/webdriver2/), so the standard library is
client enough, and nothing is downloaded behind the tests' back.
"""

import base64
import contextlib
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.browser.processes import running

COMMAND_SECONDS = 60.0

# Own pages on loopback only: without the sandbox, which root cannot have, and without the traffic
# that a browser starts by itself.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that WebDriver §12.2 gives elements


class Browser:
    """One session: one window of one browser."""

    __slots__ = ("_session",)

    def __init__(self, driver: str, arguments: Sequence[str]) -> None:
        options = {"goog:chromeOptions": {"args": list(arguments)}}
        answer = _ask("POST", f"{driver}/session", {"capabilities": {"alwaysMatch": options}})
        self._session = f"{driver}/session/{answer['sessionId']}"
        self._command("POST", "timeouts", {"implicit": 10_000, "pageLoad": 20_000})

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._command("POST", "url", {"url": url})

    @property
    def url(self) -> str:
        """Where the window is now."""
        return str(self._command("GET", "url"))

    @property
    def title(self) -> str:
        """The title of the page."""
        return str(self._command("GET", "title"))

    def text(self, selector: str) -> str:
        """Return what an element shows; waits until there is one."""
        return str(self._command("GET", f"element/{self._find(selector)}/text"))

    def follow(self, words: str) -> None:
        """Click the link whose words contain `words`."""
        self._command("POST", f"element/{self._find(words, by='partial link text')}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Press keys in an element."""
        self._command("POST", f"element/{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click an element; waits for the page that the click opens, if any."""
        self._command("POST", f"element/{self._find(selector)}/click", {})

    def enter_frame(self, selector: str) -> None:
        """Go on inside a frame of the page."""
        self._command("POST", "frame", {"id": {_ELEMENT: self._find(selector)}})

    def run(self, script: str) -> Any:
        """Run a function body of JavaScript and return what it returns."""
        return self._command("POST", "execute/sync", {"script": script, "args": []})

    def wait(self, script: str, *arguments: object) -> Any:
        """Run a function body that calls its last argument when it has a result; return that."""
        parameters = {"script": script, "args": list(arguments)}
        return self._command("POST", "execute/async", parameters)

    def resize(self, width: int, height: int) -> None:
        """Set what the page believes of its window, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, color_scheme: str) -> None:
        """Choose "light" or "dark"."""
        feature = {"name": "prefers-color-scheme", "value": color_scheme}
        self._devtools("Emulation.setEmulatedMedia", {"features": [feature]})

    def screenshot(self, file: Path) -> None:
        """Keep what the window shows as a PNG."""
        file.write_bytes(base64.b64decode(self._command("GET", "screenshot")))

    def quit(self) -> None:
        """Close the browser."""
        _ask("DELETE", self._session)

    def _find(self, selector: str, *, by: str = "css selector") -> str:
        query = {"using": by, "value": selector}
        return str(self._command("POST", "element", query)[_ELEMENT])

    def _command(self, method: str, name: str, parameters: object = None) -> Any:
        return _ask(method, f"{self._session}/{name}", parameters)

    def _devtools(self, command: str, parameters: object) -> None:
        self._command("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})


def _ask(method: str, url: str, parameters: object = None) -> Any:
    """Send one command; raises AssertionError with the driver's words when it fails."""
    body = None if parameters is None else json.dumps(parameters).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=COMMAND_SECONDS) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            reason = json.load(error)["value"]
        raise AssertionError(f"{method} {url}: {reason['error']}: {reason['message']}") from None


@contextlib.contextmanager
def browser(chromedriver: str, directory: Path) -> Iterator[Browser]:
    """Run a headless browser with a fresh profile in `directory`; it ends with the context."""
    ready = rb"started successfully on port (\d+)"
    with running([chromedriver, "--port=0"], ready=ready, stop=signal.SIGTERM) as (port, _):
        flags = (*FLAGS, f"--user-data-dir={directory}")
        session = Browser(f"http://127.0.0.1:{port}", flags)
        try:
            yield session
        finally:
            session.quit()
