"""Paths that end in a slash, and those that ought to: index, redirect, refusal."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forkhttpd.http1.target import Target
from tests.handlers.driver import (
    Serve,
    ask,
    at,
    field,
    get,
    refusal_of,
    request_for,
    run,
    status_of,
)


def test_the_first_index_that_exists(serve: Serve, root: Path) -> None:
    (root / "a").mkdir()
    (root / "a/two.html").write_text("two")
    static = serve(index=["one.html", "two.html", "three.html"])
    assert get(static, "/a/") == b"two"
    (root / "a/one.html").write_text("one")
    assert get(static, "/a/") == b"one"


def test_an_index_that_is_a_directory_is_passed_over(serve: Serve, root: Path) -> None:
    (root / "index.html").mkdir()
    (root / "home.html").write_text("home")
    assert get(serve(index=["index.html", "home.html"]), "/") == b"home"


def test_without_index_403_and_the_log_says_why(serve: Serve, root: Path) -> None:
    (root / "a").mkdir()
    error = refusal_of(serve(), "/a/")
    assert error.status == 403
    assert "index.html" in error.reason


def test_S1_an_index_that_leads_out_is_none(serve: Serve, root: Path) -> None:
    (root / "index.html").symlink_to("../outside/secret.txt")
    assert status_of(serve(), "/") == 403


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/dir", "/dir/"),
        ("/dir?a=1&b=%2F", "/dir/?a=1&b=%2F"),
        ("//dir", "/dir/"),
        ("/%64ir", "/dir/"),
        ("/with%20space", "/with%20space/"),
        ("/%C3%BC", "/%C3%BC/"),
        ("/%FF", "/%FF/"),
        ("/evil.example", "/evil.example/"),
        ("//evil.example", "/evil.example/"),
        ("///evil.example", "/evil.example/"),
        ("/./evil.example", "/evil.example/"),
        ("/dir/..//evil.example", "/evil.example/"),
        ("/%5Cevil.example", "/%5Cevil.example/"),
        ("/a%3Fb%23c%25", "/a%3Fb%23c%25/"),
        ("/javascript:alert(1)", "/javascript:alert(1)/"),
    ],
)
def test_S4_a_directory_is_redirected_to_its_slash_on_this_host(
    serve: Serve, root: Path, target: str, location: str
) -> None:
    for name in (
        b"dir",
        b"with space",
        "ü".encode(),
        b"\xff",
        b"evil.example",
        b"\\evil.example",
        b"a?b#c%",
        b"javascript:alert(1)",
    ):
        os.mkdir(os.fsencode(root) + b"/" + name)
    response = ask(serve(), target)
    assert response.status == 301
    assert field(response, "Location") == location


def test_S4_of_a_mount_below_the_root(root: Path) -> None:
    serve_files = at("/files/", root)
    (root / "dir").mkdir()
    meant = Target("/files/dir", "/files/dir", "", "", -1)
    response = run(serve_files(request_for(meant), "/dir"))
    assert field(response, "Location") == "/files/dir/"
    meant = Target("/files", "/files", "x=1", "", -1)
    response = run(serve_files(request_for(meant), ""))
    assert field(response, "Location") == "/files/?x=1"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.text(alphabet="/\\.e%:@?#é\t", min_size=1, max_size=12))
def test_S4_whatever_the_path_one_slash_comes_first(root: Path, path: str) -> None:
    static = at("/", root)
    response = run(static(request_for(Target(path, f"/{path}", "", "", -1)), ""))
    location = field(response, "Location")
    assert location is not None
    assert location[0] == "/"
    assert location[1:2] not in ("/", "\\")
    assert location.isascii()
    assert location.isprintable()


def test_a_directory_that_is_closed_to_us(powerless: Path, serve: Serve) -> None:
    (powerless / "passable").mkdir()
    (powerless / "passable/index.html").write_text("index")
    (powerless / "passable").chmod(0o311)
    static = serve(directory=powerless, listing=True)
    assert status_of(static, "/passable") == 301
    assert get(static, "/passable/") == b"index"
    (powerless / "passable").chmod(0o000)
    assert status_of(static, "/passable/") == 403
