"""Types by file name."""

import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.handlers.mediatypes import UNKNOWN, MediaTypes, read_system_types


@pytest.fixture(scope="module")
def media_types() -> MediaTypes:
    return MediaTypes()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTM", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.mp4", "video/mp4"),
        ("a.webm", "video/webm"),
        ("test.jpg", "image/jpeg"),
        ("a.b.c.png", "image/png"),
        ("page.html.gz", "application/gzip"),
        ("dump.tar.xz", "application/x-xz"),
    ],
)
def test_S10_types_of_the_web_come_from_our_table(
    media_types: MediaTypes, name: str, expected: str
) -> None:
    assert media_types.of(name) == expected


def test_S10_a_suffix_that_only_the_system_knows(media_types: MediaTypes) -> None:
    assert media_types.of("slides.ppt") == "application/vnd.ms-powerpoint"


@pytest.mark.parametrize("name", ["README", "", ".", "a.", "html", "a.html.unheard-of", "a.é"])
def test_a_name_that_says_nothing_is_bytes(media_types: MediaTypes, name: str) -> None:
    assert media_types.of(name) == "application/octet-stream"


def test_S10_own_types_go_first_and_need_no_charset() -> None:
    media_types = MediaTypes({".html": "text/html; charset=latin1", ".foo": "text/foo"})
    assert media_types.of("a.html") == "text/html; charset=latin1"
    assert media_types.of("a.foo") == "text/foo; charset=utf-8"
    assert media_types.of("a.css") == "text/css; charset=utf-8"


@pytest.fixture
def system_table(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "mime.types"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mimetypes, "knownfiles", [str(file)])
        yield file
    read_system_types()


def test_the_systems_table_is_read_when_told_and_not_for_each_who_asks(system_table: Path) -> None:
    for suffix, others in (("one", "two"), ("two", "one")):
        system_table.write_text(f"text/{suffix} {suffix}\n")
        read_system_types()
        system_table.unlink()
        media_types = MediaTypes(charset="")
        assert media_types.of(f"a.{suffix}") == f"text/{suffix}"
        assert media_types.of(f"a.{others}") == UNKNOWN


def test_a_table_that_is_as_it_was_is_not_read_again(system_table: Path) -> None:
    system_table.write_text("text/one one\n")
    os.utime(system_table, ns=(0, 10**18))
    read_system_types()
    before = MediaTypes()
    with system_table.open("r+") as file:  # the same file, size and time
        file.write("text/two two\n")
    os.utime(system_table, ns=(0, 10**18))
    read_system_types()
    assert before.of("a.one") == MediaTypes().of("a.one") == "text/one; charset=utf-8"
    os.utime(system_table, ns=(0, 2 * 10**18))
    read_system_types()
    assert MediaTypes().of("a.two") == "text/two; charset=utf-8"
