"""The status page in a real browser: it fills itself, stays live, and fits on a phone."""

import urllib.error
import urllib.request

import pytest

from tests.browser.webdriver import Browser

ROWS = "return document.querySelectorAll('#{} tbody tr').length"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_status_fits_and_fills_itself(
    visitor: Browser, demo_url: str, width: int, scheme: str
) -> None:
    visitor.prefer(scheme)
    visitor.resize(width, 844)
    visitor.open(f"{demo_url}/status/")
    assert visitor.text("#link.good") == "live"
    assert visitor.run("return document.documentElement.scrollWidth") <= width
    assert visitor.run(ROWS.format("workers")) >= 1
    assert visitor.text("#pools tbody td") == "default"
    assert "generation 1" in visitor.text("#about")


def test_status_is_live_and_asks_nobody_else(visitor: Browser, demo_url: str) -> None:
    visitor.resize(1280, 900)
    visitor.open(f"{demo_url}/status/")
    visitor.text("#link.good")
    # A second event, and with it something that was asked for since the first.
    path = "/no-such-page?<b>"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(demo_url + path.replace("<", "%3C").replace(">", "%3E"))
    refused.value.close()
    drawn = "return document.querySelector('#graph-requests polyline').getAttribute('points')"
    first = visitor.run(drawn)
    changed = (
        "const [drawn, done] = [arguments[0], arguments[1]]; const look = () => "
        "document.querySelector('#graph-requests polyline').getAttribute('points') !== drawn "
        "? done(true) : setTimeout(look, 50); look()"
    )
    assert visitor.wait(changed, first)
    names = visitor.run("return performance.getEntriesByType('resource').map(each => each.name)")
    assert all(name.startswith(f"{demo_url}/status/") for name in names)
    assert visitor.run("return document.querySelectorAll('b b, td b').length") == 0
