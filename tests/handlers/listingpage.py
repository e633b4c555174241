"""A listing as its readers have it: people a page, programs a document."""

import json
from html.parser import HTMLParser
from typing import Any

from forkhttpd.handlers.listing.contents import Contents, Item, Kind, Sorting
from forkhttpd.handlers.listing.page import render
from tests.handlers.driver import Serve, ask, content_of, field

NOW = 1_700_000_000.0

VOID = {"meta"}


class Page(HTMLParser):
    """A page as a reader has it: links, their texts, and whether its elements nest."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.rows: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.elements: list[str] = []
        self._open: list[str] = []
        self.heads: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "a":
            href = dict(attrs)["href"]
            assert href is not None
            (self.heads if "th" in self._open else self.links).append(href)

    def handle_startendtag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)
        if self._open[-2:] == ["a", "bdi"] and "td" in self._open:
            self.rows.append((self.links[-1], data))

    @property
    def text(self) -> str:
        return "".join(self.words)


def item(name: str, kind: Kind = Kind.FILE, size: int = 1, modified: float = NOW) -> Item:
    return Item(name, kind, size, modified)


BY_NAME = Sorting()


def page_of(*items: Item, path: str = "/a/", top: str = "/", sorting: Sorting = BY_NAME) -> Page:
    return Page(render(path, Contents(items, True, sorting), top=top, now=NOW))


# Names that files have in the wild, and in the nightmares of whoever shows them.
NAMES = [
    b"plain.txt",
    b"with space.txt",
    b"'single' \"double\" `back`.txt",
    b"<script>alert(1)<script>.txt",
    b"&amp;.txt",
    b"a#b?c%41;d&e=f+g.txt",
    b"javascript:alert(1)",
    b"back\\slash",
    "🎉 👨\u200d👩\u200d👧.txt".encode(),
    "日本語 übung.txt".encode(),
    b"new\nline.txt",
    b"tab\there",
    b"latin-\xe9\xff.txt",
    "turned \u202efdp.exe".encode(),
    b"]]>",
    b"$rows $$ ${title}",
    b"~tilde",
    b"-dash",
    b"x" * 255,
]


def document_of(serve: Serve, target: str = "/", **fields: str) -> dict[str, Any]:
    response = ask(serve(listing=True), target, accept="application/json", **fields)
    assert field(response, "Content-Type") == "application/json"
    assert field(response, "Vary") == "Accept"
    found: dict[str, Any] = json.loads(content_of(response))
    return found
