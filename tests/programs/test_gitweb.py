"""Repositories in a browser: gitweb and cgit as README.md shows them, in Chromium (C18)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.webdriver import Browser
from tests.live.daemon import Daemon, daemon, wait_for
from tests.programs.forge import check, fill, git
from tests.programs.manual import changed, example, section, with_mounts
from tests.programs.peers import need

TITLE = "Git in a browser"
PROJECTROOT = '$projectroot = "/srv/git";'
SCAN_PATH = "scan-path=/srv/git"


@pytest.fixture(scope="module")
def forge(pool: str) -> Iterator[str]:
    """The address of a daemon with README's example, and a repository of three commits."""
    need("/etc/gitweb.conf", package="gitweb")
    need("/usr/share/perl5/CGI.pm", package="libcgi-pm-perl")
    need("/usr/lib/cgit/cgit.cgi", package="cgit")
    with daemon(start=False) as running:
        fill(running.directory / "git/project.git")
        running.configure(with_mounts(_elsewhere(running), pool=pool.replace("default", "git")))
        running.start()
        yield f"http://127.0.0.1:{running.port}"


def _elsewhere(running: Daemon) -> str:
    """Return the example with configurations of our own; those of the machine begin them."""
    for file, line in (("gitweb.conf", PROJECTROOT), ("cgitrc", SCAN_PATH)):
        assert f"`{line}`" in section(TITLE)
        line = line.replace("/srv/git", f"{running.directory}/git")
        running.write(file, f"{Path('/etc', file).read_text()}\n{line}\n")
    gitweb, cgit = 'index  = ["index.cgi"]\n', 'cgi  = "/usr/lib/cgit/cgit.cgi"\n'
    return changed(
        example(TITLE, "toml"),
        **{
            gitweb: f'{gitweb}env = {{ GITWEB_CONFIG = "{running.directory}/gitweb.conf" }}\n',
            cgit: f'{cgit}env = {{ CGIT_CONFIG = "{running.directory}/cgitrc" }}\n',
        },
    )


def assert_dressed(visitor: Browser, *, image: str) -> None:
    """Style sheets apply and pictures are pictures: what the page asked for has come."""
    rules = "return [...document.styleSheets].map(sheet => sheet.cssRules.length)"
    width = f"return document.querySelector('{image}').naturalWidth"
    wait_for(lambda: (counts := visitor.run(rules)) and all(counts), "style sheets with rules")
    wait_for(lambda: visitor.run(width) > 0, "a picture")


def test_C18_gitweb_in_a_browser(forge: str, visitor: Browser) -> None:
    visitor.open(f"{forge}/gitweb")
    assert visitor.url == f"{forge}/gitweb/"
    assert_dressed(visitor, image="img.logo")
    visitor.follow("project.git")
    assert "commit 2" in visitor.text("table.shortlog")
    assert_dressed(visitor, image="img.logo")
    visitor.follow("commit 2")
    assert "A <a@example.org>" in visitor.text("table.object_header").replace("\n", " ")
    visitor.follow("commitdiff")
    assert "+content 2" in visitor.text(".patchset")


def test_C18_gitweb_finds_and_sends_files(forge: str, visitor: Browser) -> None:
    visitor.open(f"{forge}/gitweb/index.cgi?p=project.git;a=tree")
    visitor.follow("file1")
    assert "content 1" in visitor.text(".page_body")
    visitor.follow("raw")
    wait_for(lambda: visitor.text("body") == "content 1", "the file itself")


def test_C18_cgit_in_a_browser(forge: str, visitor: Browser) -> None:
    visitor.open(f"{forge}/cgit/")
    assert_dressed(visitor, image="td.logo img")
    visitor.follow("project.git")
    visitor.follow("commit 2")
    assert visitor.text(".commit-subject").startswith("commit 2")
    assert "+content 2" in visitor.text("table.diff")
    visitor.follow("tree")
    visitor.follow("file1")
    assert "content 1" in visitor.text("table.blob")
    assert_dressed(visitor, image="td.logo img")


def test_C18_cgit_is_a_place_to_clone_from(forge: str, tmp_path: Path) -> None:
    check(git("clone", "-q", f"{forge}/cgit/project.git", "mine", where=tmp_path))
    log = check(git("log", "--format=%s", where=tmp_path / "mine"))
    assert log.split("\n") == ["commit 2", "commit 1", "commit 0", ""]
