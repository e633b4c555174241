"""The demo site in a real browser: what a newcomer sees and tries first."""

import html
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.browser.webdriver import Browser

FILES = Path(__file__).parents[2] / "etc" / "site" / "files"
NAME = 'Zoë "Ümit" <b>&amp; O\'Neil</b>'


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_form_sends_the_first_name_and_the_reply_shows_it(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/")
    visitor.type("input[name=firstname]", NAME)
    visitor.click("form button")
    assert visitor.text("#firstname") == NAME
    assert visitor.url == f"{demo_url}/cgi-bin/post.py"


def test_picture_is_a_picture(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/")
    image = "document.querySelector('img[src=\"/test.jpg\"]')"
    assert visitor.run(f"return [{image}.naturalWidth, {image}.naturalHeight]") == [1280, 720]


def test_page_asks_nobody_else_for_anything(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/")
    names = visitor.run("return performance.getEntriesByType('resource').map(each => each.name)")
    assert f"{demo_url}/style.css" in names
    assert all(name.startswith(f"{demo_url}/") for name in names)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("path", ["/", "/cgi-bin/env.py", "/htbin/dice.py/12"])
def test_page_never_scrolls_sideways(
    visitor: Browser, demo_url: str, path: str, width: int
) -> None:
    visitor.resize(width, 800)
    visitor.open(demo_url + path)
    assert visitor.run("return document.documentElement.scrollWidth") <= width


def test_lines_of_a_slow_program_arrive_as_they_are_written(
    visitor: Browser, demo_url: str
) -> None:
    visitor.open(f"{demo_url}/cgi-bin/slow.py")
    assert visitor.text("p:last-of-type") == "That was all."
    timing = "performance.getEntriesByType('navigation')[0]"
    milliseconds = visitor.run(f"return {timing}.responseEnd - {timing}.responseStart")
    # Held back and sent in one piece it would be next to nothing.
    assert milliseconds > 3000


def test_slow_program_runs_in_a_frame_of_the_page(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/")
    visitor.click("a[target=stream]")
    visitor.enter_frame("iframe[name=stream]")
    assert visitor.text("p").startswith("Line 1 of 5")


@pytest.mark.parametrize("name", sorted(file.name for file in FILES.iterdir() if file.is_file()))
def test_listing_leads_to_every_file_by_its_name(
    visitor: Browser, demo_url: str, name: str
) -> None:
    visitor.open(f"{demo_url}/files/")
    visitor.follow(name)
    assert visitor.text("body").strip() == (FILES / name).read_text().strip()


def test_listing_leads_into_a_folder(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/files/")
    visitor.follow("a folder")
    visitor.follow("poem.txt")
    assert visitor.text("body").startswith("A server stood upon a hill")


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/cgi-bin/env.py", "What a program sees"),
        ("/cgi-bin/hello.sh", "Hello from the shell"),
        ("/cgi-bin/hello.pl", "Hello from Perl"),
        ("/htbin/dice.py/2", "You rolled"),
    ],
)
def test_program_answers_with_a_page(
    visitor: Browser, demo_url: str, path: str, heading: str
) -> None:
    visitor.open(demo_url + path)
    assert visitor.text("h1").startswith(heading)


def test_program_shows_the_query_it_was_given(visitor: Browser, demo_url: str) -> None:
    visitor.open(f"{demo_url}/cgi-bin/env.py?color=orange&fork=%3Ci%3E")
    assert "QUERY_STRING color=orange&fork=%3Ci%3E" in visitor.text("table")


def test_every_link_of_the_page_leads_where_it_says(demo_url: str) -> None:
    with urllib.request.urlopen(f"{demo_url}/", timeout=60) as answer:
        links = set(re.findall(r'(?:href|src)="(.+?)"', answer.read().decode()))
    missing = {link for link in links if status(urljoin(demo_url, html.unescape(link))) != 200}
    # One is missing for show, the other is for the reader to write.
    assert missing == {"/no-such-page", "/cgi-bin/mine.sh"}
