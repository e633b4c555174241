"""S9: a file that was changed, in whatever way, is sent new with the next request."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.client import get, open_client
from tests.live.daemon import SITE, Daemon, daemon, wait_for

SETTLED = 2.5  # seconds after which a file may be answered from memory


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    """A daemon of one worker, so that what it remembers is asked for."""
    with daemon(SITE.replace("workers = 2", "workers = 1")) as running:
        yield running


def _rewrite(path: Path) -> None:
    path.write_text("new")


def _rewrite_and_touch_back(path: Path) -> None:
    status = path.stat()
    path.write_text("new")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("new")
    os.replace(other, path)


def _replace_by_older(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("new")
    os.utime(other, (0, 0))
    os.replace(other, path)


def _replace_by_link(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("new")
    path.unlink()
    path.symlink_to(other.name)


def _replace_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name(f"{path.parent.name} before"))
    path.parent.mkdir()
    path.write_text("new")


CHANGES = (
    _rewrite,
    _rewrite_and_touch_back,
    _replace,
    _replace_by_older,
    _replace_by_link,
    _replace_directory,
)


@pytest.mark.parametrize("settled", [False, True], ids=["just made", "long there"])
def test_S9_a_changed_file_is_new_at_the_next_request(site: Daemon, settled: bool) -> None:
    """Of the same size and with every timestamp that a program can set, on one connection."""
    paths = [
        site.write(f"www/changing/{settled}{number}/page.txt", "old")
        for number, _ in enumerate(CHANGES)
    ]
    if settled:  # only then is a file kept in memory
        newest = max(path.stat().st_ctime for path in paths)
        wait_for(lambda: time.time() > newest + SETTLED, "the files to settle")
    with open_client(site) as client:
        for path, change in zip(paths, CHANGES, strict=True):
            target = "/" + str(path.relative_to(site.directory / "www"))
            assert [client.ask(get(target)).text for _ in range(3)] == ["old"] * 3
            change(path)
            assert client.ask(get(target)).text == "new", change.__name__
            path.unlink()
            assert client.ask(get(target)).status == 404
            path.write_text("back")
            assert client.ask(get(target)).text == "back"


def test_S9_a_changed_large_file_is_new_at_the_next_request(site: Daemon) -> None:
    path = site.write("www/turning.bin", b"a" * 100_000)
    with open_client(site) as client:
        assert client.ask(get("/turning.bin")).body == b"a" * 100_000
        _replace(path)
        assert client.ask(get("/turning.bin")).text == "new"
