"""Who answers, by host and by path (H2, S3, S11), and with which page of errors (S10)."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forkhttpd.config import Config, Mount
from forkhttpd.config.load import load
from forkhttpd.http1 import target
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Endpoint, HeaderSection, Hop, Request, RequestLine, Version
from forkhttpd.http1.response import Bytes, Response
from forkhttpd.loop import Loop
from forkhttpd.worker.guards import unguarded
from forkhttpd.worker.programs import Programs
from forkhttpd.worker.router import Router
from tests.config.files import table
from tests.handlers.driver import content_of, field, run

LISTEN = '\n[[listen]]\naddress = "127.0.0.1:0"\n'

Route = Callable[[str], Router]


async def launch(*_: object, **__: object) -> None:
    raise AssertionError("no test here runs a program")


@pytest.fixture
def route(tmp_path: Path) -> Route:
    """Make a router of its tables; the listener is added."""

    def make(tables: str) -> Router:
        return Router(
            configured(tmp_path, tables),
            loop=Loop(report=print),
            launch=launch,  # type: ignore[arg-type]
            guard=unguarded,
            log=logging.getLogger("test"),
        )

    return make


def configured(directory: Path, tables: str) -> Config:
    file = directory / "forkhttpd.conf"
    file.write_text(tables + LISTEN)
    return load(file)


def request(raw: str, host: str = "localhost", method: str = "GET") -> Request:
    meant = target.parse(raw, method)
    return Request(
        RequestLine(method, meant, Version.HTTP_1_1, f"{method} {raw} HTTP/1.1"),
        HeaderSection(Fields((("host", host),)), host, 0, True, False),
        hop=Hop(Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2), "http", "test"),
        number=1,
        received=0.0,
    )


def answer(router: Router, raw: str, host: str = "localhost") -> Response:
    """Answer as a connection does: an error becomes the page of its site."""
    asked = request(raw, host)
    try:
        return run(router.respond(asked))  # type: ignore[arg-type]
    except HTTPError as error:
        return router.refuse(asked, error)


def shown(router: Router, raw: str, host: str = "localhost") -> str | int:
    """Return the content, or the status of an error."""
    response = answer(router, raw, host)
    content = content_of(response)
    return content.decode() if response.status == 200 else response.status


SITES = """
[[site]]
names = ["first.example"]
[[site.mount]]
docroot = "first"
[[site]]
names = ["exact.wild.example", "10.0.0.1", "[::1]"]
[[site.mount]]
docroot = "exact"
[[site]]
names = ["*.wild.example"]
[[site.mount]]
docroot = "wild"
[[site]]
names = ["*.deep.wild.example", "Upper.Example"]
[[site.mount]]
docroot = "deep"
"""


@pytest.fixture
def sites(tmp_path: Path, route: Route) -> Router:
    for name in ("first", "exact", "wild", "deep"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    return route(SITES)


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("first.example", "first"),
        ("exact.wild.example", "exact"),
        ("10.0.0.1", "exact"),
        ("[::1]", "exact"),
        ("a.wild.example", "wild"),
        ("a.b.c.wild.example", "wild"),
        ("wild.example", "first"),  # the wildcard is for what is below
        ("notwild.example", "first"),
        ("a.deep.wild.example", "deep"),
        ("deep.wild.example", "wild"),
        ("upper.example", "deep"),
        ("exact.wild.example.", "exact"),
        ("a.wild.example.", "wild"),
        ("unknown.example", "first"),
        ("127.0.0.1", "first"),
        ("", "first"),
        (".", "first"),
        ("example", "first"),
        ("../../etc", "first"),
        ("exact.wild.example/../x", "first"),
        ("*.wild.example", "wild"),
    ],
)
def test_H2_the_site_of_a_host(sites: Router, host: str, site: str) -> None:
    for _ in range(2):  # the second time from memory
        assert shown(sites, "/who", host) == site


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="awildexmp./*\\:[]0\0é", max_size=30))
def test_H2_any_host_is_only_looked_up(sites: Router, host: str) -> None:
    assert shown(sites, "/who", host) in ("first", "exact", "wild", "deep")


MOUNTS = """
[[site]]
[[site.mount]]
path = "/"
docroot = "www"
[[site.mount]]
path = "/pub/"
docroot = "pub"
[[site.mount]]
path = "/pub/deep"
docroot = "deep"
[[site.mount]]
path = "/all/"
docroot = "."
[[site.mount]]
path = "/cgi-bin/"
cgi = "current/cgi-bin"
[[site.mount]]
path = "/one"
cgi = "www/one.cgi"
[[site.mount]]
path = "/app/"
suffix = [".php"]
cgi = "www/app"
interpreter = "/bin/false"
[[site.mount]]
path = "/old/"
redirect = "/pub/"
"""


@pytest.fixture
def mounts(tmp_path: Path, route: Route) -> Router:
    for name in ("www/app", "pub", "deep", "release-1/cgi-bin", "release-2/cgi-bin"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file.txt").write_text(name)
    (tmp_path / "www/file.txt").write_text("www")
    (tmp_path / "www/public.txt").write_text("public")
    for name in ("www/one.cgi", "www/app/a.php", "www/a.PHP", "release-1/cgi-bin/secret.py"):
        (tmp_path / name).write_text("SOURCE")
    (tmp_path / "release-2/cgi-bin/secret.py").write_text("SOURCE")
    (tmp_path / "current").symlink_to("release-1")
    (tmp_path / "www/link.txt").symlink_to("one.cgi")
    return route(MOUNTS)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        ("/file.txt", "www"),
        ("/pub/file.txt", "pub"),
        ("//pub///file.txt", "pub"),
        ("/x/../pub/./file.txt", "pub"),
        ("/%70ub/file.txt", "pub"),
        ("/public.txt", "public"),
        ("/pub/deep/file.txt", "deep"),
        ("/pub/deeper/file.txt", 404),
        ("/publ", 404),
        ("/PUB/file.txt", 404),
        ("/pub../www/file.txt", 404),
    ],
)
def test_S3_mounts_match_whole_segments_of_the_merged_path(
    mounts: Router, raw: str, content: str | int
) -> None:
    assert shown(mounts, raw) == content


@pytest.mark.parametrize(
    "raw",
    [
        "/one.cgi",
        "/link.txt",
        "/a.PHP",
        "/all/www/one.cgi",
        "/all/www/app/a.php",
        "/all/www/link.txt",
        "/all/current/cgi-bin/secret.py",
        "/all/current/cgi-bin/file.txt",
        "/all/release-1/cgi-bin/secret.py",
        "/all//release-1/%63gi-bin/secret.py",
    ],
)
def test_S11_a_program_is_no_file_under_any_mount(mounts: Router, raw: str) -> None:
    assert shown(mounts, raw) == 404


def test_S11_the_programs_are_those_of_the_release_that_is_current(
    mounts: Router, tmp_path: Path
) -> None:
    assert shown(mounts, "/all/current/cgi-bin/secret.py") == 404
    (tmp_path / "new").symlink_to("release-2")
    (tmp_path / "new").rename(tmp_path / "current")
    assert shown(mounts, "/all/current/cgi-bin/secret.py") == 404
    assert shown(mounts, "/all/release-2/cgi-bin/secret.py") == 404


def test_S11_a_program_that_is_deleted_meanwhile_stays_one(tmp_path: Path) -> None:
    file = tmp_path / "gone.php"
    file.write_text("SOURCE")
    mount = {"cgi": str(tmp_path), "suffix": [".php"], "interpreter": "/bin/false"}
    programs = Programs([table(Mount, mount)])
    with file.open() as opened:
        file.unlink()
        assert programs.has(opened.fileno())


def test_S10_a_redirect_mount(mounts: Router) -> None:
    response = answer(mounts, "/old/a?b=c")
    assert (response.status, field(response, "Location")) == (301, "/pub/a?b=c")


PAGES = """
types = { ".oops" = "text/x-oops" }
[[site]]
error_pages = { 404 = "pages/404.html", 405 = "pages/405.oops", 500 = "pages/gone.html" }
[[site.mount]]
docroot = "www"
[[site]]
names = ["other.example"]
[[site.mount]]
docroot = "www"
"""


@pytest.fixture
def pages(tmp_path: Path, route: Route) -> Router:
    (tmp_path / "www").mkdir()
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/404.html").write_text("<p>not here")
    (tmp_path / "pages/405.oops").write_text("oops")
    return route(PAGES)


def refused(router: Router, error: HTTPError, host: str = "localhost") -> tuple[int, bytes]:
    response = router.refuse(request("/missing", host), error)
    assert isinstance(response.body, Bytes)
    return response.status, response.body.data


def test_S10_an_error_page_of_the_site_with_its_status(pages: Router) -> None:
    response = answer(pages, "/missing")
    assert response.status == 404
    assert field(response, "Content-Type") == "text/html; charset=utf-8"
    assert content_of(response) == b"<p>not here"


def test_S10_the_fields_of_the_error_stay(pages: Router) -> None:
    error = HTTPError(405, fields=(("Allow", "GET"),), close=True)
    response = pages.refuse(request("/"), error)
    assert response.fields == (("Content-Type", "text/x-oops; charset=utf-8"), ("Allow", "GET"))
    assert response.close_connection


def test_S10_S9_an_error_page_is_never_stale(pages: Router, tmp_path: Path) -> None:
    assert refused(pages, HTTPError(404)) == (404, b"<p>not here")
    (tmp_path / "pages/404.html").write_text("edited")
    assert refused(pages, HTTPError(404)) == (404, b"edited")


def test_S10_other_errors_and_other_sites_have_our_page(pages: Router) -> None:
    assert b"<!DOCTYPE html>" in refused(pages, HTTPError(403))[1]
    assert b"<!DOCTYPE html>" in refused(pages, HTTPError(404), "other.example")[1]


@pytest.mark.parametrize("how", ["missing", "directory", "fifo", "too large"])
def test_S10_a_page_that_cannot_be_read_is_ours_and_no_loop(
    pages: Router, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    page = tmp_path / "pages/404.html"
    page.unlink()
    match how:
        case "directory":
            page.mkdir()
        case "fifo":
            os.mkfifo(page)
        case "too large":
            page.write_bytes(bytes(2 << 20))
    status, content = refused(pages, HTTPError(404))
    assert status == 404
    assert b"There is nothing at this address." in content
    assert "pages/404.html" in caplog.text


def test_S10_details_for_a_developer_go_before_the_page(pages: Router) -> None:
    error = HTTPError(404)
    error.details = (("Output", "boom"),)
    assert b"not here" not in refused(pages, error)[1]
