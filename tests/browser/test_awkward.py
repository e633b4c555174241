"""Lists of awkward names, long lists and error pages in a browser, on a phone and on a desk."""

import json
import os
import urllib.request
from collections.abc import Iterator

import pytest

from tests.browser.webdriver import Browser
from tests.live.daemon import SITE, Daemon, daemon

WIDTHS = (390, 1280)
ENTRIES = 2500
NAMES = (
    "plain.txt",
    " two words ",
    'quote\'s "double" `back`',
    "<script>document.title=1<",
    "<img src=x onerror=document.title=1>",
    "100% #1?&amp;=.txt",
    "emoji 🐑",
    "new\nline",
    "עברית שלום.txt",
    "\u202egpj.exe",
    "scheme:name",
    "x" * 200,
    os.fsdecode(b"latin-1 \xe4\xff"),
)


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true"), start=False) as running:
        for size, name in enumerate(NAMES):
            running.write(f"www/awkward/{name}.txt", f"number {size}".ljust(20 + size, "."))
        running.write(f"www/{'deep' * 50}/{'deeper' * 40}/file", "")
        for number in range(ENTRIES):
            running.write(f"www/many/{number}.txt", "")
        running.script("broken.sh", f"#!/bin/sh\necho {'x' * 300} >&2\nexit 1\n")
        running.start()
        yield running


def url(site: Daemon, path: str) -> str:
    return f"http://127.0.0.1:{site.port}{path}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/awkward/",
        "/many/",
        "/many/?page=3",
        f"/{'deep' * 50}/{'deeper' * 40}/",
        "/none",
        "/cgi-bin/",
    ],
)
def test_S8_nothing_scrolls_sideways_and_text_can_be_told_from_its_ground(
    visitor: Browser, site: Daemon, path: str, scheme: str, width: int
) -> None:
    visitor.prefer(scheme)
    visitor.resize(width, 844)
    visitor.open(url(site, path))
    assert visitor.run("return document.documentElement.scrollWidth") <= width
    assert visitor.run(_CONTRAST) >= 4.5  # WCAG 2.2, 1.4.3


# The least contrast of any text to what is behind it, by the formula of WCAG 2.2.  The canvas
# itself has the color of the scheme.
_CONTRAST = """
const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
const parts = color => color.match(/[0-9.]+/g).map(Number);
const ground = element => {
  for (; element; element = element.parentElement) {
    const found = parts(getComputedStyle(element).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found;
  }
  return canvas;
};
const light = color => {
  const [r, g, b] = color.slice(0, 3).map(each => each / 255)
    .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = element => {
  const behind = ground(element), opacity = getComputedStyle(element).opacity;
  const shown = parts(getComputedStyle(element).color)
    .map((each, index) => each * opacity + behind[index] * (1 - opacity));
  const [one, other] = [shown, behind].map(light);
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
};
const texts = [...document.querySelectorAll(
  'h1, h1 a[aria-current], h1 span, small, td a, td time, td data, th a, nav a, nav span, p')];
return Math.min(...texts.slice(0, 200).map(contrast));
"""


def test_S8_every_link_leads_to_what_it_names(visitor: Browser, site: Daemon) -> None:
    visitor.open(url(site, "/awkward/"))
    count = visitor.run("return document.querySelectorAll('td bdi').length")
    assert count == len(NAMES)
    seen = set()
    for row in range(count):
        visitor.open(url(site, "/awkward/"))
        assert visitor.title == "/awkward/"  # no name has become a script
        visitor.click(f"tbody tr:nth-child({row + 2}) a")  # the first leads to the parent
        seen.add(visitor.text("body").split(".")[0])
    assert seen == {f"number {number}" for number in range(len(NAMES))}


def test_S8_sorting_and_pages_need_no_script(visitor: Browser, site: Daemon) -> None:
    visitor.open(url(site, "/many/"))
    assert visitor.run("return document.scripts.length") == 0
    names = "return [...document.querySelectorAll('td bdi')].map(each => each.textContent)"
    found = visitor.run(names)
    for _ in range(2):
        visitor.click("a[rel=next]")
        found += visitor.run(names)
    assert found == [f"{number}.txt" for number in range(ENTRIES)]
    visitor.click("th:nth-child(1) a")
    assert visitor.run(names)[0] == f"{ENTRIES - 1}.txt"
    assert visitor.url == url(site, "/many/?sort=name&order=desc")


def test_S8_who_asks_for_json_gets_the_same_list(site: Daemon) -> None:
    request = urllib.request.Request(url(site, "/awkward/"), headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        items = json.load(answer)["items"]
    assert len(items) == len(NAMES)
    for item in items:
        with urllib.request.urlopen(url(site, f"/awkward/{item['href']}"), timeout=60) as answer:
            assert len(answer.read()) == item["size"]


CENTERED = """
const middle = element => {
  const box = element.getBoundingClientRect();
  return box.x + box.width / 2;
};
const there = [...document.querySelectorAll('h1, p')].map(middle);
return Math.max(...there) - Math.min(...there);
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_O9_the_page_of_a_failing_script_fits_whatever_it_says(
    visitor: Browser, site: Daemon, width: int
) -> None:
    visitor.resize(width, 844)
    visitor.open(url(site, "/cgi-bin/broken.sh"))
    assert "x" * 300 in visitor.text("body")
    assert visitor.run("return document.documentElement.scrollWidth") <= width
    assert visitor.run("return [...document.all].every(each => each.scrollWidth <= innerWidth)")
    assert visitor.run("return document.querySelector('h1').getBoundingClientRect().top") >= 16
    assert visitor.run(CENTERED) < 1


@pytest.mark.parametrize("width", WIDTHS)
def test_an_error_page_says_what_and_which_request(
    visitor: Browser, site: Daemon, width: int
) -> None:
    visitor.resize(width, 844)
    visitor.open(url(site, "/none"))
    assert visitor.title == "404 Not Found"
    assert visitor.text("h1") == "404\nNot Found"
    assert visitor.text("p") == "There is nothing at this address."
    assert visitor.text("small").startswith("request ")
    visitor.follow("Start page")
    assert visitor.run("return location.pathname") == "/"
