"""S10: what an operator can say of a mount's files: fields, types, fallbacks, redirects."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.config import Mount
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.redirect import Redirect
from forkhttpd.http1 import target
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.target import Target
from tests.config.files import table
from tests.handlers.driver import (
    Serve,
    ask,
    content_of,
    field,
    get,
    refusal_of,
    request_for,
    run,
    status_of,
)


def test_S10_fields_of_the_mount_stand_in_every_answer_with_content(
    serve: Serve, root: Path, page: Path
) -> None:
    (root / "large").write_bytes(bytes(100_000))
    static = serve(headers={"X-A": "a", "Cache-Control": "no-cache"})
    for path in ("/page.html", "/large"):
        for fields in ({}, {"range": "bytes=0-1"}, {"range": "bytes=0-1,5000-5001"}):
            for method in ("GET", "HEAD"):
                response = ask(static, path, method, **fields)
                assert field(response, "X-A") == "a"
                assert field(response, "Cache-Control") == "no-cache"
                run(response.close())


def test_S10_a_304_repeats_what_updates_the_answer_that_the_client_has(
    serve: Serve, page: Path
) -> None:
    static = serve(headers={"X-A": "a", "CACHE-CONTROL": "no-cache", "Vary": "Cookie"})
    response = ask(static, "/page.html", if_none_match="*")
    assert response.status == 304
    assert [name for name, _ in response.fields] == ["ETag", "CACHE-CONTROL", "Vary"]


def test_S10_errors_and_redirects_do_not_get_them(serve: Serve, root: Path) -> None:
    (root / "dir").mkdir()
    static = serve(expires="1d")
    assert refusal_of(static, "/missing").fields == ()
    assert field(ask(static, "/dir"), "Cache-Control") is None


@pytest.mark.parametrize(
    ("expires", "said"),
    [("1d", "max-age=86400"), ("0s", "max-age=0"), ("1500ms", "max-age=1"), ("", None)],
)
def test_S10_expires(serve: Serve, page: Path, expires: str, said: str | None) -> None:
    assert field(ask(serve(expires=expires), "/page.html"), "Cache-Control") == said


def test_S10_a_listing_has_its_own_fields(serve: Serve, root: Path) -> None:
    static = serve(listing=True, expires="1d")
    assert field(ask(static, "/"), "Cache-Control") == "no-cache"


def test_S10_charset() -> None:
    assert MediaTypes(charset="latin1").of("a.txt") == "text/plain; charset=latin1"
    assert MediaTypes(charset="").of("a.txt") == "text/plain"
    assert MediaTypes(charset="latin1").of("a.json") == "application/json"


# fallback


@pytest.fixture
def application(root: Path) -> Path:
    (root / "index.html").write_text("application")
    (root / "about.html").write_text("about")
    (root / "about").mkdir()
    (root / "docs").mkdir()
    (root / "docs/intro.html").write_text("intro")
    return root


def test_S10_what_is_not_found_is_the_fallback(serve: Serve, application: Path) -> None:
    static = serve(fallback=["/index.html"])
    for path in (
        "/users/7",
        "/users/7/",
        "/a.b",
        "/about.html/x",
        "/docs/missing",
        "/%F0%9F%8E%89",
    ):
        response = ask(static, path)
        assert (response.status, content_of(response)) == (200, b"application")
        assert field(response, "Content-Type") == "text/html; charset=utf-8"
    assert get(static, "/about.html") == b"about"
    assert status_of(static, "/docs/") == 403
    assert status_of(static, "/docs") == 301
    assert status_of(static, "/users/7", "POST") == 405


def test_S10_the_fallback_is_a_file_like_any_other(serve: Serve, application: Path) -> None:
    static = serve(fallback=["/index.html"])
    etag = field(ask(static, "/index.html"), "ETag") or ""
    assert status_of(static, "/users/7", if_none_match=etag) == 304
    assert status_of(static, "/users/7", range="bytes=0-1") == 206
    (application / "index.html").write_text("edited")
    assert get(static, "/users/7") == b"edited"


def test_S10_a_suffix_is_tried_on_the_path_itself(serve: Serve, application: Path) -> None:
    static = serve(fallback=[".html", "/index.html"])
    assert get(static, "/docs/intro") == b"intro"
    assert get(static, "/docs/outro") == b"application"
    static = serve(fallback=[".html"])
    assert get(static, "/docs/intro") == b"intro"
    assert status_of(static, "/docs/outro") == 404
    assert status_of(static, "/about") == 301  # what is there goes first


def test_S10_S8_what_is_hidden_has_no_fallback(serve: Serve, application: Path) -> None:
    (application / ".git").mkdir()
    (application / ".git/config").write_text("hidden")
    static = serve(fallback=["/index.html"])
    for path in ("/.git/config", "/.env", "/x/.hidden", "/.well-known/acme-challenge/token"):
        assert status_of(static, path) == 404


def test_S11_a_program_is_not_found_and_not_a_fallback(serve: Serve, application: Path) -> None:
    program = (application / "about.html").stat()
    static = serve(
        fallback=["/about.html", "/index.html"],
        is_program=lambda fd: os.path.samestat(os.fstat(fd), program),
    )
    assert get(static, "/missing") == get(static, "/about.html") == b"application"


def test_S10_a_fallback_that_is_missing_or_leads_out_is_404(
    serve: Serve, application: Path
) -> None:
    (application / "out.html").symlink_to("../outside/secret.txt")
    error = refusal_of(serve(fallback=["/out.html", "/gone.html", "/docs"]), "/missing")
    assert error.status == 404
    assert "/missing" in error.reason


# redirect


def location(path: str, to: str, asked: str, status: int = 301) -> str:
    """Return where a mount sends a target; its path has no slash at its end here."""
    mount = table(Mount, {"path": path, "redirect": to, "status": status})
    meant = target.parse(asked, "GET")
    rest = meant.path[len(path.rstrip("/")) :]
    response = run(Redirect(mount)(request_for(meant), rest))
    assert response.status == status
    found = field(response, "Location")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "to", "asked", "expected"),
    [
        ("/old/", "/new/", "/old/a/b?c=d", "/new/a/b?c=d"),
        ("/old/", "/new/", "/old/", "/new/"),
        ("/old/", "/new/", "/old", "/new/"),
        ("/old", "/new", "/old/a/", "/new/a/"),
        ("/old.html", "/new.html", "/old.html?a", "/new.html?a"),
        ("/", "https://example.org", "/a", "https://example.org/a"),
        ("/", "https://example.org/", "/", "https://example.org/"),
        ("/", "https://example.org/sub/", "/a//b", "https://example.org/sub/a/b"),
        ("/old/", "/", "/old/a", "/a"),
        ("/old/", "/", "/old", "/"),
        ("/old/", "/", "/old//evil.example/", "/evil.example/"),
        ("/old/", "/", "/old/%5Cevil.example", "/%5Cevil.example"),
        ("/old/", "/new/", "/old/%C3%BC%20%3F%23", "/new/%C3%BC%20%3F%23"),
        ("/old/", "/new/", "/old/%FF", "/new/%FF"),
    ],
)
def test_S10_S4_a_redirect_replaces_the_path_of_the_mount(
    path: str, to: str, asked: str, expected: str
) -> None:
    assert location(path, to, asked) == expected


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_S10_a_redirect_has_its_status(status: int) -> None:
    assert location("/a", "/b", "/a", status) == "/b"


def test_S10_an_encoded_slash_is_no_separator() -> None:
    with pytest.raises(HTTPError, match="404"):
        location("/old/", "/new/", "/old/a%2Fb")


@given(st.text(alphabet="/\\.e%:@?#é\t", max_size=12), st.sampled_from(["/", "/new/", "/new"]))
def test_S4_a_redirect_stays_on_this_host(rest: str, to: str) -> None:
    mount = table(Mount, {"path": "/old/", "redirect": to})
    meant = Target(f"/old/{rest}", f"/old/{rest}", "", "", -1)
    found = field(run(Redirect(mount)(request_for(meant), f"/{rest}")), "Location")
    assert found is not None
    assert found[0] == "/"
    assert found[1:2] not in ("/", "\\")
    assert found.isascii()
    assert found.isprintable()
