"""Which files are programs: their source is not for anyone to read (S11).

Whether a file is one is asked about the open file, by where it really is, so that no link, no other
mount and no spelling of a path makes a difference.  Directories of programs are known by inode, not
by name: after `ln -sfn release-2 current` the programs are those of release-2.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from forkhttpd.config import Mount

_DELETED: Final = " (deleted)"  # proc(5): what the link says of a file that is gone since

Place = tuple[int, int]  # device and inode


class Programs:
    """All files that are programs: below the directories, or with the suffixes, of the mounts."""

    __slots__ = ("_paths", "_suffixes")

    def __init__(self, mounts: Iterable[Mount]) -> None:
        programs = [mount for mount in mounts if mount.cgi is not None]
        self._suffixes = tuple(suffix.lower() for mount in programs for suffix in mount.suffix)
        self._paths = [mount.cgi for mount in programs if mount.cgi and not mount.suffix]

    def has(self, fd: int) -> bool:
        """Whether an open file is one of them."""
        name = os.readlink(f"/proc/self/fd/{fd}").removesuffix(_DELETED)
        if name.lower().endswith(self._suffixes):
            return True
        programs = set(_places(self._paths))
        return bool(programs) and not programs.isdisjoint(_places(_and_above(name)))


def _and_above(name: str) -> list[Path]:
    path = Path(name)
    return [path, *path.parents]


def _places(paths: Iterable[Path]) -> Iterator[Place]:
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue  # there is nothing, so nothing is in it
        yield status.st_dev, status.st_ino
