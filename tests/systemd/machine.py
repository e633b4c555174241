"""A machine for tests: a real systemd as PID 1 of namespaces of its own, with forkhttpd installed.

    with Machine.boot(Path("/")) as machine:
        machine.write("/etc/forkhttpd/forkhttpd.conf", SITE)
        machine.systemctl("start", "forkhttpd")
        with machine.network():                         # new sockets are the machine's
            http.client.HTTPConnection("127.0.0.1", 80)

It boots in a tenth of a second, because it starts nothing but the journal.  Below it lies the tree
of a directory, "/" or an unpacked Debian, under an overlay in memory: nothing is ever written
there.  boot.sh has the mounts; it ends the machine as soon as our end of a pipe is closed, by
whatever, so that not even a killed test leaves a process.  It is root's without a user namespace:
safe from accidents, and no jail.

The server runs under the very interpreter of the tests, with the same packages, which are shown
below /opt, where a unit can read them under any user and any hardening.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds that a command may take on a busy machine
_LONGEST_BOOT = 60.0  # seconds; a tenth of one is usual

_BOOT = Path(__file__).with_name("boot.sh")
_TOOLS = ("unshare", "nsenter", "setpriv", "mount", "pivot_root")  # of util-linux
_ENV = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_URLIFY": "0",
}
_CLONE_NEWNET = 0x40000000

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = f"/opt/forkhttpd/lib/{PYTHON}/site-packages"
_COMMAND = """\
#!/opt/forkhttpd/bin/python3
from forkhttpd.__main__ import run
raise SystemExit(run())
"""


class Unavailable(Exception):
    """No machine can be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A running systemd.  `pid` is its PID 1 as seen from here."""

    pid: int

    @classmethod
    @contextlib.contextmanager
    def boot(
        cls, lower: Path, *, installed: bool = True, shown: Mapping[str, Path] = {}
    ) -> Iterator["Machine"]:
        """Boot from the tree of a directory and end it all.  Raises Unavailable.

        installed: with our command in /opt/forkhttpd; else it has to be put there.
        shown: more of what is here, by where it is to be seen there.
        """
        if reason := _why_not(lower):
            raise Unavailable(reason)
        with contextlib.ExitStack() as ends:
            scratch = ends.enter_context(tempfile.TemporaryDirectory(prefix="forkhttpd-machine-"))
            words = ends.enter_context(tempfile.TemporaryFile())
            boot = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "slave"),
                    *(
                        "sh",
                        str(_BOOT),
                        "outside",
                        scratch,
                        str(lower),
                        *_shown(installed=installed, more=shown),
                    ),
                ],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                start_new_session=True,
                env=_ENV,
            )
            ends.callback(boot.wait, PATIENCE)
            assert boot.stdin
            ends.callback(boot.stdin.close)
            pid = _find_systemd(boot)
            if pid is None or not (machine := cls(pid))._is_up():
                words.seek(0)
                raise Unavailable(f"systemd does not boot here: {words.read().decode().strip()}")
            if installed:
                machine._install()
            yield machine

    # Commands inside

    def command(self, *command: str) -> list[str]:
        """Return what runs a command in the machine, as root; it ends with the machine."""
        enter = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return ["nsenter", f"--target={self.pid}", *enter, "--", *command]

    def run(
        self, *command: str, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine to its end; with `check` it must succeed."""
        done = subprocess.run(
            self.command(*command),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=_ENV,
        )
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{said}")
        return done

    def systemctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("systemctl", *arguments, check=check)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit, as systemd writes it."""
        return self.systemctl("show", "--value", f"--property={name}", unit).stdout.strip()

    def journal(self, unit: str, *options: str) -> str:
        """Return what a unit's processes, and systemd about it, have logged."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--quiet", "--output=cat", f"--unit={unit}", *options).stdout

    def write(self, path: str, content: str, *, mode: int = 0o644) -> None:
        """Make a file in the machine, with the directories above it."""
        self.run("install", "-D", "-m", f"{mode:o}", "/dev/stdin", path, stdin=content)

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Let the sockets that are made in here belong to the machine; there is loopback only."""
        with open("/proc/thread-self/ns/net") as own, open(f"/proc/{self.pid}/ns/net") as other:
            _enter(other.fileno())
            try:
                yield
            finally:
                _enter(own.fileno())

    # Its first moments

    def _is_up(self) -> bool:
        deadline = time.monotonic() + _LONGEST_BOOT
        while time.monotonic() < deadline and psutil.pid_exists(self.pid):
            state = self.systemctl("is-system-running", check=False).stdout.strip()
            if state in ("running", "degraded"):
                return True
            time.sleep(0.01)
        return False

    def _install(self) -> None:
        """Make /opt/forkhttpd what `pip install` in a virtual environment makes it."""
        self.write("/opt/forkhttpd/pyvenv.cfg", "home = /opt/python/bin\n")
        self.write("/opt/forkhttpd/bin/forkhttpd", _COMMAND, mode=0o755)
        self.write(f"{_PACKAGES}/dependencies.pth", "/opt/dependencies\n")
        self.run("ln", "-s", f"/opt/python/bin/{PYTHON}", "/opt/forkhttpd/bin/python3")


def _why_not(lower: Path) -> str:
    """Return why there can be no machine, as far as that can be told without trying; or ""."""
    if os.geteuid() != 0:
        return "a machine of its own for systemd needs root"
    missing = [tool for tool in _TOOLS if not shutil.which(tool, path=_ENV["PATH"])]
    if missing:
        return f"apt-get install util-linux, for {missing[0]}"
    return "" if (lower / "lib/systemd/systemd").exists() else "apt-get install systemd"


def _shown(*, installed: bool, more: Mapping[str, Path]) -> list[str]:
    """Return what of ours the machine sees: pairs of what it is and where it is to be."""
    interpreter = Path(os.path.realpath(sys.executable))
    pairs: dict[str, object] = {
        f"/opt/python/bin/{PYTHON}": interpreter,
        f"/opt/python/lib/{PYTHON}": sysconfig.get_path("stdlib"),
        "/opt/dependencies": sysconfig.get_path("purelib"),
        "/opt/source/systemd": CHECKOUT / "systemd",
        **more,
    }
    if installed:
        pairs[f"{_PACKAGES}/forkhttpd"] = CHECKOUT / "forkhttpd"
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        names = sysconfig.get_config_vars("LIBDIR", "INSTSONAME", "MULTIARCH")
        directory, library, multiarch = map(str, names)
        if (found := Path(directory, library)).exists():
            pairs[f"/usr/lib/{multiarch}/{library}"] = found
    return [str(one) for target, source in pairs.items() for one in (source, target)]


def _find_systemd(boot: subprocess.Popen[bytes]) -> int | None:
    """Return the pid of systemd once the script has become it; None if it does not."""
    deadline = time.monotonic() + _LONGEST_BOOT
    while boot.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(boot.pid).children(recursive=True):
                if process.name() == "systemd":
                    return process.pid
        time.sleep(0.005)
    return None


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
