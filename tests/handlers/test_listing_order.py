"""S8: in which order a directory is listed, and how a large one is turned page by page."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.handlers.listing.contents import MAX_ITEMS, Contents, Kind, Sorting, SortKey
from forkhttpd.handlers.listing.page import LINES, number_of, render
from tests.handlers.driver import Serve, get
from tests.handlers.listingpage import NOW, Page, document_of, item, page_of


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
