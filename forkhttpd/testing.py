"""A server for test suites: a directory served on a free port, for as long as a `with` lasts.

    from forkhttpd.testing import serve

    with serve(directory, cgi=True) as server:
        urlopen(f"{server.url}cgi-bin/hello.py")

It is the real server, `forkhttpd [--cgi] 0`, in a process of its own: importing this imports the
standard library alone.  At the end nothing is left: no process, no descriptor, no file.  That is so
as well when the test suite is killed: a guard beside the server hears it by the end of a pipe, and
stops the server.  (The kernel's PR_SET_PDEATHSIG would do it when the thread ends that served.)
"""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 30.0  # seconds to start, and to stop; a tenth of one is usual
_GUARD = """\
import os, signal, sys
server = os.pidfd_open(int(sys.argv[1]))
os.read(0, 1)
signal.pidfd_send_signal(server, signal.SIGINT)
"""
_LISTENING = re.compile(r"listening on (http://\S+)")


class NotServed(Exception):
    """The server did not start; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.  url: its address, with a slash at the end; pid: its master's."""

    url: str
    pid: int
    _output: int

    @property
    def log(self) -> str:
        """What it has written until now: errors, what programs complain, and requests.

        The lines of requests come up to a fifth of a second later than the answers.
        """
        return _read(self._output)


@contextlib.contextmanager
def serve(directory: str | os.PathLike[str], *, cgi: bool = False) -> Iterator[Server]:
    """Serve a directory, and with `cgi` the programs in its `cgi-bin` and `htbin`.

    Raises NotServed.
    """
    with contextlib.ExitStack() as ends:
        # Not a pipe, which somebody would have to read, and not a file, which somebody could find.
        output = os.memfd_create("forkhttpd")
        ends.callback(os.close, output)
        notices = ends.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notices.bind("")  # a free name in the abstract name space, unix(7)
        process = _start(Path(directory), cgi=cgi, output=output, notices=notices)
        ends.callback(_stop, process)
        ends.enter_context(_guard(process.pid))
        _await_ready(process, notices, output)
        found = _LISTENING.search(_read(output))
        if found is None:
            raise NotServed(_read(output))
        yield Server(found[1], process.pid, output)


def _start(
    directory: Path, *, cgi: bool, output: int, notices: socket.socket
) -> subprocess.Popen[bytes]:
    options = ["--cgi"] if cgi else []
    name = os.fsdecode(b"@" + notices.getsockname()[1:])
    return subprocess.Popen(  # noqa: S603 - our own words, and no shell
        [sys.executable, "-m", "forkhttpd", *options, "0", f"--directory={directory}"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**os.environ, "NOTIFY_SOCKET": name},  # sd_notify(3) tells when it is ready
    )


def _guard(server: int) -> subprocess.Popen[bytes]:
    """Start who stops the server when its input ends: at the end of us, or of a `with`."""
    return subprocess.Popen(  # noqa: S603 - our own words, and no shell
        [sys.executable, "-I", "-S", "-c", _GUARD, str(server)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # that there is no server any more, say
        start_new_session=True,  # Ctrl-C is for the server, and for us
    )


def _await_ready(process: subprocess.Popen[bytes], notices: socket.socket, output: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    pidfd = os.pidfd_open(process.pid)
    try:
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        waiting.register(notices, select.POLLIN)
        while ready := dict(waiting.poll(max(deadline - time.monotonic(), 0) * 1000)):
            if notices.fileno() in ready and b"READY=1" in notices.recv(4096).split(b"\n"):
                return
            if pidfd in ready:
                break
        raise NotServed(_read(output) or "it does not start")
    finally:
        os.close(pidfd)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it now; when the master is gone, so is everything that it has started."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(output: int) -> str:
    return os.pread(output, os.fstat(output).st_size, 0).decode(errors="replace")
