"""A daemon in the middle of its work, for tests that disturb it there.

In a scene three clients wait at once: one has stopped in the middle of a large download, one waits
for a program that waits for a file, and one keeps its connection open without asking for anything.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.live.daemon import SITE, Daemon, daemon, read_all, wait_for

SIZE = 16 << 20  # bytes of the download: more than the sockets' buffers ever hold

HOLD = """\
#!/bin/sh
printf 'Content-Type: text/plain\\n\\nbegun\\n'
while [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.05; done
echo done
"""

STUBBORN = """\
#!/bin/sh
trap '' TERM INT QUIT HUP
printf 'Content-Type: text/plain\\n\\nbegun\\n'
while :; do sleep 1; done
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The daemon and its clients.  marker: stands in the environment of each of its programs."""

    running: Daemon
    download: socket.socket
    taken: int  # bytes of the download that are here already
    program: socket.socket
    idle: socket.socket
    marker: str

    def finish(self) -> None:
        """Let program and download come to their ends, and see that they are whole."""
        self.running.write("www/go", "")
        assert read_all(self.program).endswith(b"done\n\r\n0\r\n\r\n")
        assert self.taken + len(read_all(self.download)) == SIZE


@contextlib.contextmanager
def busy(config: str = SITE, *, script: str = HOLD) -> Iterator[Scene]:
    """Run a daemon and set the scene; `script` is the program."""
    with daemon(config) as running, contextlib.ExitStack() as connections:
        with open(running.write("www/large", ""), "wb") as large:
            large.truncate(SIZE)
        running.script("program.sh", script)
        running.write("www/page", "page")
        download, program, idle = (connections.enter_context(running.connect()) for _ in range(3))
        taken = _begin(download, "/large", b"\0")
        _begin(program, "/cgi-bin/program.sh", b"begun\n")
        _begin(idle, "/page", b"page")
        marker = f"SCRIPT_FILENAME={running.directory}"
        yield Scene(running, download, taken, program, idle, marker)


def _begin(connection: socket.socket, path: str, first: bytes) -> int:
    """Ask for a path; return how many bytes of a body are here that begins with `first`."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    received = b""
    while first not in (body := received.partition(b"\r\n\r\n")[2]):
        piece = connection.recv(1000)
        assert piece, received
        received += piece
    return len(body)


def processes_with(marker: str) -> list[int]:
    """Return the pids of all processes that have a text in their environment."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environ:
            if marker.encode() in environ.read():
                found.append(pid)
    return found


def refuses(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0


def await_closed(path: Path) -> None:
    """Wait until nobody has a file open.

    That is after "logs reopened", which says only that everybody has been told.
    """
    wait_for(lambda: not is_open(path), f"{path} closed by all")


def is_open(path: Path) -> bool:
    """Whether any process has a file open."""
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(fd) == str(path):
                return True
    return False


def open_fds(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def timeouts(**seconds: str) -> str:
    """Return the table, `timeouts(graceful="1s")`, to be added to a configuration."""
    return "\n[timeouts]\n" + "".join(f'{key} = "{value}"\n' for key, value in seconds.items())
