"""What is in a directory: its items, as the mount would serve them, in an order.

* What would not be served is not shown: names with a leading dot, links that may not be followed,
  sockets, pipes and devices.
* Reading is bounded, because it keeps the worker from everybody else: an item takes 8 µs to read
  and to put in its place, so `MAX_ITEMS` are 40 ms.  The page says when there are more.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, Literal, Self
from urllib.parse import quote

from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.http1.errors import HTTPError

MAX_ITEMS: Final = 5000

Look = Callable[[str], os.stat_result]
"""Name in the directory → status with links followed; HTTPError where it leads nowhere."""

SortKey = Literal["name", "size", "date"]
_SORT_KEYS: Final[dict[str, SortKey]] = {"name": "name", "size": "size", "date": "date"}


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
    """A line of the list.

    name: without a slash, surrogate-escaped where it is not UTF-8; size in bytes; modified in
    seconds since the epoch.
    """

    name: str
    kind: Kind
    size: int
    modified: float

    @property
    def href(self) -> str:
        """The link to it from its directory.  The colon is encoded, too: no name is a scheme."""
        return quoted(self.name) + ("/" if self.kind is Kind.FOLDER else "")


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order of items; folders come first in each."""

    key: SortKey = "name"
    descending: bool = False

    @classmethod
    def of(cls, query: str) -> Self:
        """Read `sort=name|size|date&order=asc|desc`; what is missing or unknown is the default."""
        words = dict(pair.partition("=")[::2] for pair in query.split("&"))
        key = _SORT_KEYS.get(words.get("sort", ""), "name")
        return cls(key, words.get("order") == "desc")

    @property
    def query(self) -> str:
        """The query that asks for this order, with its "?"; "" for the default."""
        if self == _DEFAULT:
            return ""
        return f"?sort={self.key}&order={'desc' if self.descending else 'asc'}"


_DEFAULT: Final = Sorting()


@dataclass(frozen=True, slots=True)
class Contents:
    """The items of a directory in their order; `complete` unless there are too many."""

    items: tuple[Item, ...]
    complete: bool
    sorting: Sorting = _DEFAULT


def read(fd: int, *, look: Look, media_types: MediaTypes, sorting: Sorting = _DEFAULT) -> Contents:
    """Return what is in a directory; `fd` stays the caller's.  Raises OSError."""
    with os.scandir(fd) as entries:
        found = list(islice(entries, MAX_ITEMS + 1))
        items = _sorted(_items(found[:MAX_ITEMS], look, media_types), sorting)
    return Contents(tuple(items), complete=len(found) <= MAX_ITEMS, sorting=sorting)


def quoted(name: str) -> str:
    """Return a segment of a path for a link."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="")


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
            continue  # gone since, or a link that may not be followed
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


def _sorted(items: Iterable[Item], sorting: Sorting) -> list[Item]:
    """Return the items in their order; those that are alike in it stand by their names."""
    found = sorted(items, key=_by_name, reverse=sorting.key == "name" and sorting.descending)
    if sorting.key != "name":
        found.sort(key=_BY[sorting.key], reverse=sorting.descending)
    return sorted(found, key=lambda item: item.kind is not Kind.FOLDER)


def _by_name(item: Item) -> tuple[list[str | int], str]:
    """As a person counts: `page 9` before `page 10`, `a` beside `A`."""
    pieces = re.split(r"([0-9]+)", item.name.casefold())
    return [
        int(piece) if odd else piece for piece, odd in zip(pieces, _ODD, strict=False)
    ], item.name


# re.split with one group alternates text and number; a name has at most 255 bytes, limits.h.
_ODD: Final = (False, True) * 256

_BY: Final[dict[str, Callable[[Item], float]]] = {
    "size": lambda item: 0 if item.kind is Kind.FOLDER else item.size,
    "date": lambda item: item.modified,
}
