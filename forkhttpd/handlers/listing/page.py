"""A directory as a page for people: one answer that needs no script and fetches nothing.

Light and dark by the reader's preference, readable on a phone, sorted by links in its header.  A
name is bytes that anybody may have chosen: in a link every byte but the unreserved ones is
percent-encoded; in the text it is escaped, control characters become visible ones, and those that
turn the reading direction (a file that shows as `invoicefdp.exe`) are replaced.

A large directory has several pages, with links between them: a line takes 5 µs to render, and a
browser as well as a reader is done with a thousand of them for a while.
"""

import re
import time
from html import escape
from typing import Final

from forkhttpd.handlers.listing.contents import (
    Contents,
    Item,
    Kind,
    Sorting,
    SortKey,
    quoted,
)
from forkhttpd.handlers.listing.template import PAGE
from forkhttpd.http1.dates import format_date

FIELDS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("Vary", "Accept"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
)


LINES: Final = 1000
"""Items on a page."""


def number_of(query: str) -> int:
    """Return which of the pages a query asks for (`page=2`), 1 when it does not say."""
    words = dict(pair.partition("=")[::2] for pair in query.split("&"))
    number = words.get("page", "")
    return int(number) if re.fullmatch("[1-9][0-9]{0,3}", number) else 1


def render(path: str, contents: Contents, *, top: str, now: float, number: int = 1) -> bytes:
    """Return a page of the directory `path`, UTF-8; the last one, where there is no `number`.

    path: the decoded path of the request, with a slash at its end; top: the path of the mount,
    above which there is no parent to show; now: seconds since the epoch, for "3 hours ago".
    """
    query = escape(contents.sorting.query)  # the order stays on the way through the folders
    pages = max(1, -(-len(contents.items) // LINES))
    number = min(number, pages)
    shown = contents.items[(number - 1) * LINES : number * LINES]
    rows = (_row(item, now, query) for item in shown)
    return PAGE.substitute(
        title=escape(_visible(path)),
        trail=_trail(path, query),
        heads="".join(_head(key, label, contents.sorting) for key, label in _HEADS),
        rows=_parent(path, top, query) + "".join(rows),
        summary=_summary(contents),
        turning=_turning(contents.sorting, number, pages) if pages > 1 else "",
    ).encode("utf-8", "replace")


_HEADS: Final[tuple[tuple[SortKey, str], ...]] = (
    ("name", "Name"),
    ("size", "Size"),
    ("date", "Changed"),
)


def _head(key: SortKey, label: str, sorting: Sorting) -> str:
    """Return the head of a column: a link to the list in its order, or in the opposite one."""
    if key != sorting.key:
        wanted = Sorting(key, descending=key != "name")  # large ones first, and new ones
        return f'<th scope="col"><a href="{escape(wanted.query) or "./"}">{label}</a></th>'
    now, arrow = ("descending", "\u2193") if sorting.descending else ("ascending", "\u2191")
    wanted = Sorting(key, descending=not sorting.descending)
    return (
        f'<th scope="col" aria-sort="{now}"><a href="{escape(wanted.query) or "./"}">'
        f'{label}<span aria-hidden="true">{arrow}</span></a></th>'
    )


def _trail(path: str, query: str) -> str:
    """Return every directory on the way as a link to it; the last one is where we are."""
    crumbs, href = [("/", "/")], "/"
    for segment in path.strip("/").split("/"):
        if segment:
            href += f"{quoted(segment)}/"
            crumbs.append((href, f"<bdi>{_shown(segment)}</bdi><span>/</span>"))
    *above, here = [f'<a href="{link}{query}">{text}</a>' for link, text in crumbs]
    return " ".join([*above, here.replace("<a ", '<a aria-current="page" ', 1)])


def _parent(path: str, top: str, query: str) -> str:
    if path.rstrip("/") == top.rstrip("/"):
        return ""
    return (
        f'<tr><td><a href="../{query}"><svg aria-hidden="true"><use href="#up"/></svg>'
        '<span class="quiet">Parent folder</span></a></td><td></td><td></td></tr>\n'
    )


def _row(item: Item, now: float, query: str) -> str:
    folder = item.kind is Kind.FOLDER
    slash = "/" if folder else ""
    size = "" if folder else f'<data value="{item.size}">{format_size(item.size)}</data>'
    return (
        f'<tr><td><a href="{item.href}{query if folder else ""}">'
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


def _turning(sorting: Sorting, number: int, pages: int) -> str:
    """Return the links to the pages before and behind this one."""

    def link(to: int, words: str, rel: str) -> str:
        if not 1 <= to <= pages:
            return f"<span>{words}</span>"
        query = f"{sorting.query}&page={to}" if sorting.query else f"?page={to}"
        return f'<a href="{escape(query)}" rel="{rel}">{words}</a>'

    before, behind = link(number - 1, "Previous", "prev"), link(number + 1, "Next", "next")
    return f'<nav aria-label="Pages">{before} Page {number} of {pages} {behind}</nav>'


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}" if number else ""


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
