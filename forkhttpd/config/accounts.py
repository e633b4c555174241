"""Who the processes would be: accounts that do not exist, and root where nobody asked for it (M16).

Everything depends on who starts the daemon, so that is an argument: `uid`.
"""

import grp
import pwd
from collections.abc import Iterator

from forkhttpd.config.lines import Position
from forkhttpd.config.phrases import meant, quoted
from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config

_LARGEST_ID = (1 << 32) - 2  # the next one, -1, means "leave it as it is" to setresuid(2)
_OR_ALLOWED = "or start with --allow-root (loopback addresses only)"

# The position of a table, and the user and group that it names.
Account = tuple[Position, str, str]


def problems(config: Config, *, uid: int, allow_root: bool) -> Iterator[Finding]:
    """Yield accounts that are unknown, and whatever would run as root without being told to."""
    accounts = _accounts(config)
    for position, user, group in accounts:
        yield from _unknown((*position, "user"), user)
        yield from _unknown((*position, "group"), group)
    for index, listen in enumerate(config.listen):
        yield from _unknown(("listen", index, "owner"), listen.owner)
        yield from _unknown(("listen", index, "group"), listen.group)
    if uid == 0 and not allow_root:
        yield from _root_accounts(accounts)
    elif uid == 0 and any(_is_root(user or config.user) for _, user, _ in accounts):
        yield from _public_listeners(config)


def warnings(config: Config, *, uid: int) -> Iterator[Finding]:
    """Yield accounts that `uid` has no right to become."""
    for position, user, _ in _accounts(config):
        if uid != 0 and user and _uid(user) != uid:
            who = "programs run" if position else "server runs"
            yield (*position, "user"), f"not started as root, so the {who} as who starts it"


def _accounts(config: Config) -> list[Account]:
    pools = [(("pool", name), pool.user, pool.group) for name, pool in config.pool.items()]
    return [((), config.user, config.group), *pools]


def _unknown(position: Position, name: str) -> Iterator[Finding]:
    kind = "group" if position[-1] == "group" else "user"
    if name and not _exists(kind, name):
        names = _groups() if kind == "group" else _users()
        hint = meant(name, names) or "; make one, or write the name of another"
        yield position, f"there is no {kind} {quoted(name)} on this machine{hint}"


def _exists(kind: str, name: str) -> bool:
    """Ask by name: directories like LDAP answer that, but do not list who they know, or take long.

    Every number is somebody: containers run under any (O7).
    """
    if name.isdecimal():
        return int(name) <= _LARGEST_ID
    try:
        _ = pwd.getpwnam(name) if kind == "user" else grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _users() -> list[str]:
    return [entry.pw_name for entry in pwd.getpwall()]


def _groups() -> list[str]:
    return [entry.gr_name for entry in grp.getgrall()]


def _uid(user: str) -> int | None:
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _is_root(user: str) -> bool:
    """Whether a process would stay root: with no account to become, or with root's."""
    return not user or _uid(user) == 0


def _root_accounts(accounts: list[Account]) -> Iterator[Finding]:
    for position, user, _ in accounts:
        if user and _is_root(user):
            yield (*position, "user"), f"{quoted(user)} is root; write another user, {_OR_ALLOWED}"
        elif not user and not position:
            wrong = "missing, and root starts the server"
            yield ("user",), f'{wrong}; write user = "www-data", {_OR_ALLOWED}'


def _public_listeners(config: Config) -> Iterator[Finding]:
    for index, listen in enumerate(config.listen):
        if not listen.address.is_loopback:
            wrong = f"{listen.address} is open to others, and something here runs as root"
            hint = 'write a loopback address like "127.0.0.1:8000", or a user that is not root'
            yield ("listen", index, "address"), f"{wrong}; {hint}"
