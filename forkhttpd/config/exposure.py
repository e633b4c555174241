"""Keys that others can read: whoever gets a file or a program to show one is the site (O2)."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config

# Somebody's numbers: the user, and every group.
Identity = tuple[int, frozenset[int]]


def warnings(config: Config, *, uid: int) -> Iterator[Finding]:
    """Yield keys of TLS in a docroot, and those that programs may read, if `uid` starts us."""
    pools = sorted({mount.pool for _, mount in config.mounts() if mount.cgi} & set(config.pool))
    for index, site in enumerate(config.site):
        key = site.key or site.certificate
        if key is not None:
            place = ("site", index, "key" if site.key else "certificate")
            for docroot in {mount.docroot for _, mount in config.mounts() if mount.docroot}:
                if Path(os.path.realpath(key)).is_relative_to(os.path.realpath(docroot)):
                    yield place, f"the key {key} is in {docroot}; move it out of there"
            for name in pools:
                if user := _reader(config, name, key, uid=uid):
                    yield place, f"the programs of [pool.{name}] run as {user}, {_hint(uid)}"


def _hint(uid: int) -> str:
    if uid:
        return "who can read it; start as root, with a user that serves, and leave the key to root"
    return "who can read it; leave it to root: chmod 600, chown root"


def _reader(config: Config, pool: str, key: Path, *, uid: int) -> str:
    """Return the user of a pool's programs if that one may read the key, else ""."""
    user, group = config.pool[pool].user, config.pool[pool].group
    if not user:
        user, group = config.user, group or config.group
    try:
        identity = _identity(user, group) if uid == 0 else (uid, frozenset(os.getgroups()))
        may_read = _may_read(Path(os.path.realpath(key)), identity)
    except (KeyError, OSError):  # nobody's account, or no such file: told elsewhere
        return ""
    return (user if uid == 0 else _name(uid)) if may_read else ""


def _identity(user: str, group: str) -> Identity:
    """Return the numbers of an account.  Raises KeyError when there is none."""
    if not user:
        raise KeyError(user)
    if user.isdecimal():
        return int(user), frozenset({int(group) if group.isdecimal() else int(user)})
    entry = pwd.getpwnam(user)
    gid = entry.pw_gid
    if group:
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    return entry.pw_uid, frozenset(os.getgrouplist(user, gid))


def _may_read(file: Path, identity: Identity) -> bool:
    """Whether the modes of a file and of every directory above it let somebody read it."""
    return _allows(file, identity, 4) and all(_allows(one, identity, 1) for one in file.parents)


def _allows(path: Path, identity: Identity, bit: int) -> bool:
    uid, gids = identity
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if uid == 0:
        return True
    if status.st_uid == uid:
        return bool(mode >> 6 & bit)
    return bool((mode >> 3 if status.st_gid in gids else mode) & bit)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
