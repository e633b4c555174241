"""The service manager's descriptor store: where our listeners wait while we are restarted.

`systemctl restart` ends us and starts us again; in between nobody would listen, and clients would
be refused.  With FileDescriptorStoreMax= the manager keeps a copy of each listener, connections
queue up in it, and the next start finds it among its descriptors (handover.py).  Sockets of a
.socket unit are the manager's anyway, and not stored.

While a unix socket is in the store its file stays, whoever of us leaves: the socket lives.
"""

from collections.abc import Mapping

from forkhttpd.config import Address
from forkhttpd.master.generations import Generations
from forkhttpd.master.handover import listener_name
from forkhttpd.master.listener import Listener
from forkhttpd.master.systemd import LONGEST_NAME, Notifier


class Store:
    """What of ours is in it."""

    __slots__ = ("_kept", "_notifier")

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._kept: dict[str, Listener] = {}

    def keep(self, generations: Generations, number: int) -> list[str]:
        """Have the listeners of a generation in it and no others; return what to warn of.

        To store what is there already, as after a restart or an upgrade, changes nothing.
        """
        unused = generations.settle()
        problems = [
            f'systemd has passed a socket {name} that no [[listen]] has: address = "systemd:{name}"'
            for name in generations.unused_activation(number)
        ]
        if self._notifier.store_size:
            self._drop(unused)
            problems += self._update(generations[number].listeners)
        return problems

    def _update(self, listeners: Mapping[Address, Listener]) -> list[str]:
        ours = {listener_name(one): one for one in listeners if one.kind != "systemd"}
        current = {name: listeners[address] for name, address in ours.items()}
        self._drop([name for name, kept in self._kept.items() if current.get(name) is not kept])
        return [
            f"{address} is not kept over a restart: the descriptor store has no room for it"
            for name, address in ours.items()
            if name not in self._kept and not self._put(name, listeners[address])
        ]

    def _drop(self, names: list[str]) -> None:
        for name in names:
            self._notifier.unstore(name)
            if listener := self._kept.pop(name, None):
                listener.own_file()

    def _put(self, name: str, listener: Listener) -> bool:
        fits = len(self._kept) < self._notifier.store_size and len(name) <= LONGEST_NAME
        fds = [one.fileno() for one in listener.sockets]
        if not fits or not self._notifier.store(name, fds):
            return False
        self._kept[name] = listener
        listener.leave_file()
        return True
