"""A directory to configure a site in, and what the check of the machine has to say of it."""

from pathlib import Path

from forkhttpd.config.check import check
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from tests.config.files import LISTEN, write

SOMEBODY = 4711  # a uid that is not root
SCRIPTS = LISTEN + '[[site]]\n[[site.mount]]\ncgi = "cgi-bin"\n'


def problems(site: Path, text: str, *, uid: int = SOMEBODY, allow_root: bool = False) -> list[str]:
    """Return the problems of a configuration in `site`, which is called SITE in them."""
    return _examine(site, text, uid=uid, allow_root=allow_root)[0]


def warnings(site: Path, text: str, *, uid: int = SOMEBODY) -> list[str]:
    """Return the warnings of a configuration in `site`, which is called SITE in them."""
    return _examine(site, text, uid=uid, allow_root=True)[1]


def _examine(site: Path, text: str, *, uid: int, allow_root: bool) -> tuple[list[str], list[str]]:
    source = read(write(site, text))
    report = check(parse(source), source, uid=uid, allow_root=allow_root)
    return short(site, report.problems), short(site, report.warnings)


def short(site: Path, lines: list[str]) -> list[str]:
    prefix = f"{site}/forkhttpd.conf:"
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix).replace(str(site), "SITE") for line in lines]
