"""The real daemon for live tests: started as a user starts it, ended with all that it started.

A `Daemon` is a directory of its own with a configuration, and `python -m forkhttpd -c` on it.  Its
port is the kernel's choice and is read from the log, like everything else that a test waits for.
"""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

DEADLINE = 60.0  # seconds that anything may take; where 28 processes wanted a CPU, 20 were too few

SITE = """\
workers = 2
pid_file = "forkhttpd.pid"

[[listen]]
address = "127.0.0.1:0"

[log]
access = "access.log"

[[site]]

[[site.mount]]
path = "/"
docroot = "www"
listing = true

[[site.mount]]
path = "/cgi-bin/"
cgi = "cgi-bin"
"""


T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, *, within: float = DEADLINE) -> T:
    """Return the condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.01)
    return value


def await_end(processes: list[psutil.Process], *, within: float = DEADLINE) -> None:
    """Wait until none of them is alive."""
    wait_for(lambda: not any(map(is_alive, processes)), f"the end of {processes}", within=within)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that only waits for its parent, or for init, to reap it does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(slots=True)
class Daemon:
    """A running forkhttpd.  `directory` holds its configuration, logs, `www` and `cgi-bin`.

    wrapper: a command that execs the one that it is given, as in ("nice", "-n", "10").
    env: what the daemon finds in its environment beside ours.
    """

    directory: Path
    arguments: tuple[str, ...] = ()
    wrapper: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)
    port: int = 0

    # Files

    @property
    def config(self) -> Path:
        return self.directory / "forkhttpd.conf"

    @property
    def log(self) -> str:
        """All that the daemon has written to its standard error."""
        return (self.directory / "stderr").read_text()

    @property
    def access_log(self) -> str:
        return (self.directory / "access.log").read_text()

    def write(self, name: str, content: str | bytes, *, mode: int = 0o644) -> Path:
        """Make a file below the directory, readable by everybody."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def configure(self, config: str) -> None:
        """Replace the configuration; whoever reads it meanwhile gets the old or the new one."""
        self.write("forkhttpd.new", config).rename(self.config)

    def script(self, name: str, content: str, *, mode: int = 0o755) -> Path:
        """Make a CGI script."""
        return self.write(f"cgi-bin/{name}", content, mode=mode)

    # Life

    def start(self) -> None:
        """Start and wait until it is ready."""
        self.launch()
        wait_for(lambda: "ready:" in self.log or self.process.poll() is not None, "ready")
        if self.process.poll() is not None:
            raise AssertionError(f"exited with {self.process.returncode}:\n{self.log}")
        ports = re.findall(r"listening on http://[^/]*:([0-9]+)/", self.log)
        self.port = int(ports[0]) if ports else 0

    def launch(self) -> None:
        """Start and do not wait."""
        with open(self.directory / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(
                [*self.wrapper, *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
                env={**os.environ, **self.env},
                cwd="/",
            )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on its configuration to its end: `command("-s", "reload")`."""
        return subprocess.run(
            [*self._command(), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={**os.environ, **self.env},
            cwd="/",
        )

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "forkhttpd", "-c", str(self.config), *self.arguments]

    def reload(self, config: str | None = None) -> bool:
        """Send HUP, with a new configuration if given; return whether it was taken up."""
        if config is not None:
            self.configure(config)
        reloads, refusals = self.verdicts()
        self.send_signal(signal.SIGHUP)
        wait_for(lambda: self.verdicts() != (reloads, refusals), "a verdict on the reload")
        return self.verdicts()[0] > reloads

    def verdicts(self) -> tuple[int, int]:
        """Return how many reloads were taken up and how many were refused."""
        log = self.log
        return log.count("]: reloaded: "), log.count("]: reload refused, nothing changed: ")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit status."""
        self.send_signal(number)
        return self.process.wait(DEADLINE)

    def end(self) -> None:
        """End it and whatever it has started, however it goes."""
        family = self.family() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait(DEADLINE)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await_end(family)

    def family(self) -> list[psutil.Process]:
        """Return every process below the master."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def titled(self, beginning: str) -> list[psutil.Process]:
        """Return the children whose title begins so: "forkhttpd: worker"."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                if " ".join(process.cmdline()).startswith(beginning):
                    found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        return self.titled("forkhttpd: worker")

    def spawners(self) -> list[psutil.Process]:
        return self.titled("forkhttpd: spawner")

    def await_log(self, text: str, *, count: int = 1) -> None:
        """Wait until the log holds a text, `count` times."""
        wait_for(lambda: self.log.count(text) >= count, f"{text!r} in the log")

    def await_access_log(self, text: str, *, count: int = 1) -> None:
        """Wait until the access log holds a text, `count` times."""
        wait_for(lambda: self.access_log.count(text) >= count, f"{text!r} in the access log")

    # Clients

    def connect(self) -> socket.socket:
        """Open a connection; the caller closes it."""
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def session(self) -> http.client.HTTPConnection:
        """Return a connection of the library's client; the caller closes it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def get(self, path: str, *, method: str = "GET", **fields: str) -> Reply:
        """Ask for a path; `user_agent="x"` sends that field."""
        return self.ask(method, path, {k.replace("_", "-"): v for k, v in fields.items()})

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] = {},
        body: bytes | Iterator[bytes] | None = None,
    ) -> Reply:
        """Send one request on a connection of its own and return the answer."""
        with contextlib.closing(self.session()) as session:
            chunked = "Transfer-Encoding" in fields
            session.request(method, path, body, dict(fields), encode_chunked=chunked)
            response = session.getresponse()
            content = response.read()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, content)

    def exchange(self, data: bytes) -> bytes:
        """Send bytes and return everything that comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes; a reset ends it, too."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return bytes(received)


@contextlib.contextmanager
def daemon(
    config: str = SITE,
    *,
    arguments: tuple[str, ...] = (),
    wrapper: tuple[str, ...] = (),
    env: Mapping[str, str] = {},
    start: bool = True,
) -> Iterator[Daemon]:
    """Make a Daemon, in a directory that any user may enter, and end it; its log is printed."""
    if os.geteuid() == 0 and "user =" not in config and "--allow-root" not in arguments:
        arguments = (*arguments, "--allow-root")
    with tempfile.TemporaryDirectory(prefix="forkhttpd-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        for part in ("www", "cgi-bin"):
            (directory / part).mkdir()
        running = Daemon(directory, arguments, wrapper, env)
        running.write("forkhttpd.conf", config)
        try:
            if start:
                running.start()
            yield running
        finally:
            with contextlib.suppress(AttributeError):  # it was never launched
                running.end()
                print(running.log)
