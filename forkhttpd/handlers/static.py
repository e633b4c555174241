"""Files of a docroot, by GET and HEAD.

A path that ends in a slash is a directory: it is answered with its index, or as a list, or not at
all.  Any other path is a file, or a directory that is redirected to its slash, so that relative
links in its page work.  What the path means was decided before: this handler knows nothing of
programs, and nothing that it cannot find is looked for elsewhere.

A file is opened once and everything is said of that descriptor.  What can be reused is in `cache`;
a plain GET of a small file is one stat and the answer that was made before.
"""

import os
import stat
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from forkhttpd.config import Mount
from forkhttpd.handlers import listing
from forkhttpd.handlers.cache import Cache, Entry, Found, identity, is_settled
from forkhttpd.handlers.docroot import Docroot, refusal
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.http1 import conditional, ranges
from forkhttpd.http1.conditional import Outcome
from forkhttpd.http1.dates import format_date
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Body, Bytes, FileSlice, Response

SMALL: Final = 64 << 10
"""Bytes up to which a file is answered from memory; larger ones go from the disk by sendfile."""

_ALLOW: Final = (("Allow", "GET, HEAD, OPTIONS"),)
_LISTING_FIELDS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
)


class Static:
    """The handler of a mount with a docroot."""

    __slots__ = ("_cache", "_clock", "_docroot", "_is_program", "_media_types", "_mount")

    def __init__(
        self,
        mount: Mount,
        *,
        media_types: MediaTypes,
        docroot: Docroot | None = None,
        cache: Cache | None = None,
        is_program: Callable[[int], bool] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`docroot` is the mount's, unless given; `clock` tells the seconds since the epoch.

        `is_program` is asked once about every file that was opened, by its descriptor: what it
        says yes to is as good as absent (S11).  A file cannot become a program by moving without
        a change of its identity, or of its path, so the cache need not ask again.
        """
        if docroot is None:
            if mount.docroot is None:
                raise ValueError(f"mount {mount.path} has no docroot")
            docroot = Docroot(mount.docroot)
        self._mount = mount
        self._docroot = docroot
        self._media_types = media_types
        self._cache = Cache() if cache is None else cache
        self._is_program = is_program
        self._clock = clock

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for `path`, the part of the request's path below the mount: "" or "/…".

        Raises HTTPError: 403, 404, 405, 412, 416, 500, 503.
        """
        line = request.line
        if line.method not in ("GET", "HEAD"):
            return _answer_other(line.method)
        if line.target.encoded_slash >= 0:
            raise HTTPError(404, f"{request.path}: an encoded slash is no separator")
        entry = self._cache.fresh(path)
        if entry is not None and entry.whole is not None:
            if not request.section.conditional:
                return entry.whole
            return _choose(request, Found(entry, entry.whole))
        found = self._find(path)
        if found is not None:
            return _choose(request, found)
        if path.endswith("/"):
            return self._directory(request, path)
        return _redirect_to_slash(request)

    def _find(self, path: str) -> Found | None:
        """Return the file that is meant; None for a directory that has none, or lacks its slash."""
        if not path.endswith("/"):
            return self._file(path)
        for name in self._mount.index:
            try:
                found = self._file(path + name)
            except HTTPError as error:
                if error.status != 404:
                    raise
            else:
                if found is not None:
                    return found
        return None

    def _file(self, path: str) -> Found | None:
        entry = self._cache.fresh(path)
        if entry is not None and entry.whole is not None:
            return Found(entry, entry.whole)
        fd = self._open(path)
        if fd is None:
            return None
        try:
            found = self._load(path, fd)
        except OSError as error:
            os.close(fd)
            raise refusal(error, path) from None
        except BaseException:
            os.close(fd)
            raise
        if found is None or not isinstance(found.whole.body, FileSlice):
            os.close(fd)
        return found

    def _open(self, path: str) -> int | None:
        """Open for reading; None for a directory that may be passed through but not read."""
        try:
            return self._docroot.open(path)
        except HTTPError as error:
            if error.status == 403 and stat.S_ISDIR(self._docroot.look(path).st_mode):
                return None
            raise

    def _load(self, path: str, fd: int) -> Found | None:
        """Return what was opened, None for a directory; the answer owns `fd` if it is a slice."""
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise HTTPError(403, f"{path}: not a regular file")
        if self._is_program is not None and self._is_program(fd):
            raise HTTPError(404, f"{path}: a program, not a file to serve")
        entry = self._cache.known(path, identity(status)) or self._describe(path, fd, status)
        whole = entry.whole or Response(200, entry.fields, FileSlice(fd, 0, entry.size))
        return Found(entry, whole)

    def _describe(self, path: str, fd: int, status: os.stat_result) -> Entry:
        now = self._clock()
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        # Not later than the answer itself, RFC 9110 §8.8.2.1, nor before HTTP can tell.
        modified = max(0, min(status.st_mtime_ns // 10**9, int(now)))
        fields = (
            ("Content-Type", self._media_types.of(path)),
            ("Last-Modified", format_date(modified)),
            ("ETag", etag),
            ("Accept-Ranges", "bytes"),
        )
        content = _content(fd, status.st_size)
        entry = Entry(
            identity=identity(status),
            location=self._docroot.location(path),
            size=status.st_size,
            etag=etag,
            modified=modified,
            fields=fields,
            # RFC 9110 §15.4.5: what updates a stored answer, and no more of what describes it.
            unchanged=Response(304, (("ETag", etag),)),
            whole=None if content is None else Response(200, fields, Bytes(content)),
        )
        if content is None or is_settled(status, now):
            self._cache.keep(path, entry)
        return entry

    def _directory(self, request: Request, path: str) -> Response:
        """Show what is in a directory that has no index, or say that it is not shown.

        403 and not 404, as nginx has it: that the directory exists is no secret (its name without
        the slash is redirected), and the operator who forgot an index reads here what is wrong.
        """
        if not self._mount.listing:
            self._docroot.look(path)  # or 404
            raise HTTPError(403, f"{path}: no index ({', '.join(self._mount.index)}), no listing")
        fd = self._docroot.open(path)
        try:
            contents = listing.read(
                fd,
                look=lambda name: self._docroot.look(path + name),
                media_types=self._media_types,
            )
        except OSError as error:
            raise refusal(error, path) from None
        finally:
            os.close(fd)
        page = listing.render(request.path, contents, top=self._mount.path, now=self._clock())
        return Response(200, _LISTING_FIELDS, Bytes(page))


def _answer_other(method: str) -> Response:
    if method == "OPTIONS":
        return Response(204, _ALLOW)
    raise HTTPError(405, f"{method} of a file", fields=_ALLOW)


def _content(fd: int, size: int) -> bytes | None:
    """Return all of a small file; None for a large one, and for one that changes just now."""
    if size > SMALL:
        return None
    content = os.read(fd, size + 1)
    return content if len(content) == size else None


def _choose(request: Request, found: Found) -> Response:
    """Return the answer to the request's conditions: all, a part or nothing of what was found."""
    if not request.section.conditional:
        return found.whole
    try:
        chosen = _by_conditions(request, found)
    except HTTPError:
        _release(found.whole)
        raise
    if chosen is found.entry.unchanged:
        _release(found.whole)
    return chosen


def _by_conditions(request: Request, found: Found) -> Response:
    entry = found.entry
    match conditional.evaluate(
        request.method, request.fields, etag=entry.etag, last_modified=entry.modified
    ):
        case Outcome.NOT_MODIFIED:
            return entry.unchanged
        case Outcome.PRECONDITION_FAILED:
            raise HTTPError(412, f"{request.path}: has another version")
    value = request.fields.get("range")
    if value is None or request.method != "GET":  # RFC 9110 §14.2
        return found.whole
    if not conditional.if_range_holds(
        request.fields, etag=entry.etag, last_modified=entry.modified
    ):
        return found.whole
    return _part(value, found)


def _part(value: str, found: Found) -> Response:
    """Return the range that was asked for; all, when several were (RFC 9110 §14.2 lets us)."""
    parts = ranges.parse(value, found.entry.size)
    if parts is None or len(parts) != 1:
        return found.whole
    content_range = ranges.content_range(parts[0], found.entry.size)
    fields = (*found.entry.fields, ("Content-Range", content_range))
    return Response(206, fields, _slice(found.whole.body, *parts[0]))


def _slice(body: Body, start: int, length: int) -> Body:
    match body:
        case Bytes(data=data):
            return Bytes(data[start : start + length])
        case FileSlice(fd=fd):
            return FileSlice(fd, start, length)
    raise AssertionError(f"a file's answer has no {type(body).__name__}")


def _release(response: Response) -> None:
    if isinstance(response.body, FileSlice):
        os.close(response.body.fd)


# What RFC 3986 §3.3 lets stand in a path, so that a name stays as readable as it can be.
_PATH_CHARACTERS: Final = "!$&'()*+,;=:@~"


def _redirect_to_slash(request: Request) -> Response:
    """Redirect a directory to its slash, on this host whatever the path is (S4).

    `//evil.example` or `/\\evil.example` would name another host to a browser: the path is put
    together from its segments, each encoded, with exactly one slash before it.
    """
    path = request.path.encode("utf-8", "surrogateescape")
    segments = [quote(step, safe=_PATH_CHARACTERS) for step in path.split(b"/") if step]
    location = "/".join(["", *segments, ""])
    if request.target.query:
        location += f"?{request.target.query}"
    return Response(301, (("Location", location),))
