"""The files of a docroot and what is said of each: found, described once, kept while it holds.

A file is opened once and everything is said of that descriptor.  What can be reused is in `cache`.

A docroot has one `Files` for its files as they are, and one more for each coding that they may lie
beside them in: `page.html.gz` is what `page.html` is, in another coding (S7).  Those are found and
opened like any other file, with the same rights, and described with the type of the file that they
stand for.  To look for siblings by their names costs 1 µs each, at every request of a client that
takes codings, and a second stat where there is one: 7 to 10 µs for a hit instead of 2.3.

Each coding has an entity tag of its own, since a byte range of the one is no part of
the other (RFC 9110 §8.8.3.3).
"""

import os
import stat
from collections.abc import Callable
from typing import Final, NamedTuple

from forkhttpd.handlers.cache import Cache, Entry, identity, is_settled
from forkhttpd.handlers.docroot import Docroot, refusal
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.http1.dates import format_date
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Items
from forkhttpd.http1.response import Bytes, FileSlice, Response

SMALL: Final = 64 << 10
MEDIUM: Final = 128 << 10
"""Bytes up to which a file is answered from memory, and up to which it is while the cache has room
to spare; larger ones go from the disk by sendfile.  For 100 KiB that is 17.7 µs instead of 11.5:
three system calls more, and the pages one by one.
"""

# What a 304 repeats: it updates the answer that the client has (RFC 9110 §15.4.5).
_OF_304: Final = ("cache-control", "content-location", "expires", "vary")


class Found(NamedTuple):
    """A file that was found, and the answer that holds all of it: 200, shared when in memory."""

    entry: Entry
    whole: Response

    def release(self) -> None:
        """Close what the answer holds, when it is not going to be sent."""
        if isinstance(self.whole.body, FileSlice):
            os.close(self.whole.body.fd)


class Coding(NamedTuple):
    """A coding of files: its name in HTTP, and the suffix of the files that are in it."""

    name: str
    suffix: str


IDENTITY: Final = Coding("", "")


class Files:
    """The files of a docroot in one coding.

    fields: what is said of every file beside its own; is_program: is asked once about every file
    that was opened, by its descriptor: what it says yes to is as good as absent (S11).  A file
    cannot become a program by moving without a change of its identity, or of its path, so the
    cache need not ask again.  The clock tells the seconds since the epoch.
    """

    __slots__ = (
        "_cache",
        "_clock",
        "_coding",
        "_docroot",
        "_fields",
        "_fields_of_304",
        "_is_program",
        "_media_types",
    )

    def __init__(
        self,
        docroot: Docroot,
        *,
        cache: Cache,
        clock: Callable[[], float],
        coding: Coding = IDENTITY,
        fields: Items,
        is_program: Callable[[int], bool] | None,
        media_types: MediaTypes,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._coding = coding
        self._docroot = docroot
        self._fields = fields
        self._fields_of_304 = tuple(item for item in fields if item[0].lower() in _OF_304)
        self._is_program = is_program
        self._media_types = media_types

    def find(self, path: str) -> Found | None:
        """Return the file that a path names, None for a directory.  Raises HTTPError.

        The answer owns a descriptor if it is a slice of the file.
        """
        key = self._key(path)
        entry = self._cache.fresh(key)
        if entry is not None and entry.whole is not None:
            return Found(entry, entry.whole)
        found = None
        try:
            found = self._look(path, key)
            return found
        finally:
            if found is None:  # whatever was there before is no proof of what is answered now
                self._cache.drop(key)

    def _look(self, path: str, key: str) -> Found | None:
        fd = self._open(path)
        if fd is None:
            return None
        try:
            found = self._load(path, key, fd)
        except OSError as error:
            os.close(fd)
            raise refusal(error, path) from None
        except BaseException:
            os.close(fd)
            raise
        if found is None or not isinstance(found.whole.body, FileSlice):
            os.close(fd)
        return found

    def find_beside(self, original: Entry, path: str) -> Found | None:
        """Return the file in this coding that stands for another one, if there is a true one.

        One that is older than the original is of another version of it (S9): whoever edits a page
        and forgets to compress it again sees the edit.  The programs that compress keep the time.
        """
        found = self._find_by_name(original.location + os.fsencode(self._coding.suffix), path)
        if found is not None and found.entry.modified_ns < original.modified_ns:
            found.release()
            return None
        return found

    def _find_by_name(self, location: bytes, path: str) -> Found | None:
        entry = self._cache.fresh(self._key(path))
        if entry is not None and entry.whole is not None:
            return Found(entry, entry.whole)
        if not os.access(location, os.F_OK):
            return None  # as nearly always; to open it in vain would take three times as long
        try:
            return self.find(path)
        except HTTPError:
            return None

    def _key(self, path: str) -> str:
        """Return what stands for a path in the cache: no path begins with a suffix's dot."""
        return self._coding.suffix + path

    def _open(self, path: str) -> int | None:
        """Open for reading; None for a directory that may be passed through but not read."""
        name = path + self._coding.suffix
        try:
            return self._docroot.open(name)
        except HTTPError as error:
            if error.status == 403 and stat.S_ISDIR(self._docroot.look(name).st_mode):
                return None
            raise

    def _load(self, path: str, key: str, fd: int) -> Found | None:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise HTTPError(403, f"{path}: not a regular file")
        entry = self._cache.known(key, identity(status))
        if entry is None:
            if self._is_program is not None and self._is_program(fd):
                raise HTTPError(404, f"{path}: a program, not a file to serve")
            entry = self._describe(path, fd, status)
            if entry.whole is None or is_settled(status, self._clock()):
                self._cache.keep(key, entry)
            else:
                self._cache.drop(key)
        whole = entry.whole or Response(200, entry.fields, FileSlice(fd, 0, entry.size))
        return Found(entry, whole)

    def _describe(self, path: str, fd: int, status: os.stat_result) -> Entry:
        # Not later than the answer itself, RFC 9110 §8.8.2.1, nor before HTTP can tell.
        modified = max(0, min(status.st_mtime_ns // 10**9, int(self._clock())))
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}{self._coding.suffix}"'
        coding = self._coding.name
        fields = (
            ("Content-Type", self._media_types.of(path)),
            *((("Content-Encoding", coding),) if coding else ()),
            ("Last-Modified", format_date(modified)),
            ("ETag", etag),
            ("Accept-Ranges", "bytes"),
            *self._fields,
        )
        content = self._content(fd, status.st_size)
        return Entry(
            identity=identity(status),
            location=self._docroot.location(path + self._coding.suffix),
            size=status.st_size,
            etag=etag,
            modified=modified,
            fields=fields,
            unchanged=Response(304, (("ETag", etag), *self._fields_of_304)),
            whole=None if content is None else Response(200, fields, Bytes(content)),
        )

    def _content(self, fd: int, size: int) -> bytes | None:
        """Return all of a small file; None for a large one, and for one that changes just now."""
        if size > (MEDIUM if self._cache.has_to_spare(size) else SMALL):
            return None
        content = os.read(fd, size + 1)
        return content if len(content) == size else None
