"""The static handler: what each request gets."""

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from forkhttpd.handlers.files import MEDIUM
from forkhttpd.http1.response import Bytes, Empty, FileSlice
from tests.handlers.driver import (
    Serve,
    ask,
    content_of,
    get,
    open_fds,
    refusal_of,
    run,
    status_of,
)

LARGE = bytes(range(256)) * 600  # 153 600 bytes: beyond MEDIUM


def test_a_file_has_its_fields_and_content(serve: Serve, page: Path) -> None:
    response = ask(serve(), "/page.html")
    assert response.status == 200
    assert response.body == Bytes(b"0123456789")
    assert dict(response.fields) == {
        "Content-Type": "text/html; charset=utf-8",
        "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "ETag": f'"{1_700_000_000 * 10**9:x}-a"',
        "Accept-Ranges": "bytes",
    }


def test_H14_head_is_described_as_get_is(serve: Serve, page: Path, root: Path) -> None:
    (root / "large.bin").write_bytes(LARGE)
    static = serve(listing=True)
    for path in ("/page.html", "/large.bin", "/"):
        whole, head = ask(static, path), ask(static, path, "HEAD")
        assert (whole.status, whole.fields) == (head.status, head.fields)
        run(whole.close())
        run(head.close())


@pytest.mark.parametrize("size", [0, 1, MEDIUM, MEDIUM + 1, 3 * MEDIUM])
def test_small_files_come_from_memory_and_large_ones_from_the_disk(
    serve: Serve, root: Path, size: int
) -> None:
    content = os.urandom(size)
    (root / "file").write_bytes(content)
    static = serve()
    for _ in range(2):
        response = ask(static, "/file")
        assert isinstance(response.body, Bytes if size <= MEDIUM else FileSlice)
        assert content_of(response) == content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405_with_allow(serve: Serve, page: Path, method: str) -> None:
    for path in ("/page.html", "/missing"):
        error = refusal_of(serve(), path, method)
        assert error.status == 405
        assert error.fields == (("Allow", "GET, HEAD, OPTIONS"),)


def test_options_are_told(serve: Serve, page: Path) -> None:
    response = ask(serve(), "/page.html", "OPTIONS")
    assert (response.status, response.fields) == (204, (("Allow", "GET, HEAD, OPTIONS"),))
    assert isinstance(response.body, Empty)


@pytest.mark.parametrize("path", ["/missing", "/page.html/", "/page.html/x", "/missing/", "/x/y/z"])
def test_what_is_not_there_is_404(serve: Serve, page: Path, path: str) -> None:
    assert status_of(serve(listing=True), path) == 404
    assert status_of(serve(), path) == 404


def test_S11_what_the_router_knows_as_a_program_is_404(serve: Serve, root: Path) -> None:
    (root / "app.php").write_text("<?php the_source();")
    (root / "link.txt").symlink_to("app.php")
    (root / "page.txt").write_text("page")
    program = (root / "app.php").stat()
    static = serve(is_program=lambda fd: os.path.samestat(os.fstat(fd), program))
    for path in ("/app.php", "/link.txt", "//app.php", "/%61pp.php", "/x/../app.php"):
        assert status_of(static, path) == 404
    assert get(static, "/page.txt") == b"page"


def test_S1_fifo_socket_and_device_are_403(serve: Serve, root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert status_of(serve(), "/fifo") == 403
        assert status_of(serve(), "/socket") == 403


def test_S1_a_device_is_403(serve: Serve, root: Path) -> None:
    try:
        os.mknod(root / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")
    assert status_of(serve(), "/zero") == 403


def test_an_unreadable_file_is_403(powerless: Path, serve: Serve) -> None:
    (powerless / "file").write_text("x")
    (powerless / "file").chmod(0)
    assert status_of(serve(directory=powerless), "/file") == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/.htpasswd", 404),
        ("/.git/config", 404),
        ("/a/.hidden", 404),
        ("/%2Ehtpasswd", 404),
        ("/.", 301),
        ("/.well-known/token", 200),
        ("/.well-known/.token", 404),
    ],
)
def test_S8_dotfiles_are_hidden(serve: Serve, root: Path, path: str, status: int) -> None:
    for name in (".git", "a", ".well-known"):
        (root / name).mkdir()
    for name in (".htpasswd", ".git/config", "a/.hidden", ".well-known/token"):
        (root / name).write_text("x")
    (root / ".well-known/.token").write_text("x")
    (root / "index.html").write_text("index")
    if path == "/.":  # a dot segment is no name: this is the directory itself
        assert get(serve(), path) == b"index"
    else:
        assert status_of(serve(), path) == status


def test_an_encoded_slash_is_no_separator(serve: Serve, root: Path) -> None:
    (root / "a").mkdir()
    (root / "a/b").write_text("x")
    static = serve(clock=lambda: time.time() + 60)
    assert get(static, "/a/b") == b"x"  # also from the cache it is 404
    assert status_of(static, "/a%2Fb") == 404


def test_no_descriptor_is_left(serve: Serve, root: Path) -> None:
    (root / "large.bin").write_bytes(LARGE)
    (root / "dir").mkdir()
    os.mkfifo(root / "fifo")
    static = serve(listing=True)
    before = open_fds()
    for path in ("/large.bin", "/dir", "/dir/", "/fifo", "/missing", "/", "/large.bin/"):
        for fields in ({}, {"range": "bytes=1-2"}, {"if_match": '"x"'}, {"if_none_match": "*"}):
            status_of(static, path, **fields)
            status_of(static, path, "HEAD", **fields)
    assert open_fds() == before
