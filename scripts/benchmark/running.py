"""A server that runs: started on a free port, awaited, metered, and ended with all it started."""

import grp
import os
import pwd
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.case import Ability, Case
from scripts.benchmark.meter import Accounting, Meter, kill_all
from scripts.benchmark.processtree import ProcessStat
from scripts.benchmark.server import Server, fill_in
from scripts.benchmark.site import PYTHON, Site

_PORTS_TO_TRY = 3
_START_DEADLINE = 10.0
_STOP_DEADLINE = 5.0
_START_POLL = 0.001  # a start takes tens of milliseconds, and is measured
_POLL = 0.02

# What a service manager would give a server, and nothing of whoever runs the bench: where
# PYTHONDONTWRITEBYTECODE is set, as in many containers, a server in Python that is run from its
# source compiled itself at each start, in 0.9 s instead of 0.45 s.
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


class ServerError(Exception):
    """A server does not start, or does not do what it was configured to do."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all servers of a run share; `directory` holds the site and their own directories."""

    directory: Path
    site: Site
    accounting: Accounting
    user: str
    group: str


def unprivileged() -> tuple[str, str]:
    """User and group that serve: never root."""
    root = os.geteuid() == 0
    user = _first_user("www-data", "nobody") if root else pwd.getpwuid(os.geteuid())
    return user.pw_name, grp.getgrgid(user.pw_gid).gr_name


def _first_user(*names: str) -> pwd.struct_passwd:
    for name in names:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"none of the users {', '.join(names)} exists, and root must not serve")


class RunningServer:
    """Owns a server's processes and its meter, from `start` to `stop`."""

    __slots__ = (
        "_log_size",
        "_meter",
        "_process",
        "_state",
        "launched",
        "port",
        "server",
        "tls_port",
    )

    def __init__(self, server: Server, surroundings: Surroundings) -> None:
        self.server = server
        self.port = 0
        self.tls_port = 0
        self.launched = 0.0  # by the monotonic clock
        self._log_size = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._state = surroundings.directory / server.name
        self._meter: Meter = surroundings.accounting.meter(server.name)

    @property
    def log_path(self) -> Path:
        return self._state / (self.server.log or "access.log")

    def start(self, surroundings: Surroundings) -> None:
        """Start the server and wait until it accepts connections.

        Between our finding a port free and the server's binding it somebody else may take it, so
        a server that ends gets another chance with another port.  Raises ServerError.
        """
        self._state.mkdir()
        if os.geteuid() == 0:  # lighttpd opens its logs as the user that it becomes
            user = pwd.getpwnam(surroundings.user)
            os.chown(self._state, user.pw_uid, user.pw_gid)
        for _ in range(_PORTS_TO_TRY):
            self.port, self.tls_port = _free_ports(2)
            try:
                self._launch(surroundings)
            except OSError as error:
                raise ServerError(f"{self.server.name} cannot be started: {error}") from error
            if self._accepts():
                return
            self.stop_processes()
        raise ServerError(f"{self.server.name} does not start:\n{self.complaints()}")

    def _launch(self, surroundings: Surroundings) -> None:
        words = {
            "PORT": str(self.port),
            "TLSPORT": str(self.tls_port),
            "CERTIFICATE": str(surroundings.site.certificate),
            "KEY": str(surroundings.site.key),
            "DOCROOT": str(surroundings.site.docroot),
            "CGI": str(surroundings.site.cgi),
            "STATE": str(self._state),
            "USER": surroundings.user,
            "GROUP": surroundings.group,
            "CONFIG": str(self._state / "server.conf"),
            "PYTHON": str(PYTHON),
        } | dict(self.server.words)
        if template := self.server.configuration:
            Path(words["CONFIG"]).write_text(fill_in(template.read_text(), words))
        arguments = [fill_in(argument, words) for argument in self.server.arguments]
        with (self._state / "output").open("ab") as output:
            self.launched = time.monotonic()
            self._process = subprocess.Popen(
                self._meter.command([str(self.server.program), *arguments]),
                cwd=self._state,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # the terminal's Ctrl-C is for us; we end the servers
            )

    def _accepts(self) -> bool:
        """Wait for the first connection.  False if the server ended or took too long."""
        deadline = time.monotonic() + _START_DEADLINE
        while time.monotonic() < deadline and self.running.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=_START_DEADLINE).close()
                return self.running.poll() is None
            time.sleep(_START_POLL)
        return False

    @property
    def running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerError(f"{self.server.name} has not been started")
        return self._process

    def port_for(self, case: Case) -> int:
        """The port that the requests of a case go to."""
        return self.tls_port if case.tls else self.port

    def counts(self, needs: frozenset[Ability]) -> bool:
        """Whether `cpu_seconds` tells the whole truth about a case that needs these abilities."""
        return self._meter.counts_unreaped or not needs & self.server.unwaited

    def cpu_seconds(self) -> float:
        """CPU time so far of all its processes."""
        return self._meter.seconds(self.running.pid)

    def members(self) -> list[ProcessStat]:
        """Its processes that live now."""
        return self._meter.members(self.running.pid)

    def reload(self) -> None:
        """Have it take up its configuration anew."""
        if self.server.reload is None:
            raise ServerError(f"{self.server.name} cannot reload")
        self.running.send_signal(self.server.reload)

    def take_log(self) -> int:
        """Bytes that the access log has had since the beginning.  Empties it: a long run writes
        gigabytes.  Servers append (O_APPEND), so what they write next begins the file again."""
        with suppress(FileNotFoundError):
            self._log_size += self.log_path.stat().st_size
            os.truncate(self.log_path, 0)
        return self._log_size

    def complaints(self) -> str:
        """The ends of what the server printed and of its error log, for a person to read."""
        texts = []
        for name in ("output", "error.log"):
            with suppress(FileNotFoundError):
                lines = (self._state / name).read_text(errors="replace").splitlines()
                texts += [f"  {line}" for line in lines[-10:]]
        return "\n".join(texts) or "  (it said nothing)"

    def stop(self) -> None:
        """End the server and everything it started, and give back the meter.  May be repeated."""
        self.stop_processes()
        self._meter.close()

    def stop_processes(self) -> None:
        """Ask the server to end, then kill whatever is left of it and of its process group."""
        if self._process is None:
            return
        process, self._process = self._process, None
        members = self._meter.members(process.pid)
        process.send_signal(self.server.stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_DEADLINE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._kill_rest(process.pid, members)

    def _kill_rest(self, root: int, members: list[ProcessStat]) -> None:
        """Programs have process groups of their own, and may still be starting others."""
        deadline = time.monotonic() + _STOP_DEADLINE
        while members:
            if time.monotonic() > deadline:
                pids = ", ".join(str(member.pid) for member in members)
                raise ServerError(f"{self.server.name} left processes that do not end: {pids}")
            kill_all(members)
            time.sleep(_POLL)
            members = self._meter.members(root)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
