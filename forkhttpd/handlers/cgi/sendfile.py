"""A file that a program has us send: `X-Sendfile: /srv/files/report.pdf`.

The program decides who may have the file, and we send it as we send any file: without it passing
through anybody's memory, by parts where the client asks for them, and not at all where it has it.
Only files below the mount's `sendfile_roots` can be named, and they are opened by the same rules
as those of a docroot: no link leads out, nothing that begins with a dot is there.
"""

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath

from forkhttpd.handlers.cache import Entry, identity
from forkhttpd.handlers.cgi.output import Head
from forkhttpd.handlers.docroot import Docroot
from forkhttpd.handlers.files import Found
from forkhttpd.handlers.selection import choose
from forkhttpd.http1.dates import format_date
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Items
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import FileSlice, Response

FIELD = "x-sendfile"
_OURS = (FIELD, "accept-ranges", "etag", "last-modified")
# What a 304 leaves out: of the content.  Cache-Control, Vary and the like it has to repeat, and
# what else a program says, a cookie for one, is no less meant (RFC 9110 §15.4.5).
_OF_CONTENT = ("content-encoding", "content-language", "content-type")
_WHOLE = 200


class Sendfile:
    """The directories whose files the programs of a mount may have sent."""

    __slots__ = ("_roots",)

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [(root, Docroot(root)) for root in roots]

    def file_of(self, head: Head) -> str:
        """Return the file that a program wants sent, "" for none, or where none may be."""
        if not self._roots:
            return ""
        return next((value for name, value in head.fields if name.lower() == FIELD), "")

    def respond(self, request: Request, head: Head, file: str) -> Response:
        """Answer with a file and the program's own fields.

        Raises HTTPError: 502 for a file that it may not name, 404 and the like for one that is
        not there, and what the request's conditions make of it.
        """
        fd = self._open(file)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise HTTPError(404, f"X-Sendfile: {file} is not a regular file")
            found = _describe(fd, status, head)
        except BaseException:
            os.close(fd)
            raise
        if head.status != _WHOLE or request.method not in ("GET", "HEAD"):
            return found.whole
        return choose(request, found)

    def _open(self, file: str) -> int:
        path = PurePath(os.fsdecode(file.encode("latin-1")))
        for root, docroot in self._roots:
            if ".." not in path.parts and path.is_relative_to(root):
                return docroot.open(str(path.relative_to(root)))
        raise HTTPError(502, f"X-Sendfile: {file} is in none of the mount's sendfile_roots")


def _describe(fd: int, status: os.stat_result, head: Head) -> Found:
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    modified = max(0, status.st_mtime_ns // 10**9)
    said = _without(_OURS, head.fields)
    fields: Items = (
        *_typed(said),
        ("Last-Modified", format_date(modified)),
        ("ETag", etag),
        ("Accept-Ranges", "bytes"),
    )
    whole = Response(head.status, fields, FileSlice(fd, 0, status.st_size), reason=head.reason)
    entry = Entry(
        identity=identity(status),
        location=b"",
        size=status.st_size,
        etag=etag,
        modified=modified,
        fields=fields,
        unchanged=Response(304, (("ETag", etag), *_without(_OF_CONTENT, said))),
        whole=None,
    )
    return Found(entry, whole)


def _typed(fields: Items) -> Items:
    """Return the fields with a Content-Type, spelled as whoever composes parts looks for it."""
    given = [value for name, value in fields if name.lower() == "content-type"]
    others = _without(("content-type",), fields)
    return (("Content-Type", given[0] if given else "application/octet-stream"), *others)


def _without(names: Collection[str], fields: Items) -> Items:
    return tuple(item for item in fields if item[0].lower() not in names)
