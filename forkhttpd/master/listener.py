"""Listening sockets: bind, or take over; close, and unlink what was ours.

Taken over from the service manager (socket activation), from an old master (upgrade), or from the
last one by way of the service manager's descriptor store (restart).  A unix socket's file belongs
to one of them at a time: whoever would leave a socket without a name by closing it.

An accepted TCP connection inherits TCP_NODELAY from its listener on Linux, which saves every worker
a system call per connection.  Listeners outlive generations: a reload that keeps an address keeps
the very socket (M7), so nothing in its queue gets lost.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence

import psutil

from forkhttpd.config import Address, Listen
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.privileges import look_up

# Sockets from the service manager, by FileDescriptorName=.
Activation = Mapping[str, Sequence[socket.socket]]


class Listener:
    """A listening address.  sockets: one, or as many as systemd has under the name."""

    __slots__ = ("_file", "_inode", "_is_ours", "sockets")

    def __init__(self, sockets: tuple[socket.socket, ...]) -> None:
        self.sockets = sockets
        self._file = _path(sockets[0])
        self._inode = _inode(self._file)
        self._is_ours = False  # the file, to unlink

    @property
    def is_reachable(self) -> bool:
        """Whether clients find it: the file of a unix socket may be gone, or another one now."""
        return _inode(self._file) == self._inode

    def urls(self, *, tls: bool = False) -> list[str]:
        """Return what to open in a browser, with the port that the kernel chose for port 0."""
        return [_url(listener, "https" if tls else "http") for listener in self.sockets]

    def tune(self, listen: Listen) -> None:
        """Take up what a configuration says beside the address.  Raises OSError, StartupError."""
        for listener in self.sockets:
            if path := _path(listener):
                _set_rights(path, listen)
            listener.listen(listen.backlog)

    def own_file(self) -> None:
        """Let the file of a unix socket go when this listener does."""
        self._is_ours = True

    def leave_file(self) -> None:
        """Let the file stay: somebody else has the socket, too."""
        self._is_ours = False

    def close(self) -> None:
        """Close our descriptors and unlink the file if it is ours, and still the same."""
        if self._file and self._is_ours and self.is_reachable:
            with contextlib.suppress(OSError):
                os.unlink(self._file)
        for listener in self.sockets:
            listener.close()


def open_listener(listen: Listen, activation: Activation) -> Listener:
    """Listen there.  Raises StartupError(UNAVAILABLE) with words that say what to do."""
    address = listen.address
    if address.kind == "systemd":
        return _take_over(address, activation)
    try:
        listener = _bind(listen)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {address}: {_explain(address, error)}",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error
    ours = Listener((listener,))
    ours.own_file()
    return ours


def inherit_listener(listener: socket.socket) -> Listener | None:
    """Go on with a socket that an earlier master has bound; None, and closed, if it is of no use.

    A unix socket whose file is gone (a cleared RuntimeDirectory=) can be reached by nobody.
    """
    path = _path(listener)
    if path and _inode(path) is None:
        listener.close()
        return None
    return Listener((listener,))


def _take_over(address: Address, activation: Activation) -> Listener:
    if address.host not in activation:
        names = ", ".join(sorted(activation)) or "none"
        raise StartupError(
            f"cannot listen on {address}: systemd has passed no listening socket of this name"
            f" (but {names}); start the .socket unit and compare its FileDescriptorName=",
            exit_code=ExitCode.UNAVAILABLE,
        )
    # Duplicates: a later generation may ask for the name again.
    copies = tuple(listener.dup() for listener in activation[address.host])
    for copy in copies:
        copy.setblocking(False)
    return Listener(copies)


def _bind(listen: Listen) -> socket.socket:
    address = listen.address
    family = {"unix": socket.AF_UNIX, "inet": socket.AF_INET}.get(address.kind, socket.AF_INET6)
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if address.kind == "unix":
            _bind_unix(listener, listen)
        else:
            _bind_tcp(listener, address)
        listener.listen(listen.backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_tcp(listener: socket.socket, address: Address) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.kind != "inet":
        # "[::]:80" means IPv6, whatever bindv6only says: "0.0.0.0:80" may stand beside it.
        only = int(address.kind == "inet6")
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    listener.bind((address.host, address.port))


def _bind_unix(listener: socket.socket, listen: Listen) -> None:
    host = listen.address.host
    if host.startswith("@"):
        listener.bind("\0" + host[1:])
        return
    if _is_stale(host):
        os.unlink(host)
    listener.bind(host)
    try:
        _set_rights(host, listen)  # before listen(2) nobody can connect, whatever the rights are
    except BaseException:
        os.unlink(host)
        raise


def _set_rights(path: str, listen: Listen) -> None:
    """Make the file of a socket what the configuration says, and nothing that took its place."""
    identity = look_up(listen.owner, listen.group)
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        itself = f"/proc/self/fd/{fd}"
        if identity is not None:
            os.chown(itself, identity.uid, identity.gid)
        os.chmod(itself, int(listen.mode, 8))
    finally:
        os.close(fd)


def _is_stale(path: str) -> bool:
    """Whether a socket file is there that nobody listens on: what a killed server leaves."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _explain(address: Address, error: OSError) -> str:
    words = describe(error)
    match error.errno:
        case errno.EADDRINUSE if address.kind == "unix":
            return f"{words}; somebody listens there, or it is no socket: remove it"
        case errno.EADDRINUSE:
            return f"{words}{_name_holder(address)}; stop what listens there or choose another port"
        case errno.EACCES if 0 < address.port < 1024:
            return (
                f"{words}; ports below 1024 need CAP_NET_BIND_SERVICE, or a socket from systemd"
                " (systemd:NAME)"
            )
        case errno.EADDRNOTAVAIL:
            return f"{words}; no interface of this machine has the address"
        case errno.EPERM if address.kind == "unix":
            return f"{words}; only root (CAP_CHOWN) can make another user or group the owner"
        case errno.ENOENT | errno.EACCES | errno.EROFS if address.kind == "unix":
            return f"{words}; the directory must exist and be ours to write to"
    return words


def _name_holder(address: Address) -> str:
    """Return who listens on that port, as " by pid 4121 (nginx)", if that can be told."""
    if address.kind == "unix":
        return ""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == address.port:
                return _describe_process(connection.pid)
    return ""


def _describe_process(pid: int | None) -> str:
    if pid is None:
        return " by a process of another user"
    if pid == os.getpid():
        return " by this server itself, under another address: restart instead of reloading"
    return f" by pid {pid} ({psutil.Process(pid).name()})"


def _path(listener: socket.socket) -> str:
    """Return the file that a unix socket is bound to; "" for all others."""
    name = listener.getsockname()
    return name if listener.family == socket.AF_UNIX and isinstance(name, str) else ""


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _url(listener: socket.socket, scheme: str) -> str:
    name = listener.getsockname()
    match listener.family:
        case socket.AF_INET:
            return f"{scheme}://{name[0]}:{name[1]}/"
        case socket.AF_INET6:
            return f"{scheme}://[{name[0]}]:{name[1]}/"
        case _:
            path = name if isinstance(name, str) else "@" + name[1:].decode(errors="replace")
            return f"unix:{path}"
