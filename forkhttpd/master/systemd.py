"""What systemd hands us and what it wants to hear; sd_listen_fds(3) and sd_notify(3).

Both work through environment variables that nobody else may see: a program that inherited
NOTIFY_SOCKET could speak for the service.  So they are taken out of the environment as they are
read, before there is a child; only a new master in an upgrade gets them again, with its own pid.
"""

import array
import math
import os
import socket
import time
from collections.abc import Iterable, MutableMapping, Sequence

from forkhttpd.master.actions import Notice
from forkhttpd.master.herald import EXTENSION

# Where another one follows, losing one is better than waiting.
_REPEATED = frozenset({Notice.STATUS, Notice.ALIVE, Notice.BUSY})

FIRST_FD = 3  # SD_LISTEN_FDS_START
_LONGEST_STATUS = 1024  # bytes; systemd drops a datagram of more than PIPE_BUF, 4096, whole
_PATIENCE = 0.5  # seconds for a manager whose queue is full: a notice that is lost stays lost
LONGEST_NAME = 255  # bytes of a descriptor's name, sd_pid_notify_with_fds(3)

Named = tuple[str, int]  # a descriptor and what LISTEN_FDNAMES calls it


def take_fds(env: MutableMapping[str, str]) -> list[Named]:
    """Return the descriptors that were opened for us, close-on-exec from now on.

    What is meant for another process (LISTEN_PID) is not ours and stays as it is.
    """
    count, pid = env.pop("LISTEN_FDS", ""), env.pop("LISTEN_PID", "")
    names = env.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    names += [""] * (int(count) - len(names))
    found = []
    for fd, name in zip(range(FIRST_FD, FIRST_FD + int(count)), names, strict=False):
        if _is_open(fd):
            os.set_inheritable(fd, False)
            found.append((name or "unknown", fd))
    return found


def listen_environment(names: Iterable[str], pid: int) -> dict[str, str]:
    """Return the variables that tell `pid` of its descriptors from FIRST_FD on."""
    names = list(names)
    return {
        "LISTEN_FDS": str(len(names)),
        "LISTEN_PID": str(pid),
        "LISTEN_FDNAMES": ":".join(names),
    }


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


class Notifier:
    """Speaks to the service manager; silent where there is none.

    watchdog: seconds that it waits for a sign of life, infinity where it does not;
    store_size: how many descriptors it keeps for us over a restart.  systemd says so in FDSTORE
    since version 254; for an older one the unit says it: FileDescriptorStoreMax=64 and
    Environment=FDSTORE=64.
    """

    __slots__ = ("_address", "_path", "_socket", "store_size", "watchdog")

    def __init__(self, env: MutableMapping[str, str]) -> None:
        self._path = env.pop("NOTIFY_SOCKET", "")
        self.watchdog = _take_watchdog(env)
        size = env.pop("FDSTORE", "")
        self.store_size = int(size) if size.isdecimal() and self._path else 0
        # "@" stands for the NUL of an abstract address.
        self._address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 where there is no service manager."""
        return self._socket.fileno() if self._socket else -1

    def environment(self, pid: int) -> dict[str, str]:
        """Return the variables that let `pid` speak for the service, for a new master."""
        env = {"NOTIFY_SOCKET": self._path, "FDSTORE": str(self.store_size or "")}
        if self.watchdog < math.inf:
            env["WATCHDOG_USEC"] = str(int(self.watchdog * 1e6))
            env["WATCHDOG_PID"] = str(pid)
        return {name: value for name, value in env.items() if value}

    def tell(self, notice: Notice, status: str = "") -> bool:
        """Send a notice with its STATUS=, in one datagram; return whether it went out."""
        text = _cut(" ".join(status.split()))
        patience = 0.0 if notice in _REPEATED else _PATIENCE
        lines = [*_lines(notice), *([f"STATUS={text}"] if text else [])]
        return self._send(lines, patience=patience)

    def name_main(self, pid: int) -> bool:
        """Let another process be the service's main one, which we are no more."""
        return self._send([f"MAINPID={pid}"])

    def store(self, name: str, fds: Sequence[int]) -> bool:
        """Have descriptors kept under a name; they come back in LISTEN_FDS at the next start.

        FDPOLL=0, or systemd would drop what polls as hung up.
        """
        return self._send(["FDSTORE=1", f"FDNAME={name}", "FDPOLL=0"], fds)

    def unstore(self, name: str) -> bool:
        """Have all descriptors of that name closed."""
        return self._send(["FDSTOREREMOVE=1", f"FDNAME={name}"])

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(
        self, lines: list[str], fds: Sequence[int] = (), *, patience: float = _PATIENCE
    ) -> bool:
        if self._socket is None:
            return False
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        message = "\n".join(lines).encode(errors="replace")
        self._socket.settimeout(patience)
        try:
            self._socket.sendmsg([message], rights, 0, self._address)
        except OSError:  # a service manager that does not listen must not stop the service
            return False
        return True


def _take_watchdog(env: MutableMapping[str, str]) -> float:
    """Return the seconds that are granted to us; infinity where nobody waits, or for another."""
    microseconds, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return math.inf
    return int(microseconds) / 1e6 if pid in ("", str(os.getpid())) else math.inf


def _cut(text: str) -> str:
    return text.encode(errors="replace")[:_LONGEST_STATUS].decode(errors="ignore")


def _lines(notice: Notice) -> list[str]:
    extension = f"EXTEND_TIMEOUT_USEC={int(EXTENSION * 1e6)}"
    match notice:
        case Notice.READY:
            return ["READY=1"]
        case Notice.RELOADING:
            # Apart from each other, `systemctl reload` of systemd >= 253 would wait for ever.
            return ["RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"]
        case Notice.STOPPING:
            return ["STOPPING=1", extension]
        case Notice.STATUS:
            return []
        case Notice.ALIVE:
            return ["WATCHDOG=1"]
        case Notice.BUSY:
            return [extension]
