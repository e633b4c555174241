"""What systemd hands us and what it wants to hear; sd_listen_fds(3) and sd_notify(3).

Both work through environment variables that nobody else may see: a program that inherited
NOTIFY_SOCKET could speak for the service.  So they are taken out of the environment as they are
read, before there is a child.
"""

import os
import socket
import stat
import time
from collections.abc import MutableMapping

from forkhttpd.master.actions import Notice

_FIRST_FD = 3  # SD_LISTEN_FDS_START


def take_sockets(env: MutableMapping[str, str]) -> dict[str, list[socket.socket]]:
    """Return the sockets that systemd has opened for us, by FileDescriptorName=.

    They are close-on-exec and non-blocking; the caller closes.  What is meant for another process
    (LISTEN_PID) is not ours and stays shut to us; what is not a listening stream socket is left.
    """
    count, pid = env.pop("LISTEN_FDS", ""), env.pop("LISTEN_PID", "")
    names = env.pop("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {}
    if pid != str(os.getpid()) or not count.isdecimal():
        return found
    names += ["unknown"] * (int(count) - len(names))
    for fd, name in zip(range(_FIRST_FD, _FIRST_FD + int(count)), names, strict=False):
        if _is_listener(fd):
            listener = socket.socket(fileno=fd)
            listener.set_inheritable(False)
            listener.setblocking(False)
            found.setdefault(name or "unknown", []).append(listener)
    return found


def _is_listener(fd: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
    except OSError:
        return False
    with socket.socket(fileno=os.dup(fd)) as candidate:
        stream = candidate.type == socket.SOCK_STREAM
        return stream and bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class Notifier:
    """Speaks to the service manager; silent where there is none."""

    __slots__ = ("_address", "_socket")

    def __init__(self, env: MutableMapping[str, str]) -> None:
        path = env.pop("NOTIFY_SOCKET", "")
        # "@" stands for the NUL of an abstract address.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 where there is no service manager."""
        return self._socket.fileno() if self._socket else -1

    def tell(self, notice: Notice, status: str) -> bool:
        """Send a notice with its STATUS=, in one datagram; return whether it went out."""
        return self._send([*_lines(notice), f"STATUS={' '.join(status.split())}"])

    def _send(self, lines: list[str]) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError:  # a service manager that does not listen must not stop the service
            return False
        return True

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _lines(notice: Notice) -> list[str]:
    match notice:
        case Notice.READY:
            return ["READY=1"]
        case Notice.RELOADING:
            # Apart from each other, `systemctl reload` of systemd >= 253 would wait for ever.
            return ["RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"]
        case Notice.STOPPING:
            return ["STOPPING=1"]
