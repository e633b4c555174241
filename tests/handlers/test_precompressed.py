"""S7: a file that lies beside itself in another coding."""

import os
import time
from pathlib import Path

import pytest

from forkhttpd.handlers.cache import Cache
from forkhttpd.handlers.files import MEDIUM
from forkhttpd.handlers.static import Static
from forkhttpd.http1.response import FileSlice, Response
from tests.handlers.driver import Serve, ask, content_of, field, get, open_fds, run, status_of
from tests.handlers.test_cache import CountedStat

LONG_AGO = 1_700_000_000
EVERYTHING = "gzip, deflate, br, zstd"


def put(path: Path, content: str, *, changed: float = LONG_AGO) -> None:
    path.write_text(content)
    os.utime(path, (changed, changed))


@pytest.fixture
def site(root: Path) -> Path:
    for suffix in ("", ".zst", ".br", ".gz"):
        put(root / f"page.html{suffix}", f"page{suffix}")
    put(root / "alone.html", "alone")
    return root


@pytest.fixture
def static(site: Path, serve: Serve) -> Static:
    return serve(precompressed=True, clock=lambda: time.time() + 60)


@pytest.mark.parametrize(
    ("accepted", "content", "coding"),
    [
        (EVERYTHING, b"page.zst", "zstd"),
        ("gzip, br", b"page.br", "br"),
        ("gzip", b"page.gz", "gzip"),
        ("gzip, br;q=0.9", b"page.gz", "gzip"),
        ("gzip;q=0", b"page", None),
        ("identity", b"page", None),
        ("gzip;q=0.5, identity;q=0.8", b"page", None),
        ("gzip;q=0.5, identity;q=0", b"page.gz", "gzip"),
        ("deflate, identity;q=0", b"page", None),
        (None, b"page", None),
    ],
)
def test_S7_the_coding_that_the_client_likes_best(
    static: Static, accepted: str | None, content: bytes, coding: str | None
) -> None:
    fields = {} if accepted is None else {"accept_encoding": accepted}
    for _ in range(3):  # from the disk, and from the cache
        for method in ("GET", "HEAD"):
            response = ask(static, "/page.html", method, **fields)
            assert field(response, "Content-Encoding") == coding
            assert field(response, "Content-Type") == "text/html; charset=utf-8"
            assert field(response, "Vary") == "Accept-Encoding"
            assert content_of(response) == content


def test_S7_an_index_too(static: Static, site: Path) -> None:
    put(site / "index.html", "index")
    put(site / "index.html.br", "index.br")
    assert get(static, "/", accept_encoding=EVERYTHING) == b"index.br"
    assert get(static, "/") == b"index"


def test_S7_what_has_no_sibling_is_sent_as_it_is_and_says_that_it_varies(static: Static) -> None:
    response = ask(static, "/alone.html", accept_encoding=EVERYTHING)
    assert (field(response, "Vary"), content_of(response)) == ("Accept-Encoding", b"alone")
    assert field(response, "Content-Encoding") is None


def test_S7_off_by_default(site: Path, serve: Serve) -> None:
    response = ask(serve(), "/page.html", accept_encoding=EVERYTHING)
    assert content_of(response) == b"page"
    assert field(response, "Vary") is None


def test_S7_only_the_codings_of_the_mount_in_its_order(site: Path, serve: Serve) -> None:
    static = serve(precompressed=["gz", "zst"])
    assert get(static, "/page.html", accept_encoding=EVERYTHING) == b"page.gz"
    assert get(static, "/page.html", accept_encoding="br") == b"page"


def test_S7_a_sibling_alone_is_a_file_like_any_other(static: Static) -> None:
    for _ in range(2):
        response = ask(static, "/page.html.gz", accept_encoding=EVERYTHING)
        assert field(response, "Content-Type") == "application/gzip"
        assert field(response, "Content-Encoding") is None
        assert content_of(response) == b"page.gz"
        assert get(static, "/page.html", accept_encoding="gzip") == b"page.gz"


def test_S7_a_sibling_of_nothing_stands_for_nothing(static: Static, site: Path) -> None:
    put(site / "gone.html.gz", "gone")
    assert status_of(static, "/gone.html", accept_encoding="gzip") == 404


def test_S7_each_coding_has_its_own_etag(static: Static) -> None:
    tags = {}
    for accepted in ("zstd", "br", "gzip", "identity"):
        response = ask(static, "/page.html", accept_encoding=accepted)
        tags[accepted] = field(response, "ETag") or ""
    assert len(set(tags.values())) == 4
    for accepted in tags:
        for known, tag in tags.items():
            status = status_of(static, "/page.html", accept_encoding=accepted, if_none_match=tag)
            assert status == (304 if known == accepted else 200)


def test_S7_a_304_says_that_it_varies(static: Static) -> None:
    response = ask(static, "/page.html", accept_encoding="gzip", if_none_match="*")
    assert dict(response.fields).keys() == {"ETag", "Vary"}


def test_S7_a_range_is_one_of_the_coding(static: Static) -> None:
    response = ask(static, "/page.html", accept_encoding="gzip", range="bytes=4-6")
    assert (response.status, content_of(response)) == (206, b".gz")
    assert field(response, "Content-Encoding") == "gzip"
    assert field(response, "Content-Range") == "bytes 4-6/7"


def test_S7_S9_a_sibling_older_than_its_file_is_not_used(static: Static, site: Path) -> None:
    assert get(static, "/page.html", accept_encoding="gzip") == b"page.gz"
    put(site / "page.html", "edited", changed=LONG_AGO + 1)
    assert get(static, "/page.html", accept_encoding="gzip") == b"edited"
    put(site / "page.html.gz", "edited.gz", changed=LONG_AGO + 1)
    assert get(static, "/page.html", accept_encoding="gzip") == b"edited.gz"


def test_S7_S9_siblings_come_change_and_go(static: Static, site: Path) -> None:
    def sent() -> bytes:
        return get(static, "/alone.html", accept_encoding=EVERYTHING)

    assert sent() == sent() == b"alone"
    put(site / "alone.html.gz", "one")
    assert sent() == sent() == b"one"
    put(site / "alone.html.gz", "another", changed=LONG_AGO + 1)
    assert sent() == sent() == b"another"
    put(site / "alone.html.br", "better")
    assert sent() == sent() == b"better"
    (site / "alone.html.br").unlink()
    assert sent() == sent() == b"another"
    (site / "alone.html.gz").unlink()
    assert sent() == sent() == b"alone"
    (site / "alone.html").unlink()
    assert status_of(static, "/alone.html", accept_encoding=EVERYTHING) == 404


def test_S7_large_siblings_of_large_files(static: Static, site: Path) -> None:
    (site / "large").write_bytes(bytes(2 * MEDIUM))
    (site / "large.gz").write_bytes(b"x" * (MEDIUM + 1))
    before = open_fds()
    for _ in range(2):
        response = ask(static, "/large", accept_encoding="gzip")
        assert isinstance(response.body, FileSlice)
        assert content_of(response) == b"x" * (MEDIUM + 1)
    for fields in ({"if_none_match": "*"}, {"range": "bytes=0-1"}, {"if_match": '"x"'}):
        status_of(static, "/large", accept_encoding="gzip", **fields)
        status_of(static, "/large", accept_encoding="br", **fields)
    os.utime(site / "large.gz", (1, 1))
    assert len(get(static, "/large", accept_encoding="gzip")) == 2 * MEDIUM
    assert open_fds() == before


def test_S2_a_sibling_goes_through_the_same_resolver(static: Static, site: Path) -> None:
    now = time.time()
    os.utime(site.parent / "outside/secret.txt", (now, now))
    for name in ("link.html", "folder.html", "fifo.html", "dangling.html"):
        put(site / name, "page")
    (site / "link.html.gz").symlink_to("../outside/secret.txt")
    (site / "link.html.br").symlink_to(site.parent / "outside/secret.txt")
    (site / "folder.html.gz").mkdir()
    os.mkfifo(site / "fifo.html.gz")
    (site / "dangling.html.gz").symlink_to("nowhere")
    for name in ("link.html", "folder.html", "fifo.html", "dangling.html"):
        assert get(static, f"/{name}", accept_encoding=EVERYTHING) == b"page"


def test_S11_a_program_is_no_sibling(site: Path, serve: Serve) -> None:
    program = (site / "page.html.gz").stat()
    static = serve(
        precompressed=True, is_program=lambda fd: os.path.samestat(os.fstat(fd), program)
    )
    assert get(static, "/page.html", accept_encoding="gzip") == b"page"


def test_S7_an_unreadable_sibling_is_none(powerless: Path, serve: Serve) -> None:
    put(powerless / "page.html", "page")
    put(powerless / "page.html.gz", "page.gz")
    (powerless / "page.html.gz").chmod(0)
    static = serve(directory=powerless, precompressed=True)
    assert get(static, "/page.html", accept_encoding="gzip") == b"page"


def test_S7_no_path_of_a_client_is_a_key_of_a_coding(static: Static) -> None:
    """The answers in memory are told apart by path; these are the paths that come nearest."""
    assert get(static, "/page.html", accept_encoding="gzip") == b"page.gz"
    for path in ("/.gz/page.html", "/.gz%2Fpage.html", "/page.html/.gz"):
        assert status_of(static, path) == 404


def test_S7_what_does_not_ask_costs_one_stat(site: Path, serve: Serve) -> None:
    counted = CountedStat()
    static = serve(precompressed=True, cache=Cache(stat=counted), clock=lambda: time.time() + 60)

    def stats(**fields: str) -> int:
        before = counted.count
        response: Response = ask(static, "/page.html", **fields)
        run(response.close())
        return counted.count - before

    stats()
    stats(accept_encoding="gzip")
    assert stats() == 1
    assert stats(accept_encoding="identity") == 1
    assert stats(accept_encoding="gzip") == 2
