"""forkhttpd as a service of a machine: the unit that we ship, with a site to serve."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.live.daemon import Reply, wait_for
from tests.systemd.machine import PYTHON, Machine

CONFIG = "/etc/forkhttpd/forkhttpd.conf"
UNIT = "forkhttpd.service"
_DROP_INS = "/run/systemd/system/forkhttpd.service.d"
# A dynamic user's directories are links to others, which no other user can take over.
_STATE = [
    f"/{place}/{part}forkhttpd"
    for place in ("run", "var/lib", "var/log")
    for part in ("", "private/")
]
_LEAVINGS = ["/srv/www", "/srv/cgi-bin", "/srv/other", _DROP_INS, *_STATE]
_LOAD = Path(__file__).with_name("load.py")

SITE = f"""\
workers = 2
pid_file = "/run/forkhttpd/forkhttpd.pid"

[[listen]]
address = "127.0.0.1:80"

[log]
access = "off"

[pool.default]
python = "/opt/python/bin/{PYTHON}"

[[site]]

[[site.mount]]
path = "/"
docroot = "/srv/www"

[[site.mount]]
path = "/cgi-bin/"
cgi = "/srv/cgi-bin"
"""
ACTIVATED = SITE.replace("127.0.0.1:80", "systemd:http")


@dataclass(slots=True)
class Load:
    """What became of the requests; see load.py."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0
    longest: float = 0.0

    @property
    def lost(self) -> int:
        return self.sent - self.answered


@dataclass(frozen=True, slots=True)
class Service:
    """The service on a machine."""

    machine: Machine

    # Before and after

    def prepare(self, config: str = SITE) -> None:
        self.machine.run("rm", "-rf", *_LEAVINGS)
        self.configure(config)
        self.machine.write("/srv/www/index.html", "hello\n")
        self.machine.run("mkdir", "-p", "/srv/cgi-bin")
        self.machine.systemctl("daemon-reload")
        self.machine.run("journalctl", "--rotate", "--vacuum-size=1", "--quiet")

    def end(self) -> None:
        """Stop, kill what does not stop, and forget the failures."""
        units = ("forkhttpd.socket", UNIT)
        self.machine.systemctl("kill", "--signal=KILL", UNIT, check=False)
        self.machine.systemctl("stop", *units)
        self.machine.run("rm", "-rf", *_LEAVINGS)
        self.machine.systemctl("daemon-reload")
        self.machine.systemctl("reset-failed", *units, check=False)

    def configure(self, config: str) -> None:
        self.machine.write(CONFIG, config)

    def drop_in(self, lines: str, *, name: str = "test") -> None:
        """Add lines to the unit."""
        self.machine.write(f"{_DROP_INS}/{name}.conf", lines)
        self.machine.systemctl("daemon-reload")

    def script(self, name: str, content: str) -> None:
        """Make a CGI script of these shell commands, whose output is plain text."""
        head = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n"
        self.machine.write(f"/srv/cgi-bin/{name}", head + content, mode=0o755)

    # What an operator does and sees

    def start(self) -> None:
        self.machine.systemctl("start", UNIT)

    def systemctl(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Say that of the service, whatever comes of it."""
        return self.machine.systemctl(verb, *arguments, UNIT, check=False)

    def show(self, name: str) -> str:
        return self.machine.show(UNIT, name)

    @property
    def status(self) -> str:
        """The text beside `Status:` in systemctl status."""
        return self.show("StatusText")

    @property
    def main_pid(self) -> int:
        return int(self.show("MainPID"))

    def journal(self, *options: str) -> str:
        return self.machine.journal(UNIT, *options)

    def kill(self, signal: str) -> None:
        """Send the master a signal."""
        self.machine.systemctl("kill", f"--signal={signal}", "--kill-whom=main", UNIT)

    def processes(self, beginning: str = "forkhttpd: ") -> dict[int, str]:
        """Return pids, as the machine sees them, and titles of processes whose title begins so."""
        script = 'cd /proc; for pid in [0-9]*; do echo $pid $(tr "\\0" " " <$pid/cmdline); done'
        listed = self.machine.run("sh", "-c", f"{{ {script}; }} 2>/dev/null", check=False).stdout
        found = (line.partition(" ") for line in listed.splitlines())
        return {int(pid): title for pid, _, title in found if title.startswith(beginning)}

    def await_state(self, state: str) -> None:
        wait_for(lambda: self.show("ActiveState") == state, f"ActiveState={state}")

    # What a client does

    @contextlib.contextmanager
    def session(self, port: int = 80) -> Iterator[http.client.HTTPConnection]:
        """Open a connection of the library's client."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as one:
            with self.machine.network():
                one.connect()
            yield one

    def get(self, path: str = "/", *, port: int = 80) -> Reply:
        with self.session(port) as session:
            session.request("GET", path)
            response = session.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read())

    @contextlib.contextmanager
    def load(self, path: str = "/", *, port: int = 80) -> Iterator[Load]:
        """Send requests without a pause; the counts are there when the block is left."""
        command = ["nsenter", f"--target={self.machine.pid}", "--net", sys.executable, str(_LOAD)]
        load = Load()
        with subprocess.Popen(
            [*command, str(port), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as clients:
            yield load
            counts = json.loads(clients.communicate()[0])
        for name, count in counts.items():
            setattr(load, name, count)
