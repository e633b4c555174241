"""The list of a directory in a real browser: it sorts without a script and fits on a phone."""

import pytest

from tests.browser.webdriver import Browser

NAMES = "return [...document.querySelectorAll('td bdi')].map(each => each.textContent)"
SIZES = "return [...document.querySelectorAll('td data')].map(each => Number(each.value))"


def test_S8_a_click_on_a_head_sorts_and_another_one_turns_it_round(
    visitor: Browser, demo_url: str
) -> None:
    visitor.open(f"{demo_url}/files/")
    by_name = visitor.run(NAMES)
    visitor.click("th:nth-child(2) a")
    largest_first = visitor.run(SIZES)
    assert largest_first == sorted(largest_first, reverse=True)
    visitor.click("th:nth-child(2) a")
    assert visitor.run(SIZES) == largest_first[::-1]
    visitor.click("th:nth-child(1) a")
    assert visitor.run(NAMES) == by_name
    assert visitor.url == f"{demo_url}/files/"


def test_S8_the_order_stays_on_the_way_into_a_folder(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/files/?sort=date&order=desc")
    visitor.follow("a folder")
    assert visitor.url == f"{demo_url}/files/a%20folder/?sort=date&order=desc"
    assert visitor.text("th[aria-sort=descending]").startswith("Changed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_S8_a_list_fits_and_shows_sizes_and_dates(
    visitor: Browser, demo_url: str, width: int, scheme: str
) -> None:
    visitor.prefer(scheme)
    visitor.resize(width, 844)
    visitor.open(f"{demo_url}/files/")
    assert visitor.run("return document.documentElement.scrollWidth") <= width
    for selector in ("th a", "td data", "td time"):
        hidden = f"[...document.querySelectorAll('{selector}')].filter(e => !e.offsetParent)"
        assert visitor.run(f"return {hidden}.length") == 0
        assert visitor.run(f"return document.querySelectorAll('{selector}').length") > 1
