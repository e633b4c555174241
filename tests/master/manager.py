"""A service manager as a master sees it: a notify socket, a descriptor store, and starts.

Only its side of the protocol is played, over real sockets: sd_notify(3), sd_listen_fds(3).
"""

import array
import contextlib
import select
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.master.live import DEADLINE, Live, started

# What systemd does between fork and exec: descriptors from 3 on, and who they are for.
_AS_SYSTEMD = """
import fcntl, os, sys
count = int(sys.argv[1])
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2:2 + count]]
for place, fd in enumerate(fds, 3):
    os.dup2(fd, place)
    os.close(fd)
if count:
    os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()))
if "WATCHDOG_USEC" in os.environ:
    os.environ["WATCHDOG_PID"] = str(os.getpid())
command = sys.argv[2 + count:]
os.closerange(100, 200)
os.execv(command[0], command)
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One datagram: its lines as a table, and who sent it."""

    words: Mapping[str, str]
    pid: int


class Manager:
    """Hears what a master says, and keeps what it wants kept.  stored: by name."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "notify")
        self.stored: dict[str, list[socket.socket]] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(DEADLINE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def hear(self) -> Said:
        """Return what is said next."""
        data, ancillary, _, _ = self._socket.recvmsg(8192, 1024)
        lines = data.decode().splitlines()
        words = dict(line.split("=", 1) for line in lines)
        pid, fds = 0, array.array("i")
        for _, kind, content in ancillary:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(content)
            else:
                pid = struct.unpack("iII", content)[0]
        self._keep(words, fds)
        return Said(words, pid)

    def hear_until(self, name: str, beginning: str = "") -> list[Said]:
        """Return everything that is said, until a variable comes with a value that begins so."""
        heard = []
        while True:
            heard.append(said := self.hear())
            if name in said.words and said.words[name].startswith(beginning):
                return heard

    def is_spoken_to(self, *, within: float) -> bool:
        """Whether something comes in so many seconds."""
        return bool(select.select([self._socket], [], [], within)[0])

    def close(self) -> None:
        self._socket.close()
        for sockets in self.stored.values():
            for one in sockets:
                one.close()

    @contextlib.contextmanager
    def started(
        self,
        directory: Path,
        *,
        given: Sequence[tuple[str, socket.socket]] = (),
        env: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> Iterator[Live]:
        """Start a master as a unit's main process, with `given` and all that is stored."""
        stored = [(name, one) for name, sockets in self.stored.items() for one in sockets]
        named = [*given, *stored]
        fds = [str(one.fileno()) for _, one in named]
        for _, one in named:
            one.set_inheritable(True)
        variables = {"NOTIFY_SOCKET": self.path, "LISTEN_FDNAMES": ":".join(x for x, _ in named)}
        with started(
            directory,
            wrapper=(sys.executable, "-c", _AS_SYSTEMD, str(len(fds)), *fds),
            env={**variables, **(env or {})},
            close_fds=False,
            **facts,
        ) as live:
            yield live

    def _keep(self, words: Mapping[str, str], fds: Sequence[int]) -> None:
        if words.get("FDSTORE") == "1":
            assert words["FDPOLL"] == "0"
            kept = [socket.socket(fileno=fd) for fd in fds]
            known = {one.getsockname() for each in self.stored.values() for one in each}
            for one in kept:
                if one.getsockname() in known:  # as systemd does with one that it has
                    one.close()
                else:
                    self.stored.setdefault(words["FDNAME"], []).append(one)
        elif words.get("FDSTOREREMOVE") == "1":
            for one in self.stored.pop(words["FDNAME"], []):
                one.close()


@contextlib.contextmanager
def manager(directory: Path) -> Iterator[Manager]:
    one = Manager(directory)
    try:
        yield one
    finally:
        one.close()
