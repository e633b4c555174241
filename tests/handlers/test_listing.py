"""S8: a directory as a page."""

import json
import os
import socket
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forkhttpd.handlers.listing.contents import (
    MAX_ITEMS,
    Contents,
    Item,
    Kind,
    Sorting,
    SortKey,
)
from forkhttpd.handlers.listing.page import LINES, format_age, format_size, number_of, render
from forkhttpd.http1.target import Target
from tests.handlers.driver import (
    Serve,
    ask,
    content_of,
    field,
    get,
    open_fds,
    request_for,
    run,
    status_of,
)

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


def test_S8_every_name_is_listed_and_its_link_leads_to_it(serve: Serve, root: Path) -> None:
    for name in NAMES:
        with open(os.fsencode(root) + b"/" + name, "wb") as file:
            file.write(b"content of " + name)
    static = serve(listing=True)
    page = Page(get(static, "/"))
    assert sorted(unquote_to_bytes(link) for link, _ in page.rows) == sorted(NAMES)
    for link, _ in page.rows:
        name = unquote_to_bytes(link)
        path = "/" + name.decode("utf-8", "surrogateescape")
        request = request_for(Target(f"/{link}", path, "", "", -1))
        assert content_of(run(static(request, path))) == b"content of " + name


def test_S8_the_text_shows_what_can_be_shown() -> None:
    shown = [
        text
        for _, text in page_of(
            item("<b>&\"'.txt"),
            item("new\nline"),
            item("latin-\udce9"),
            item("turned \u202efdp.exe"),
            item("👨\u200d👩"),
            item("folder", Kind.FOLDER),
        ).rows
    ]
    assert shown == [
        "<b>&\"'.txt",
        "new\u240aline",
        "latin-\ufffd",
        "turned \ufffdfdp.exe",
        "👨\u200d👩",
        "folder/",
    ]


NAME = st.binary(min_size=1, max_size=40).map(
    lambda name: name.replace(b"/", b"_").replace(b"\0", b"_").decode("utf-8", "surrogateescape")
)


@settings(deadline=None)
@given(names=st.lists(NAME, max_size=5), path=st.lists(NAME, max_size=3))
def test_S8_no_name_gets_out_of_its_place(names: list[str], path: list[str]) -> None:
    at = "/" + "".join(f"{segment}/" for segment in path)
    page = page_of(*(item(name) for name in names), path=at)
    plain = page_of(*(item("x") for _ in names), path="/" + "x/" * len(path))
    assert page.elements == plain.elements
    assert [unquote_to_bytes(link) for link, _ in page.rows] == [
        name.encode("utf-8", "surrogateescape") for name in names
    ]
    for link in page.links:
        assert link.isascii()
        assert not set(link) & set(" <>\"'?#:\\\n")
        assert not link.startswith("//")


def test_S8_what_is_not_served_is_not_shown(serve: Serve, root: Path) -> None:
    (root / ".hidden").write_text("x")
    (root / "file").write_text("x")
    (root / "folder").mkdir()
    (root / "inside").symlink_to("file")
    (root / "inside-folder").symlink_to("folder")
    (root / "outside").symlink_to("../outside/secret.txt")
    (root / "absolute").symlink_to("/etc")
    (root / "dangling").symlink_to("nothing")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        page = Page(get(serve(listing=True), "/"))
    assert [link for link, _ in page.rows] == ["folder/", "inside-folder/", "file", "inside"]
    static = serve(listing=True)
    assert [status_of(static, f"/{link}") for link in page.links] == [200] * len(page.links)


def test_S8_off_by_default(serve: Serve, root: Path) -> None:
    assert status_of(serve(), "/") == 403


def test_S8_an_index_goes_before_a_listing(serve: Serve, root: Path) -> None:
    (root / "index.html").write_text("index")
    assert get(serve(listing=True), "/") == b"index"


def test_S8_folders_come_first_and_numbers_count(serve: Serve, root: Path) -> None:
    for name in ("page 10", "page 9", "Page 1", "apple", "Zebra", "10", "9"):
        (root / name).write_text("x")
    for name in ("zoo", "Attic"):
        (root / name).mkdir()
    page = Page(get(serve(listing=True), "/"))
    assert [text for _, text in page.rows] == [
        "Attic/",
        "zoo/",
        "9",
        "10",
        "apple",
        "Page 1",
        "page 9",
        "page 10",
        "Zebra",
    ]


def test_S8_the_way_up_is_shown_and_ends_at_the_mount() -> None:
    assert page_of(path="/files/a b/ü/").links == [
        "/",
        "/files/",
        "/files/a%20b/",
        "/files/a%20b/%C3%BC/",
        "../",
    ]
    assert page_of(path="/files/", top="/files/").links == ["/", "/files/"]
    assert page_of(path="/files/", top="/files").links == ["/", "/files/"]
    assert page_of(path="/", top="/").links == ["/"]


def test_S8_nothing_is_fetched_and_nothing_runs(serve: Serve, root: Path) -> None:
    (root / "file").write_text("x")
    response = ask(serve(listing=True), "/")
    page = content_of(response)
    assert field(response, "Content-Type") == "text/html; charset=utf-8"
    assert field(response, "Cache-Control") == "no-cache"
    assert "default-src 'none'" in (field(response, "Content-Security-Policy") or "")
    assert not {"script", "link", "img", "iframe", "object"} & set(Page(page).elements)
    assert b"prefers-color-scheme: dark" in page
    assert b'name="viewport"' in page
    for word in (b"http:", b"https:", b"url(", b"@import"):
        assert word not in page


def test_S8_an_empty_folder_says_so() -> None:
    assert "This folder is empty." in page_of().text


def test_S8_the_summary_counts() -> None:
    items = [item("a", Kind.FOLDER), item("b", size=1500), item("c", size=500)]
    assert "1 folder · 2 files · 2.0 kB" in page_of(*items).text
    assert "1 file · 1 B" in page_of(item("a")).text


def test_S8_a_large_directory_is_cut_and_says_so(serve: Serve, root: Path) -> None:
    for number in range(MAX_ITEMS):
        (root / str(number)).touch()
    assert "not all" not in Page(get(serve(listing=True), "/")).text
    assert document_of(serve)["complete"]
    (root / "one more").touch()
    assert "not all" in Page(get(serve(listing=True), "/")).text
    assert len(document_of(serve)["items"]) == MAX_ITEMS
    assert not document_of(serve)["complete"]


def test_S8_the_pages_of_a_large_directory_have_all_of_it_in_order() -> None:
    names = [f"{number}.txt" for number in range(2 * LINES + 7)]
    contents = Contents(tuple(map(item, names)), complete=True)
    pages = [Page(render("/", contents, top="/", now=NOW, number=n)) for n in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [LINES, LINES, 7]
    assert [name for page in pages for _, name in page.rows] == names
    turning = [[link for link in page.links if "page=" in link] for page in pages]
    assert turning == [["?page=2"], ["?page=1", "?page=3"], ["?page=2"]]
    assert all(f"Page {n + 1} of 3" in page.text for n, page in enumerate(pages))
    assert all(f"{len(names)} files" in page.text for page in pages)
    last = render("/", contents, top="/", now=NOW, number=9999)
    assert Page(last).rows == pages[-1].rows


def test_S8_the_order_stays_from_page_to_page_and_each_order_begins_with_its_first() -> None:
    items = tuple(item(str(number)) for number in range(LINES + 1))
    contents = Contents(items, complete=True, sorting=Sorting("size", descending=True))
    page = Page(render("/", contents, top="/", now=NOW, number=2))
    assert page.links[-1] == "?sort=size&order=desc&page=1"
    assert page.heads == ["./", "?sort=size&order=asc", "?sort=date&order=desc"]


def test_S8_a_directory_of_one_page_has_no_others() -> None:
    items = tuple(item(str(number)) for number in range(LINES))
    assert "Page 1" not in Page(render("/", Contents(items, True), top="/", now=NOW)).text


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 1),
        ("page=3", 3),
        ("sort=size&page=2", 2),
        ("page=0", 1),
        ("page=-1", 1),
        ("page=x", 1),
        ("page=99999999999999999999", 1),
        ("page=2&page=", 1),
        ("page=\u0662", 1),
    ],
)
def test_S8_which_page(query: str, number: int) -> None:
    assert number_of(query) == number


def test_S8_a_page_by_its_number(serve: Serve, root: Path) -> None:
    for number in range(LINES + 2):
        (root / str(number)).touch()
    names = [name for _, name in Page(get(serve(listing=True), "/?page=2")).rows]
    assert names == [str(LINES), str(LINES + 1)]


def test_S9_a_listing_is_never_stale(serve: Serve, root: Path) -> None:
    static = serve(listing=True)
    before = open_fds()
    for number in range(3):
        (root / str(number)).touch()
        assert len(Page(get(static, "/")).rows) == number + 1
    assert open_fds() == before


SORTED = {
    "": ["b/", "c/", "9", "10", "B"],
    "sort=name": ["b/", "c/", "9", "10", "B"],
    "sort=name&order=desc": ["c/", "b/", "B", "10", "9"],
    "sort=size&order=asc": ["b/", "c/", "10", "B", "9"],
    "sort=size&order=desc": ["b/", "c/", "9", "10", "B"],  # of equal size: by name
    "sort=date&order=asc": ["c/", "b/", "B", "9", "10"],
    "sort=date&order=desc": ["b/", "c/", "10", "9", "B"],
    "sort=color&order=down&x=%&&=": ["b/", "c/", "9", "10", "B"],
}


def make_sortable(root: Path) -> None:
    for name, size, changed in (
        ("9", 50, 2),
        ("10", 5, 3),
        ("B", 5, 1),
        ("b", None, 9),
        ("c", None, 8),
    ):
        directory = root / f"{name}-" if size is None else root / name
        directory.mkdir() if size is None else directory.write_bytes(bytes(size))
        os.utime(directory, (changed, changed))


@pytest.mark.parametrize("query", SORTED)
def test_S8_sorted_as_the_query_says(serve: Serve, root: Path, query: str) -> None:
    make_sortable(root)
    page = Page(get(serve(listing=True), f"/?{query}"))
    assert [text.replace("-/", "/") for _, text in page.rows] == SORTED[query]


def test_S8_the_heads_of_the_columns_sort() -> None:
    name, size, date = "?sort=name&order=desc", "?sort=size&order=desc", "?sort=date&order=desc"
    assert page_of().heads == [name, size, date]
    assert page_of(sorting=Sorting("name", True)).heads == ["./", size, date]
    assert page_of(sorting=Sorting("size", True)).heads == [
        "./",
        "?sort=size&order=asc",
        date,
    ]
    assert page_of(sorting=Sorting("date")).heads == ["./", size, date]
    page = render("/", Contents((), True, Sorting("size", True)), top="/", now=NOW).decode()
    assert page.count("aria-sort=") == 1
    assert '<th scope="col" aria-sort="descending"><a href="?sort=size&amp;order=asc">Size' in page


def test_S8_the_order_stays_on_the_way() -> None:
    page = page_of(item("a", Kind.FOLDER), item("b"), path="/x/", sorting=Sorting("date"))
    query = "?sort=date&order=asc"
    assert page.links == [f"/{query}", f"/x/{query}", f"../{query}", f"a/{query}", "b"]


@given(st.sampled_from(["name", "size", "date"]), st.booleans())
def test_S8_an_order_reads_back(key: SortKey, descending: bool) -> None:
    sorting = Sorting(key, descending)
    assert Sorting.of(sorting.query.removeprefix("?")) == sorting


def document_of(serve: Serve, target: str = "/", **fields: str) -> dict[str, Any]:
    response = ask(serve(listing=True), target, accept="application/json", **fields)
    assert field(response, "Content-Type") == "application/json"
    assert field(response, "Vary") == "Accept"
    found: dict[str, Any] = json.loads(content_of(response))
    return found


def test_S8_a_document_for_programs(serve: Serve, root: Path) -> None:
    (root / "a b.txt").write_text("12345")
    (root / "sub").mkdir()
    os.utime(root / "sub", (NOW, NOW))
    os.utime(root / "a b.txt", (NOW + 1, NOW + 1))
    assert document_of(serve) == {
        "path": "/",
        "complete": True,
        "items": [
            {
                "name": "sub",
                "href": "sub/",
                "type": "directory",
                "size": None,
                "modified": "2023-11-14T22:13:20Z",
            },
            {
                "name": "a b.txt",
                "href": "a%20b.txt",
                "type": "file",
                "size": 5,
                "modified": "2023-11-14T22:13:21Z",
            },
        ],
    }


def test_S8_the_document_has_every_name(serve: Serve, root: Path) -> None:
    for name in NAMES:
        with open(os.fsencode(root) + b"/" + name, "wb"):
            pass
    found = document_of(serve, "/?sort=name&order=desc")["items"]
    assert sorted(unquote_to_bytes(item["href"]) for item in found) == sorted(NAMES)
    assert sorted(item["name"] for item in found) == sorted(
        name.decode("utf-8", "replace") for name in NAMES
    )


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html; charset=utf-8",
        ),
        ("application/json, text/html", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json, */*;q=0.5", "application/json"),
        ("application/*", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("image/png", "text/html; charset=utf-8"),
    ],
)
def test_S8_who_gets_the_document(
    serve: Serve, root: Path, accept: str | None, content_type: str
) -> None:
    fields = {} if accept is None else {"accept": accept}
    response = ask(serve(listing=True), "/", **fields)
    assert field(response, "Content-Type") == content_type
    assert field(response, "Vary") == "Accept"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (4_210_000, "4.2 MB"),
        (23 * 10**9, "23 GB"),
        (2**63 - 1, "9.2 EB"),
    ],
)
def test_sizes_as_people_say_them(size: int, expected: str) -> None:
    assert format_size(size) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "just now"),
        (59.9, "just now"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (6.9 * 86400, "6 days ago"),
        (7 * 86400, None),
        (-1, None),
    ],
)
def test_ages_as_people_say_them(seconds: float, expected: str | None) -> None:
    assert format_age(seconds) == expected


def test_old_and_future_things_have_a_date() -> None:
    text = page_of(item("old", modified=784_111_777.0), item("new", modified=NOW + 86400)).text
    assert "6 Nov 1994" in text
    assert "15 Nov 2023" in text


@pytest.mark.parametrize("modified", [-(2.0**62), 2.0**62])
def test_a_time_that_no_calendar_has_is_left_out(modified: float) -> None:
    assert page_of(item("x", modified=modified)).rows == [("x", "x")]


def test_kinds_have_their_icons(serve: Serve, root: Path) -> None:
    for name in ("a.txt", "a.jpg", "a.mp3", "a.mp4", "a.zip", "a.tar.gz", "a.bin", "a.json"):
        (root / name).touch()
    page = get(serve(listing=True, clock=time.time), "/").decode()
    for kind, count in {
        "text": 2,
        "image": 1,
        "sound": 1,
        "video": 1,
        "archive": 2,
        "file": 1,
        "folder": 0,
    }.items():
        assert page.count(f'<use href="#{kind}"/>') == count, kind
        assert page.count(f'<symbol id="{kind}"') == 1
