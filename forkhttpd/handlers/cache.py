"""Answers that are ready: what was made for a file, kept for as long as one stat proves it.

An entry is what can be said of one version of one file: the fields of its answer, its ETag, and
for a small file the whole answer, which every plain GET shares.  Its rules:

* It is never stale.  An entry holds for as long as the file's identity does: device, inode, size,
  time of modification and time of status change.  The last one cannot be set by a program, so an
  edit that restores the old time of modification (`touch -r`, `rsync -t`) shows, too.
* A timestamp has a grain (up to 2 s, on FAT), and two edits within it look alike.  So the content
  of a file that changed within the last `GRAIN` seconds is not kept, nor that of one that changed
  in the future, by a clock that was turned back.
* What is stored through a shared mapping (mmap(2)) changes a timestamp with the first store into a
  clean page, and with none after that until the page has been written back, which on tmpfs it
  never is.  Whoever keeps such a mapping for longer than `GRAIN` is not seen; README says so.
* The stat names the file from the top of the file system, not below a descriptor.  This notices a
  whole docroot replaced by another (see `docroot`), and costs 0.14 µs more.
* Of a large file only the facts are kept, to be found again by the identity of the file that was
  opened to be sent.  To keep its descriptor, too, and to duplicate it would save 3 of 8.8 µs, and
  pin the space of deleted files and file systems that are to be unmounted.
* What a hit costs bounds what the server can do.  A worker that knows the request knows the entry,
  too, and only asks whether it `holds`: one stat, 1.3 µs.  One look for all who ask in the same
  turn of the loop would be cheaper, and stale for a client that edits the file and asks again
  within that turn.  `Static` answers a plain GET from here in 3.2 µs, of which the stat is 1.5 µs;
  304 takes 4.9 µs, a large file 8.8 µs (open, fstat, close), a small one that is not kept 13 µs.
  (CPython 3.11, Linux 6.18, ext4, five fields to look for.)

Nothing is kept of directories: the index of a directory is looked up as the file that it is, under
its own path, so every file that may stand for a directory is asked for in its order, each time.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from forkhttpd.handlers.docroot import READ_FLAGS
from forkhttpd.http1.headers import Items
from forkhttpd.http1.response import Response

GRAIN: Final = 2.0  # seconds

Identity = tuple[int, int, int, int, int]
"""Device, inode, size, mtime_ns, ctime_ns: equal for equal content."""

_OVERHEAD: Final = 2048  # bytes of memory of an entry besides its content, about
_COPIES: Final = 2  # of the content: itself, and in the answer as it was last sent


def identity(status: os.stat_result) -> Identity:
    """Return what tells one version of one file from all others."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def is_settled(status: os.stat_result, now: float) -> bool:
    """Whether any later change will show in the identity; `now` in seconds since the epoch."""
    return now - status.st_ctime >= GRAIN


@dataclass(slots=True)
class Entry:
    """One version of one file.

    location: its full name, for the stat; etag with its quotes; modified in seconds since the
    epoch; fields: those of a 200; unchanged: the shared 304; whole: the shared 200, None for a
    file that is sent from the disk; used: asked for since the cache was last full.
    """

    identity: Identity
    location: bytes
    size: int
    etag: str
    modified: int
    fields: Items
    unchanged: Response
    whole: Response | None
    used: bool = False

    def holds(self) -> bool:
        """Whether this is still the version of the file; a `Proof` of its answers."""
        try:
            status = os.stat(self.location)
        except OSError:
            return False
        if not self.is_of(status):
            return False
        self.used = True
        return True

    def open(self) -> int:
        """Return a descriptor of this version of the file, -1 if there is another one.

        Whatever way the name leads now: the very file, unchanged, was found by all the rules
        before.  That takes 3.5 µs less than to find it again.
        """
        try:
            fd = os.open(self.location, READ_FLAGS)
        except OSError:
            return -1
        if self.is_of(os.fstat(fd)):
            return fd
        os.close(fd)
        return -1

    def is_of(self, status: os.stat_result) -> bool:
        """Whether this is the version that a stat tells of."""
        return self.identity == (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )

    @property
    def modified_ns(self) -> int:
        """When the file was modified, as exactly as the file system knows."""
        return self.identity[3]

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return _OVERHEAD + (_COPIES * self.size if self.whole is not None else 0)


@dataclass(slots=True)
class Absence:
    """A file that is not there, by its full name.  A `Proof` of a 404."""

    location: bytes

    def holds(self) -> bool:
        """Whether it is still absent."""
        try:
            os.stat(self.location)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False

    def open(self) -> int:
        """There is nothing to open."""
        return -1


class Cache:
    """Entries by path, bounded in number and in bytes.

    Full, it makes room for an eighth: entries leave in the order they came, but those that were
    used since the last time get a second round (a clock, in the words of paging).  All that a hit
    pays for this is to set one attribute.
    """

    __slots__ = ("_bytes", "_entries", "_max_bytes", "_max_entries", "_stat")

    def __init__(
        self,
        *,
        max_entries: int = 4096,
        max_bytes: int = 32 << 20,
        stat: Callable[[bytes], os.stat_result] = os.stat,
    ) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._stat = stat

    def fresh(self, path: str) -> Entry | None:
        """Return the entry of a file whose whole answer is kept, if it is still the same.

        One dictionary look-up where there is none; one stat where there is.
        """
        entry = self._entries.get(path)
        if entry is None or entry.whole is None:
            return None
        try:
            status = self._stat(entry.location)
        except OSError:
            self.drop(path)
            return None
        if not entry.is_of(status):
            self.drop(path)
            return None
        entry.used = True
        return entry

    def kept(self, path: str) -> Entry | None:
        """Return the entry of a path as it was last found, without looking; None if it was not."""
        return self._entries.get(path)

    def known(self, path: str, version: Identity) -> Entry | None:
        """Return the entry of the very version of a file that the caller has open."""
        entry = self._entries.get(path)
        if entry is None or entry.identity != version:
            return None
        entry.used = True
        return entry

    def has_to_spare(self, size: int) -> bool:
        """Whether content of that size would leave the cache three quarters empty.

        What is asked for only then never makes anything else leave: of many such files the first
        ones are kept, and there is no going round.
        """
        return self._bytes + _OVERHEAD + _COPIES * size <= self._max_bytes // 4

    def keep(self, path: str, entry: Entry) -> None:
        """Keep an entry in the place of any other of its path, if it is worth its memory."""
        self.drop(path)
        if entry.weight > self._max_bytes // 8:
            return
        self._entries[path] = entry
        self._bytes += entry.weight
        if self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            self._make_room()

    def drop(self, path: str) -> None:
        """Forget the entry of a path, if there is one."""
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._bytes -= entry.weight

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """Memory held, about."""
        return self._bytes

    def _make_room(self) -> None:
        max_bytes, max_entries = self._max_bytes * 7 // 8, self._max_entries * 7 // 8
        while self._bytes > max_bytes or len(self._entries) > max_entries:
            path, entry = next(iter(self._entries.items()))
            if entry.used:
                entry.used = False
                self._entries.move_to_end(path)
            else:
                self.drop(path)
