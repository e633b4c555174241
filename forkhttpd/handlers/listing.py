"""A directory as a page: `read` makes items of a directory, `render` makes the page of items.

The page is one answer: no script, nothing to fetch, light and dark by the reader's preference,
readable on a phone.  Its rules:

* A name is bytes that anybody may have chosen.  In a link every byte but the unreserved ones is
  percent-encoded; in the text it is escaped, control characters become visible ones, and those
  that turn the reading direction (a file that shows as `invoicefdp.exe`) are replaced.
* What would not be served is not shown: names with a leading dot, links that lead out of the
  docroot, sockets, pipes and devices.
* Reading is bounded, because it keeps the worker from everybody else: an item takes 11 µs, half
  to read and half to render, so `MAX_ITEMS` are 22 ms.  The page says when there are more.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from html import escape
from itertools import islice
from string import Template
from typing import Final
from urllib.parse import quote

from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.http1.dates import format_date
from forkhttpd.http1.errors import HTTPError

MAX_ITEMS: Final = 2000

Look = Callable[[str], os.stat_result]
"""Name in the directory → status with links followed; HTTPError where it leads nowhere."""


class Kind(Enum):
    """What an item is, as its icon shows it."""

    FOLDER = "folder"
    TEXT = "text"
    IMAGE = "image"
    SOUND = "sound"
    VIDEO = "video"
    ARCHIVE = "archive"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the page.

    name: without a slash, surrogate-escaped where it is not UTF-8; size in bytes; modified in
    seconds since the epoch.
    """

    name: str
    kind: Kind
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class Contents:
    """The items of a directory in the order of the page; `complete` unless there are too many."""

    items: tuple[Item, ...]
    complete: bool


def read(fd: int, *, look: Look, media_types: MediaTypes) -> Contents:
    """Return what is in a directory; `fd` stays the caller's.  Raises OSError."""
    with os.scandir(fd) as entries:
        found = list(islice(entries, MAX_ITEMS + 1))
        items = _items(found[:MAX_ITEMS], look, media_types)
    return Contents(tuple(sorted(items, key=_order)), complete=len(found) <= MAX_ITEMS)


def _items(
    entries: Iterable["os.DirEntry[str]"], look: Look, media_types: MediaTypes
) -> Iterable[Item]:
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = os.fsencode(entry.name).decode("utf-8", "surrogateescape")
        try:
            status = look(name) if entry.is_symlink() else entry.stat(follow_symlinks=False)
        except (OSError, HTTPError):
            continue  # gone since, or a link that leads out
        kind = _kind(name, status.st_mode, media_types)
        if kind is not None:
            yield Item(name, kind, status.st_size, status.st_mtime)


_ARCHIVE: Final = re.compile(r"zip|x-tar|x-7z|rar|x-bzip|x-xz|zstd|compress|package|iso9660")


def _kind(name: str, mode: int, media_types: MediaTypes) -> Kind | None:
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    if not stat.S_ISREG(mode):
        return None
    media_type = media_types.of(name)
    match media_type.split("/", 1):
        case ["text", _] | ["application", "json" | "xml" | "pdf" | "yaml" | "toml"]:
            return Kind.TEXT
        case ["image", _]:
            return Kind.IMAGE
        case ["audio", _]:
            return Kind.SOUND
        case ["video", _]:
            return Kind.VIDEO
    return Kind.ARCHIVE if _ARCHIVE.search(media_type) else Kind.FILE


def _order(item: Item) -> tuple[bool, list[str | int], str]:
    """Folders first; then as a person counts: `page 9` before `page 10`, `a` beside `A`."""
    pieces = re.split(r"([0-9]+)", item.name.casefold())
    natural = [int(piece) if odd else piece for piece, odd in zip(pieces, _ODD, strict=False)]
    return item.kind is not Kind.FOLDER, natural, item.name


# re.split with one group alternates text and number; a name has at most 255 bytes, limits.h.
_ODD: Final = (False, True) * 256


def render(path: str, contents: Contents, *, top: str, now: float) -> bytes:
    """Return the page of the directory `path`, UTF-8.

    path: the decoded path of the request, with a slash at its end; top: the path of the mount,
    above which there is no parent to show; now: seconds since the epoch, for "3 hours ago".
    """
    return _PAGE.substitute(
        title=escape(_visible(path)),
        trail=_trail(path),
        rows=_parent(path, top) + "".join(_row(item, now) for item in contents.items),
        summary=_summary(contents),
    ).encode("utf-8", "replace")


def _trail(path: str) -> str:
    """Return every directory on the way as a link to it; the last one is where we are."""
    crumbs, href = [("/", "/")], "/"
    for segment in path.strip("/").split("/"):
        if segment:
            href += f"{_quoted(segment)}/"
            crumbs.append((href, f"<bdi>{_shown(segment)}</bdi><span>/</span>"))
    *above, here = [f'<a href="{link}">{text}</a>' for link, text in crumbs]
    return " ".join([*above, here.replace("<a ", '<a aria-current="page" ', 1)])


def _parent(path: str, top: str) -> str:
    if path.rstrip("/") == top.rstrip("/"):
        return ""
    return (
        '<tr><td><a href="../"><svg aria-hidden="true"><use href="#up"/></svg>'
        '<span class="quiet">Parent folder</span></a></td><td></td><td></td></tr>\n'
    )


def _row(item: Item, now: float) -> str:
    folder = item.kind is Kind.FOLDER
    slash = "/" if folder else ""
    size = "" if folder else f'<data value="{item.size}">{format_size(item.size)}</data>'
    return (
        f'<tr><td><a href="{_quoted(item.name)}{slash}">'
        f'<svg aria-hidden="true"><use href="#{item.kind.value}"/></svg>'
        f"<bdi>{_shown(item.name)}{slash}</bdi></a></td>"
        f"<td>{size}</td><td>{_moment(item.modified, now)}</td></tr>\n"
    )


def _summary(contents: Contents) -> str:
    if not contents.items:
        return "This folder is empty."
    files = [item.size for item in contents.items if item.kind is not Kind.FOLDER]
    parts = [
        _count(len(contents.items) - len(files), "folder"),
        _count(len(files), "file"),
        format_size(sum(files)) if files else "",
    ]
    text = " · ".join(part for part in parts if part)
    return text if contents.complete else f"{text} · not all: there are too many to show"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}" if number else ""


def _quoted(name: str) -> str:
    """Return a segment of a path for a link.  The colon is encoded too: no name is a scheme."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="")


# Control characters as their pictures (U+2400 …), what cannot be shown or would turn the reading
# direction as U+FFFD.  Joiners stay: they hold emoji together.
_PICTURES: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, 0x2028, 0x2029), "\ufffd"),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


def _visible(name: str) -> str:
    return name.translate(_PICTURES)


def _shown(name: str) -> str:
    return escape(_visible(name))


def format_size(size: int) -> str:
    """Return a size as people say it, in powers of ten: "0 B", "1.4 MB", "23 GB"."""
    if size < 1000:
        return f"{size} B"
    value = size / 1000
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.5:
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} EB"


_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def format_age(seconds: float) -> str | None:
    """Return how long ago, "5 minutes ago"; None for the future and for a week and more."""
    if seconds < 0 or seconds >= 7 * _DAY:
        return None
    for length, noun in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= length:
            return f"{_count(int(seconds // length), noun)} ago"
    return "just now"


def _moment(modified: float, now: float) -> str:
    try:
        exact = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(modified))
        day = format_date(modified)[5:16].lstrip("0")  # "7 Nov 2025"
    except (OverflowError, OSError, ValueError):  # a file system may hold any 64 bits
        return ""
    shown = format_age(now - modified) or day
    return f'<time datetime="{exact}Z" title="{exact} UTC">{shown}</time>'


_PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --text: #1d2433; --quiet: #667085; --line: #e7eaf0; --paper: #fff; --ground: #f5f6f9;
  --link: #2456c9; --hover: #f2f6ff; --folder: #3b74e8; --icon: #8a94a8 }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8f0; --quiet: #929db1; --line: #2a3140;
  --paper: #1a1f2a; --ground: #12161e; --link: #8fb4ff; --hover: #212838; --folder: #6d9bff;
  --icon: #78839a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem }
h1 { margin: 0 0 1.25rem; font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }
h1 a { color: var(--quiet); font-weight: 400 }
h1 a[aria-current] { color: inherit; font-weight: 600 }
h1 a:hover { color: var(--link) }
h1 span { margin-left: .2em; color: var(--icon); font-weight: 400 }
a { color: var(--link); text-decoration: none; border-radius: 4px }
a:hover { text-decoration: underline; text-underline-offset: 3px }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
table { width: 100%; border-collapse: separate; border-spacing: 0; background: var(--paper);
  border: 1px solid var(--line); border-radius: 12px; overflow: hidden }
th, td { padding: 0 1rem; border-bottom: 1px solid var(--line); white-space: nowrap }
tr:last-child td { border-bottom: 0 }
th { height: 2.5rem; color: var(--quiet); font-size: .8125rem; font-weight: 500; text-align: left }
td { color: var(--quiet); font-size: .875rem; font-variant-numeric: tabular-nums }
th:nth-child(2), td:nth-child(2) { text-align: right }
td:first-child { width: 100%; font-size: 1rem; white-space: normal }
td a { display: flex; gap: .75rem; padding: .5625rem 0; overflow-wrap: anywhere }
td bdi { min-width: 0; white-space: pre-wrap }
tbody tr:hover { background: var(--hover) }
svg { flex: none; width: 1.25rem; height: 1.25rem; margin-top: .125rem; fill: none;
  stroke: var(--icon); stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round }
#folder { fill: var(--folder); stroke: var(--folder) }
.quiet, footer { color: var(--quiet) }
footer { padding: 1rem; font-size: .875rem }
@media (max-width: 36rem) {
  main { padding: 1.5rem 0 }
  h1, footer { padding: 0 1rem }
  footer { padding-top: 1rem }
  table { border-radius: 0; border-width: 1px 0 }
  thead, td:nth-child(3) { display: none }
  td a { padding: .75rem 0 }
}
</style>
</head>
<body>
<svg style="display:none">
<symbol id="up" viewBox="0 0 20 20"><path d="M8 4 4 8l4 4M4.5 8H12a4 4 0 0 1 4 4v4"/></symbol>
<symbol id="folder" viewBox="0 0 20 20"><path d="M2.5 5.5a1 1 0 0 1 1-1h4l2 2h7a1 1 0 0 1 1 1v7\
a1 1 0 0 1-1 1h-13a1 1 0 0 1-1-1z"/></symbol>
<symbol id="file" viewBox="0 0 20 20"><path d="M5 2.5h6.5L15.5 6.5v11H5zM11.5 2.5v4h4"/></symbol>
<symbol id="text" viewBox="0 0 20 20"><path d="M5 2.5h6.5L15.5 6.5v11H5zM11.5 2.5v4h4M7.5 10h5.5\
M7.5 13.5h5.5"/></symbol>
<symbol id="image" viewBox="0 0 20 20"><path d="M2.5 4h15v12h-15zM3 14.5l4-4.5 3.5 3.5 2-2 4.5 4\
M13 7.5h.01"/></symbol>
<symbol id="sound" viewBox="0 0 20 20"><path d="M8 15V4.5l8-1.5v10.5M8 15a2.3 2 0 1 1-4.6 0\
 2.3 2 0 0 1 4.6 0zM16 13.5a2.3 2 0 1 1-4.6 0 2.3 2 0 0 1 4.6 0z"/></symbol>
<symbol id="video" viewBox="0 0 20 20"><path d="M2.5 4h15v12h-15zM8.5 7.5v5l4-2.5z"/></symbol>
<symbol id="archive" viewBox="0 0 20 20"><path d="M3 3.5h14v4H3zM4 7.5v9h12v-9M8 11h4"/></symbol>
</svg>
<main>
<h1>$trail</h1>
<table>
<thead>
<tr><th scope="col">Name</th><th scope="col">Size</th><th scope="col">Changed</th></tr>
</thead>
<tbody>
$rows</tbody>
</table>
<footer>$summary</footer>
</main>
</body>
</html>
""")
