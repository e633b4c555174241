"""S8: a directory as a page."""

import os
import socket
import time
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forkhttpd.handlers.listing.contents import Kind
from forkhttpd.handlers.listing.page import format_age, format_size
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
from tests.handlers.listingpage import NAMES, NOW, Page, document_of, item, page_of


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


def test_S9_a_listing_is_never_stale(serve: Serve, root: Path) -> None:
    static = serve(listing=True)
    before = open_fds()
    for number in range(3):
        (root / str(number)).touch()
        assert len(Page(get(static, "/")).rows) == number + 1
    assert open_fds() == before


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
