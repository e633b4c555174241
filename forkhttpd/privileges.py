"""Become less: once, in a fixed order, and never back.

The order is the point.  Groups can only be set while we are root; so can user ids; capabilities
come after the ids, because changing those needs some; `no_new_privs` is last and closes the door,
so that not even a setuid program gives anything back.

`os` has no capset(2) and no prctl(2), hence ctypes.
"""

import contextlib
import ctypes
import grp
import os
import pwd
from dataclasses import dataclass

from forkhttpd.errors import ExitCode, StartupError, describe

_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: 64 bits each

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is: numbers only, looked up once."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def become(user: str, group: str, *, no_new_privileges: bool) -> None:
    """Make the calling process run as `user` and `group`, without any capability.

    "" for `user` keeps who we are, "" for `group` means the user's own; both may be numbers.
    Not started as root, there is no choice: the identity stays, and only capabilities go.
    Raises StartupError: CONFIG for an unknown name, OSERR when the system refuses.
    """
    identity = look_up(user, group) if os.geteuid() == 0 else None
    try:
        if identity is not None:
            _set_identity(identity)
        _drop_capabilities()
        if no_new_privileges:
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        words = f"cannot give up privileges: {describe(error)}"
        raise StartupError(words, exit_code=ExitCode.OSERR) from error


def look_up(user: str, group: str) -> Identity | None:
    """Return the identity that these names stand for; None when both are "".

    Raises StartupError(CONFIG).
    """
    if not user and not group:
        return None
    uid, own_gid, name = _find_user(user) if user else (os.getuid(), os.getgid(), "")
    gid = _find_group(group) if group else own_gid
    return Identity(uid, gid, tuple(os.getgrouplist(name, gid)) if name else (gid,))


def _find_user(user: str) -> tuple[int, int, str]:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if user.isdecimal():  # a container's arbitrary uid: there is nobody to ask for its group
            return int(user), int(user), ""
        words = f'user = "{user}": there is no such user; create it or name another'
        raise StartupError(words, exit_code=ExitCode.CONFIG) from None
    return entry.pw_uid, entry.pw_gid, entry.pw_name


def _find_group(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        words = f'group = "{group}": there is no such group; create it or name another'
        raise StartupError(words, exit_code=ExitCode.CONFIG) from None


def _set_identity(identity: Identity) -> None:
    os.setgroups(identity.groups)  # what initgroups does, with the groups looked up before
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)


def _drop_capabilities() -> None:
    with contextlib.suppress(OSError):  # EINVAL before Linux 4.3: there are none to clear
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, _NO_CAPABILITIES))


def _prctl(option: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
