"""What a master finds open when it starts: descriptors by name, sd_listen_fds(3).

Socket activation, a restart from the service manager's descriptor store and an upgrade are one
thing for the master that starts.  Only the names tell where a descriptor comes from:

    web                                  the FileDescriptorName= of a .socket unit
    forkhttpd/listen/127.0.0.1%3A8000    a listener that an earlier master has bound, by its
                                         address ("%3A", for ":" separates names)
    forkhttpd/scoreboard, …              what else an old master hands to a new one: Heirloom

A name of ours that we do not know is of another version, and is closed.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote

from forkhttpd.channel import close_all
from forkhttpd.config import Address
from forkhttpd.master.systemd import Named, take_fds

_OURS = "forkhttpd/"
_LISTENER = "forkhttpd/listen/"


class Heirloom(Enum):
    """What passes from one master to the next, each one descriptor."""

    SCOREBOARD = "scoreboard"
    PID_FILE = "pid-file"  # open and locked: the lock belongs to all who share the open file
    PREDECESSOR = "predecessor"  # a pidfd of the old master
    WORD = "word"  # a channel to the old master: our verdict there, its hang-up back
    STDERR = "stderr"  # the real one; 2 is the old master's notepad until we can serve


@dataclass(frozen=True, slots=True)
class Handover:
    """What was open; whoever takes a descriptor out owns it.

    activation: sockets of the service manager, by its names;
    listeners: sockets that an earlier master has bound, by `listener_name`.
    """

    activation: Mapping[str, list[socket.socket]] = field(default_factory=dict)
    listeners: Mapping[str, socket.socket] = field(default_factory=dict)
    heirlooms: Mapping[Heirloom, int] = field(default_factory=dict)

    @property
    def is_upgrade(self) -> bool:
        """Whether another master serves until we are ready."""
        return bool(self.heirlooms)


def listener_name(address: Address) -> str:
    """Return the name of a listener of ours; no colon, no control character, only ASCII."""
    return _LISTENER + quote(str(address), safe="/@[]")


def heirloom_name(heirloom: Heirloom) -> str:
    """Return the name of what an old master hands on."""
    return _OURS + heirloom.value


def take(env: MutableMapping[str, str]) -> Handover:
    """Return what was opened for us; the variables that say so are gone afterwards."""
    activation: dict[str, list[socket.socket]] = {}
    listeners: dict[str, socket.socket] = {}
    heirlooms: dict[Heirloom, int] = {}
    for name, fd in take_fds(env):
        if not name.startswith(_OURS):
            if _is_listener(fd):  # else it is left as it is: perhaps a program knows it
                activation.setdefault(name, []).append(_listener(fd))
        elif name.startswith(_LISTENER) and name not in listeners and _is_listener(fd):
            listeners[name] = _listener(fd)
        elif (heirloom := _heirloom(name)) is not None:
            heirlooms[heirloom] = fd
        else:
            os.close(fd)
    if not heirlooms.keys() >= {Heirloom.PREDECESSOR, Heirloom.WORD}:  # nobody is there any more
        close_all(list(heirlooms.values()))
        heirlooms.clear()
    return Handover(activation, listeners, heirlooms)


def names_of(activation: Mapping[str, Iterable[socket.socket]]) -> list[Named]:
    """Return the service manager's sockets as they were given to us, for the next one."""
    return [(name, one.fileno()) for name, sockets in activation.items() for one in sockets]


def _heirloom(name: str) -> Heirloom | None:
    with contextlib.suppress(ValueError):
        return Heirloom(name.removeprefix(_OURS))
    return None


def _listener(fd: int) -> socket.socket:
    listener = socket.socket(fileno=fd)
    listener.setblocking(False)
    return listener


def _is_listener(fd: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    with socket.socket(fileno=os.dup(fd)) as candidate:
        stream = candidate.type == socket.SOCK_STREAM
        return stream and bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
