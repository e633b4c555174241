"""S9: never stale; and one stat for a hit, and bounds that hold."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forkhttpd.handlers.cache import Cache, Entry, identity
from forkhttpd.handlers.files import MEDIUM, SMALL
from forkhttpd.http1.response import Bytes, FileSlice, Response
from tests.handlers.driver import (
    Serve,
    ask,
    content_of,
    field,
    get,
    open_fds,
    run,
    status_of,
    wait_for_tick,
)


class CountedStat:
    """os.stat, and how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, path: bytes) -> os.stat_result:
        self.count += 1
        return os.stat(path)


def later() -> float:
    """A clock by which every file was changed long ago, so that it is kept at once."""
    return time.time() + 3600


def test_a_hit_is_one_stat_and_the_same_answer(serve: Serve, page: Path) -> None:
    counted = CountedStat()
    static = serve(cache=Cache(stat=counted), clock=later)
    first = ask(static, "/page.html")
    assert counted.count == 0  # a miss opens, and asks what it has opened
    for count in range(1, 4):
        assert ask(static, "/page.html") is first
        assert counted.count == count
    assert first.body == Bytes(page.read_bytes())


def test_a_shared_answer_is_as_it_was(serve: Serve, page: Path) -> None:
    static = serve(clock=later)
    first = ask(static, "/page.html")
    before = (first.status, first.fields, first.body)
    etag = field(first, "ETag") or ""
    ask(static, "/page.html", range="bytes=0-1")
    ask(static, "/page.html", if_none_match=etag)
    ask(static, "/page.html", "HEAD")
    run(first.close())
    assert (first.status, first.fields, first.body) == before
    assert ask(static, "/page.html") is first
    assert ask(static, "/page.html", if_none_match=etag) is ask(
        static, "/page.html", if_none_match=etag
    )


def test_an_index_is_one_stat_too_and_shares_the_answer(serve: Serve, root: Path) -> None:
    (root / "index.html").write_text("index")
    counted = CountedStat()
    static = serve(cache=Cache(stat=counted), clock=later)
    first = ask(static, "/")
    assert ask(static, "/") is first
    assert ask(static, "/index.html") is first
    assert counted.count == 2


def edit(path: Path) -> None:
    path.write_bytes(b"edited")


def edit_in_place_of_the_same_size(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


def edit_and_restore_the_time(path: Path) -> None:
    before = path.stat()
    edit_in_place_of_the_same_size(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_size == before.st_size


def replace_by_rename(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(before.st_size))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"!")


@pytest.mark.parametrize(
    "change",
    [
        edit,
        edit_in_place_of_the_same_size,
        edit_and_restore_the_time,
        replace_by_rename,
        shrink,
        empty,
        append,
    ],
)
@pytest.mark.parametrize("size", [10, SMALL + 10, MEDIUM + 10])
def test_S9_a_changed_file_is_new_on_the_next_request(
    serve: Serve, root: Path, size: int, change: Callable[[Path], None]
) -> None:
    path = root / "file.txt"
    path.write_bytes(b"x" * size)
    static = serve(clock=later)
    for _ in range(2):
        assert get(static, "/file.txt") == b"x" * size
    wait_for_tick(path)
    change(path)
    for _ in range(2):
        assert get(static, "/file.txt") == path.read_bytes()
    assert path.read_bytes() != b"x" * size


def test_S9_edits_within_one_tick_of_the_clock_are_seen(serve: Serve, root: Path) -> None:
    """Two contents of one size, written as fast as can be: timestamps do not tell them apart."""
    path = root / "file.txt"
    static = serve()
    for number in range(500):
        path.write_text(f"{number:04}")
        assert get(static, "/file.txt") == b"%04d" % number


@pytest.mark.parametrize(("age", "kept"), [(-3600, 0), (0, 0), (1.9, 0), (2.1, 1), (3600, 1)])
def test_S9_what_changed_just_now_or_in_the_future_is_not_kept(
    serve: Serve, root: Path, age: float, kept: int
) -> None:
    (root / "file.txt").write_text("x")
    changed = (root / "file.txt").stat().st_ctime
    cache = Cache()
    get(serve(cache=cache, clock=lambda: changed + age), "/file.txt")
    assert len(cache) == kept


def test_S9_a_time_of_modification_in_the_future_does_no_harm(serve: Serve, page: Path) -> None:
    os.utime(page, (1, later() + 10**6))
    static = serve(clock=later)
    first = ask(static, "/page.html")
    assert ask(static, "/page.html") is first
    wait_for_tick(page)
    edit_and_restore_the_time(page)
    assert get(static, "/page.html") == bytes(10)


def test_S9_a_deleted_file_is_gone_and_comes_back(serve: Serve, page: Path) -> None:
    cache = Cache()
    static = serve(cache=cache, clock=later)
    get(static, "/page.html")
    page.unlink()
    assert status_of(static, "/page.html") == 404
    assert (len(cache), cache.bytes) == (0, 0)
    page.write_text("back")
    assert get(static, "/page.html") == b"back"


def test_S9_a_file_that_became_unreadable_is_403(powerless: Path, serve: Serve) -> None:
    (powerless / "dir").mkdir()
    (powerless / "dir/file").write_text("x")
    static = serve(directory=powerless, clock=later)
    assert status_of(static, "/dir/file") == 200
    wait_for_tick(powerless / "dir/file")
    (powerless / "dir/file").chmod(0)
    assert status_of(static, "/dir/file") == 403
    (powerless / "dir/file").chmod(0o644)
    assert status_of(static, "/dir/file") == 200
    (powerless / "dir").chmod(0)
    assert status_of(static, "/dir/file") == 403


def test_S9_a_file_that_became_something_else(serve: Serve, page: Path, root: Path) -> None:
    static = serve(clock=later)
    get(static, "/page.html")
    page.unlink()
    page.mkdir()
    assert status_of(static, "/page.html") == 301
    page.rmdir()
    page.symlink_to("../outside/secret.txt")
    assert status_of(static, "/page.html") == 404
    page.unlink()
    os.mkfifo(page)
    assert status_of(static, "/page.html") == 403


def test_S9_an_index_that_appears_or_disappears_is_noticed(serve: Serve, root: Path) -> None:
    static = serve(index=["one.html", "two.html"], clock=later)
    assert status_of(static, "/") == 403
    (root / "two.html").write_text("two")
    assert [get(static, "/") for _ in range(2)] == [b"two"] * 2
    (root / "one.html").write_text("one")
    assert [get(static, "/") for _ in range(2)] == [b"one"] * 2
    (root / "one.html").unlink()
    assert get(static, "/") == b"two"
    (root / "two.html").unlink()
    assert status_of(static, "/") == 403


def test_S9_a_swapped_docroot_is_served_from_the_next_request_on(
    serve: Serve, tmp_path: Path
) -> None:
    """Files of equal size and time, so that nothing but their inodes tells them apart."""
    for release in ("release-1", "release-2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "index.html").write_text(release)
        os.utime(tmp_path / release / "index.html", (1_700_000_000, 1_700_000_000))
    (tmp_path / "current").symlink_to("release-1")
    static = serve(directory=tmp_path / "current", clock=later)
    assert [get(static, "/") for _ in range(2)] == [b"release-1"] * 2
    (tmp_path / "new").symlink_to("release-2")
    (tmp_path / "new").rename(tmp_path / "current")
    assert get(static, "/") == b"release-2"


def test_large_files_hold_no_descriptor_and_no_content(serve: Serve, root: Path) -> None:
    (root / "large.bin").write_bytes(bytes(8 * SMALL))
    cache = Cache()
    static = serve(cache=cache, clock=later)
    before = open_fds()
    for _ in range(3):
        get(static, "/large.bin")
    assert open_fds() == before
    assert len(cache) == 1
    assert cache.bytes < SMALL


def test_medium_files_are_kept_while_there_is_room_to_spare(serve: Serve, root: Path) -> None:
    cache = Cache(max_bytes=16 * MEDIUM)
    static = serve(cache=cache, clock=later)
    bodies: list[type] = []
    for number in range(3):
        (root / f"{number}.bin").write_bytes(bytes(MEDIUM - 4096))
        response = ask(static, f"/{number}.bin")
        bodies.append(type(response.body))
        assert content_of(response) == bytes(MEDIUM - 4096)
    assert bodies == [Bytes, Bytes, FileSlice]
    assert cache.bytes <= 4 * MEDIUM


# The bounds, without files.


def entry(path: str, size: int) -> Entry:
    return Entry(
        identity=(0, 0, size, 0, 0),
        location=path.encode(),
        size=size,
        etag='"x"',
        modified=0,
        fields=(),
        unchanged=Response(304),
        whole=Response(200, (), Bytes(bytes(size))),
    )


def touch(cache: Cache, path: str, size: int) -> bool:
    return cache.known(path, (0, 0, size, 0, 0)) is not None


def test_the_number_of_entries_is_bounded() -> None:
    cache = Cache(max_entries=16)
    for number in range(1000):
        cache.keep(f"/{number}", entry(f"/{number}", 1))
        assert len(cache) <= 16
    assert touch(cache, "/999", 1)
    assert not touch(cache, "/0", 1)


def test_the_bytes_are_bounded() -> None:
    cache = Cache(max_bytes=1 << 20)
    for number in range(500):
        cache.keep(f"/{number}", entry(f"/{number}", 10_000 + number))
        assert cache.bytes <= 1 << 20
    assert len(cache) > 30


def test_what_is_used_stays_longer_than_what_is_not() -> None:
    cache = Cache(max_entries=64)
    cache.keep("/hot", entry("/hot", 1))
    for number in range(2000):
        cache.keep(f"/{number}", entry(f"/{number}", 1))
        assert touch(cache, "/hot", 1)
    assert not touch(cache, "/1900", 1)


def test_when_all_are_used_the_oldest_leave() -> None:
    cache = Cache(max_entries=8)
    for number in range(9):
        for earlier in range(number):
            touch(cache, f"/{earlier}", 1)
        cache.keep(f"/{number}", entry(f"/{number}", 1))
    assert len(cache) == 7
    assert not touch(cache, "/0", 1)


def test_an_entry_that_would_push_out_the_rest_is_not_kept() -> None:
    cache = Cache(max_bytes=100_000)
    cache.keep("/large", entry("/large", 50_000))
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_path_is_kept_once_and_weighed_once() -> None:
    cache = Cache()
    for size in (100, 5000, 7):
        cache.keep("/file", entry("/file", size))
    assert len(cache) == 1
    assert cache.bytes == entry("/file", 7).weight
    assert touch(cache, "/file", 7)
    assert not touch(cache, "/file", 100)


def test_the_identity_is_all_that_tells_versions_apart(page: Path) -> None:
    status = page.stat()
    assert identity(status) == (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
