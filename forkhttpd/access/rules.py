"""Whom a mount lets in, by address: allow and deny.

Of the networks that an address is in, the smallest decides.  An address that is in none may come
in, unless there is somebody who is allowed: then only they may.  A mount that says anything says
it all: its site's rules are for the mounts that say nothing.
"""

from forkhttpd.access.networks import NetworkTable
from forkhttpd.config import Mount, Site


class Rules:
    """The rules of one mount."""

    __slots__ = ("_otherwise", "_table")

    def __init__(self, table: NetworkTable, *, otherwise: bool) -> None:
        self._table = table
        self._otherwise = otherwise

    def admit(self, host: str) -> bool:
        """Whether a client may come in; "" is one at a Unix socket."""
        found = self._table.find(host)
        return self._otherwise if found is None else found


def rules_of(site: Site, mount: Mount) -> Rules | None:
    """Return the rules that hold for a mount; None when everybody may come in."""
    source = mount if mount.allow or mount.deny else site
    if not source.allow and not source.deny:
        return None
    entries = [(network, True) for network in source.allow]
    entries += [(network, False) for network in source.deny]
    return Rules(NetworkTable(entries), otherwise=not source.allow)
