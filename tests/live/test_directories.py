"""S4, S8: directories over the wire: redirected to their own name, listed, or neither."""

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import SITE, Daemon, daemon

AWKWARD = (
    "plain.txt",
    "two words",
    " leading and trailing ",
    'quote\'s "double" `back`',
    "<b>&amp;",
    "100%",
    "%41",
    "a#b?c=d&e",
    "semi;colon",
    "scheme:name",
    "http:",
    "plus+plus",
    "back\\slash",
    "-rf",
    "~home",
    "ümläut",
    "emoji 🐑",
    "new\nline",
    "escape \x1b[31m",
    "\u202egpj.exe",
    os.fsdecode(b"latin-1 \xe4\xff"),
    "x" * 255,
)


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    with daemon(start=False) as running:
        running.write("www/many words/index.html", "words")
        running.write("www/100%/ü/index.html", "deep")
        running.write("www/evil.example/index.html", "good")
        running.write("www/list/a.txt", "a")
        for name in AWKWARD:
            running.write(f"www/awkward/{name}", name.encode("utf-8", "surrogateescape"))
        running.start()
        yield running


@pytest.fixture
def client(site: Daemon) -> Iterator[Client]:
    with open_client(site) as connected:
        yield connected


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/list", "/list/"),
        ("/list?a=b//c", "/list/?a=b//c"),
        ("//evil.example", "/evil.example/"),
        ("///evil.example", "/evil.example/"),
        ("/.//evil.example", "/evil.example/"),
        ("/x/..//evil.example?y", "/evil.example/?y"),
        ("http://localhost//evil.example", "/evil.example/"),
        ("/many%20words", "/many%20words/"),
        ("/100%25/%C3%BC", "/100%25/%C3%BC/"),
    ],
)
def test_S4_a_directory_is_redirected_on_this_host(
    client: Client, target: str, location: str
) -> None:
    reply = client.ask(get(target))
    assert (reply.status, reply.fields["location"]) == (301, location)
    assert client.ask(get(reply.fields["location"])).status == 200


@pytest.mark.parametrize("target", ["//evil.example/%2f..", "/%2Fevil.example", "/%5Cevil.example"])
def test_S4_what_is_no_directory_is_not_redirected(client: Client, target: str) -> None:
    reply = client.ask(get(target))
    assert reply.status in (400, 404)
    assert "location" not in reply.fields


class _Links(HTMLParser):
    """The links of a page, in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs.append(dict(attrs)["href"] or "")


def test_S8_every_link_of_a_listing_leads_to_what_it_names(client: Client) -> None:
    page = client.ask(get("/awkward/"))
    assert page.fields["content-type"] == "text/html; charset=utf-8"
    found = set()
    for href in _Links(page.text).hrefs:
        assert re.fullmatch(r"[A-Za-z0-9._~%/?=&-]+", href)
        if href.startswith(("/", "../", "?")):  # elsewhere, or the same in another order
            assert client.ask(get(urljoin("/awkward/", href))).status == 200
            continue
        reply = client.ask(get(f"/awkward/{href}"))
        assert reply.status == 200, href
        found.add(reply.body)
    assert found == {name.encode("utf-8", "surrogateescape") for name in AWKWARD}


def test_S8_a_listing_shows_what_is_there_now(site: Daemon, client: Client) -> None:
    site.write("www/growing/one", "")
    assert "two" not in client.ask(get("/growing/")).text
    site.write("www/growing/two", "")
    assert "two" in client.ask(get("/growing/")).text


def test_a_directory_without_listing_is_403() -> None:
    with daemon(SITE.replace("listing = true", "")) as running:
        running.write("www/list/a.txt", "a")
        assert running.get("/list/").status == 403
        assert running.get("/list/a.txt").text == "a"
