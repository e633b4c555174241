"""S1: the spellings that try to leave the docroot, through target and handler.

A part of them does leave a directory in a server that decodes and joins; that is checked first, so
that the corpus is known to be one.
"""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from forkhttpd.handlers.docroot import Docroot
from forkhttpd.handlers.resolver import Opener
from forkhttpd.http1.errors import HTTPError
from tests.handlers.driver import Serve, ask, content_of, field, open_fds
from tests.handlers.spellings import CORPUS, FORBIDDEN, make_site


@pytest.fixture
def site(root: Path) -> Path:
    """A docroot with directories to go down before going up, and links that lead out."""
    make_site(root)
    return root


def leaves(root: Path, raw: str) -> bool:
    """Whether a server that decodes once and joins would hand out what it must not."""
    path = os.fsencode(root) + b"/" + unquote_to_bytes(raw.removeprefix("http://localhost"))
    try:
        with open(path, "rb") as file:
            return file.read(6).startswith(FORBIDDEN)
    except (OSError, ValueError):
        return False


def test_S1_the_corpus_is_one(site: Path) -> None:
    assert len(set(CORPUS)) > 500
    assert sum(leaves(site, raw) for raw in CORPUS) > 200


def test_S1_no_spelling_leads_out(site: Path, serve: Serve) -> None:
    static = serve(directory=site, listing=True)
    before = open_fds()
    for raw in CORPUS:
        try:
            response = ask(static, raw)
        except HTTPError as error:
            assert error.status in (400, 403, 404), raw  # noqa: PT017 - an answer is fine, too
            continue
        assert response.status == 301, raw  # no file of the corpus is inside
        assert (field(response, "Location") or "").startswith("/"), raw
        content_of(response)
    assert open_fds() == before


def test_S1_no_decoded_path_leads_out_of_the_docroot_itself(site: Path, opener: Opener) -> None:
    """The second wall: what a path would do if the target had let it through."""
    docroot = Docroot(site, opener=opener)
    for raw in CORPUS:
        decoded = unquote_to_bytes(raw.removeprefix("http://localhost"))
        with pytest.raises(HTTPError) as caught:
            os.close(docroot.open(decoded.decode("utf-8", "surrogateescape")))
        assert caught.value.status == 404, raw


@pytest.mark.parametrize(
    "raw",
    [
        "/out",
        "/out/",
        "/out/outside/secret.txt",
        "/out/www/index.html",
        "/top/etc/passwd",
        "/top/",
        "/dir/secret",
        "/dir/link/../secret",
        "/dir/%73ecret",
    ],
)
def test_S1_no_link_leads_out(site: Path, serve: Serve, raw: str) -> None:
    with pytest.raises(HTTPError) as caught:
        ask(serve(directory=site, listing=True), raw)
    assert caught.value.status == 404


def test_S1_no_swapped_link_leads_out(site: Path, serve: Serve) -> None:
    """A link that turns to the outside and back, between all requests and within one cache."""
    static = serve(directory=site, clock=lambda: 2.0**33)
    (site / "good").write_text("good")
    turns = [(site / "turn", "good"), (site / "turn", "../outside/secret.txt")]
    for link, target in turns * 200:
        new = site / "new"
        new.symlink_to(target)
        new.rename(link)
        try:
            content = content_of(ask(static, "/turn"))
        except HTTPError as error:
            assert target != "good"
            assert error.status == 404  # noqa: PT017 - which of both it is, is the question
        else:
            assert (target, content) == ("good", b"good")


def test_S3_merged_slashes_mean_the_same_file(site: Path, serve: Serve) -> None:
    (site / "dir/inner/page.txt").write_text("page")
    static = serve(directory=site)
    for raw in (
        "/dir/inner/page.txt",
        "//dir//inner///page.txt",
        "/dir/./inner/page.txt",
        "/dir/inner/../inner/page.txt",
        "/%64ir/inner/page%2Etxt",
        "/dir/link/page.txt",
    ):
        assert content_of(ask(static, raw)) == b"page", raw
