"""A directory as a document for programs: JSON, for who asks for it by Accept.

    {"path": "/pub/", "complete": true, "items": [
        {"name": "a.txt", "href": "a.txt", "type": "file", "size": 5, "modified": "2025-11-22T…Z"},
        {"name": "b", "href": "b/", "type": "directory", "size": null, "modified": "…"}]}

`href` leads to the item, whatever bytes its name is made of; `name` is for people, with U+FFFD for
what is no text.  A time that no calendar has is null.
"""

import json
import time
from typing import Any, Final

from forkhttpd.handlers.listing.contents import Contents, Item, Kind

FIELDS: Final = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-cache"),
    ("Vary", "Accept"),
)


def render(path: str, contents: Contents) -> bytes:
    """Return the document of the directory `path`, the decoded path of the request."""
    shown = {
        "path": _text(path),
        "complete": contents.complete,
        "items": [_item(item) for item in contents.items],
    }
    return json.dumps(shown, ensure_ascii=False).encode()


def _item(item: Item) -> dict[str, Any]:
    folder = item.kind is Kind.FOLDER
    return {
        "name": _text(item.name),
        "href": item.href,
        "type": "directory" if folder else "file",
        "size": None if folder else item.size,
        "modified": _moment(item.modified),
    }


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _moment(seconds: float) -> str | None:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # a file system may hold any 64 bits
        return None
