"""Opening below a directory segment by segment: what openat2(2) does, where it cannot do it.

Every function here is an `Opener` of `resolver`, which says what the policies mean.  No segment is
ever opened through a link (O_NOFOLLOW): links are read and their targets walked, so it does not
help to exchange a directory for a link while we pass.
"""

import errno
import os
import stat
from typing import Final, NoReturn

_STEP: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = _STEP | os.O_DIRECTORY
_MAX_LINKS: Final = 40  # as the kernel's MAXSYMLINKS, path_resolution(7)


def open_without_links(root: int, relative: bytes, flags: int) -> int:
    """Open a path that has no link in it: "never"."""
    return _walk_inside(root, relative, flags, max_links=0)


def open_inside(root: int, relative: bytes, flags: int) -> int:
    """Open a path whose links end inside: "inside"."""
    return _walk_inside(root, relative, flags, max_links=_MAX_LINKS)


def open_by_owner(root: int, relative: bytes, flags: int) -> int:
    """Open a path whose links belong to the owner of what they lead to: "owner".

    A link is judged by what it leads to in the end, through other links, too.  The target is
    looked at without being opened (O_PATH), and what is opened then is that very file.
    """
    walk = _OwnerWalk(root)
    try:
        walk.go(relative)
        return os.open(f"/proc/self/fd/{walk.here}", flags)
    finally:
        os.close(walk.here)


def open_anywhere(root: int, relative: bytes, flags: int) -> int:
    """Open a path and follow all links: "all"."""
    return os.open(relative, flags, dir_fd=root)


def _walk_inside(root: int, relative: bytes, flags: int, *, max_links: int) -> int:
    walk = _InsideWalk(root, relative, max_links)
    try:
        return walk.open(flags | os.O_NOFOLLOW)
    finally:
        walk.close()


def _refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


def _segments(path: bytes) -> list[bytes]:
    """Return what to walk, last segment first."""
    return path.split(b"/")[::-1]


class _InsideWalk:
    """A walk that opens nothing outside of its root.

    ".." goes back to the directory that was passed on the way, so a rename cannot move the walk
    outside.  A link that leaves is followed by name alone: `_outside` is where it stands, absolute
    or seen from the root, and all that is asked of that name is whether it is the root again.  It
    has to be before the link's own target ends, or whoever sends a path could guess the names
    outside by asking for `/link/NAME/page.html`.
    """

    __slots__ = ("_ends", "_links_left", "_outside", "_passed", "_pending", "_root")

    def __init__(self, root: int, relative: bytes, max_links: int) -> None:
        self._root = root
        self._pending = _segments(relative)
        self._passed: list[int] = []
        self._outside: bytes | None = None
        self._links_left = max_links
        self._ends: list[int] = []  # of each link whose target we walk: what is pending behind it

    def open(self, flags: int) -> int:
        while self._pending:
            segment = self._pending.pop()
            if self._outside is not None:
                self._step_outside(self._outside, segment)
            elif segment in (b"", b"."):
                continue
            elif segment == b"..":
                self._step_back()
            elif (target := _read_link(segment, self._here)) is not None:
                self._follow(target)
            elif self._pending:
                self._passed.append(os.open(segment, _DIRECTORY, dir_fd=self._here))
            else:
                return os.open(segment, flags, dir_fd=self._here)
        if self._outside is not None:
            _refuse(errno.EXDEV)
        return os.open(b".", flags, dir_fd=self._here)

    def close(self) -> None:
        while self._passed:
            os.close(self._passed.pop())

    @property
    def _here(self) -> int:
        return self._passed[-1] if self._passed else self._root

    @property
    def _is_in_link(self) -> bool:
        """Whether the segment that was taken last is of a link's target."""
        while self._ends and self._ends[-1] > len(self._pending):
            self._ends.pop()
        return bool(self._ends)

    def _follow(self, target: bytes) -> None:
        if not self._links_left:
            _refuse(errno.ELOOP)
        self._links_left -= 1
        self._ends.append(len(self._pending))
        self._pending += _segments(target)
        if target.startswith(b"/"):
            self._stand_outside(b"/")

    def _step_back(self) -> None:
        if self._passed:
            os.close(self._passed.pop())
        elif self._is_in_link:
            self._stand_outside(b"..")
        else:
            _refuse(errno.EXDEV)

    def _step_outside(self, name: bytes, segment: bytes) -> None:
        if len(self._pending) < self._ends[-1]:
            _refuse(errno.EXDEV)
        if segment not in (b"", b"."):
            self._stand_outside(name + b"/" + segment)

    def _stand_outside(self, name: bytes) -> None:
        """Stand at a name outside, unless it is one of the root's own."""
        self.close()
        try:
            is_root = os.path.samestat(os.stat(name, dir_fd=self._root), os.fstat(self._root))
        except OSError:
            _refuse(errno.EXDEV)
        self._outside = None if is_root else name


def _read_link(segment: bytes, directory: int) -> bytes | None:
    try:
        return os.readlink(segment, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.EINVAL:  # not a link, readlink(2)
            return None
        raise


class _OwnerWalk:
    """A walk that goes wherever links lead that are their targets' owner's.

    `here` is where it stands, a descriptor of ours.  What is left to go are segments, and, as
    numbers, the owners of links: reaching one means that its link's target has been reached.
    """

    __slots__ = ("_links", "_pending", "here")

    def __init__(self, root: int) -> None:
        self.here = os.open(b".", _STEP, dir_fd=root)
        self._pending: list[bytes | int] = []
        self._links = 0

    def go(self, relative: bytes) -> None:
        self._pending += _segments(relative)
        while self._pending:
            step = self._pending.pop()
            if isinstance(step, bytes):
                self._step(step or b".")
            elif os.fstat(self.here).st_uid != step:
                _refuse(errno.ELOOP)

    def _step(self, segment: bytes) -> None:
        fd = os.open(segment, _STEP, dir_fd=self.here)
        status = os.fstat(fd)
        if not stat.S_ISLNK(status.st_mode):
            self._stand(fd)
            return
        try:
            target = os.readlink(b"", dir_fd=fd)
        finally:
            os.close(fd)
        self._follow(target, status.st_uid)

    def _follow(self, target: bytes, owner: int) -> None:
        self._links += 1
        if self._links > _MAX_LINKS:
            _refuse(errno.ELOOP)
        self._pending += [owner, *_segments(target)]
        if target.startswith(b"/"):
            self._stand(os.open(b"/", _STEP))

    def _stand(self, fd: int) -> None:
        os.close(self.here)
        self.here = fd
