"""What who serves cannot reach, told before anybody asks for it (`-t`).

Started as root, the server reads files as `user`, and runs programs as their pool's: what root may
read says nothing of that.  The kernel is asked as that user, because modes are not all there is
(acl(5)).  Only the process of `-t`, which serves nobody, is somebody else for a moment.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from forkhttpd.config import Config
from forkhttpd.config.lines import Position
from forkhttpd.config.source import Finding
from forkhttpd.errors import StartupError
from forkhttpd.privileges import Identity, look_up

_RIGHTS = {os.R_OK: "r", os.X_OK: "x", os.R_OK | os.X_OK: "rx"}


@dataclass(frozen=True, slots=True)
class _Need:
    """A path that a user has to have rights to."""

    position: Position
    path: Path
    rights: int
    user: str
    group: str


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what those who serve cannot reach, if root starts them; nothing if it is not root."""
    for need in _needs(config) if os.geteuid() == 0 else ():
        if need.path.exists() and not _may(need):
            wrong = f"{need.path}: Permission denied for {need.user}, who needs it"
            rights = f"chmod a+{_RIGHTS[need.rights]}, and a+x on every directory above"
            yield need.position, f"{wrong}; let them: {rights}"


def _needs(config: Config) -> Iterator[_Need]:
    """Yield what is needed, each by whom."""
    user, group = config.user, config.group
    for position, mount in config.mounts():
        if mount.docroot is not None:
            rights = os.R_OK | os.X_OK if mount.listing else os.X_OK
            yield _Need((*position, "docroot"), mount.docroot, rights, user, group)
        if mount.cgi is not None:
            pool = config.pool[mount.pool]
            runs = (pool.user, pool.group) if pool.user else (user, group)
            yield _Need((*position, "cgi"), mount.cgi, os.X_OK, *runs)
        if isinstance(mount.password_file, Path):
            place = (*position, "password_file")
            yield _Need(place, mount.password_file, os.R_OK, user, group)
    for index, site in enumerate(config.site):
        if site.password_file is not None:
            place = ("site", index, "password_file")
            yield _Need(place, site.password_file, os.R_OK, user, group)
        for status, page in site.error_pages.items():
            place = ("site", index, "error_pages", status)
            yield _Need(place, page, os.R_OK, user, group)


def _may(need: _Need) -> bool:
    try:
        identity = look_up(need.user, need.group)
    except StartupError:  # there is no such user, which is told already
        return True
    if identity is None or not need.user:
        return True
    with _acting_as(identity):
        return os.access(need.path, need.rights, effective_ids=True)


@contextlib.contextmanager
def _acting_as(identity: Identity) -> Iterator[None]:
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups(identity.groups)
    os.setegid(identity.gid)
    os.seteuid(identity.uid)  # with which the capabilities of root rest, capabilities(7)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
