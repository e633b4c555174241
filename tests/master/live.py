"""A running master over small children, and ways to look at it from outside."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error", str(ROOT / "tests/master/small_server.py")]
DEADLINE = 60.0  # seconds for anything that is awaited

_CONF = """\
workers = {workers}
server = "{manners}"
pid_file = "{pid_file}"
{listen}
[log]
access = "{access}"
error = "{error}"
level = "debug"
[timeouts]
graceful = "{graceful}"
start = "{start}"
heartbeat = "{heartbeat}"
[[site]]
[[site.mount]]
docroot = "/nonexistent"
{extra}
"""

T = TypeVar("T")


def await_that(condition: Callable[[], T], what: str = "") -> T:
    """Return the condition's first true value; fail when there is none in time."""
    end = time.monotonic() + DEADLINE
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, f"never came true: {what or condition}"
        time.sleep(0.01)  # between two looks, not instead of one


def write_conf(path: Path, *, addresses: tuple[str, ...] = ("127.0.0.1:0",), **facts: Any) -> None:
    """Write a configuration; `facts` are the keys of the text above."""
    defaults: dict[str, object] = {
        "workers": 2,
        "manners": "steady steady",
        "pid_file": "",
        "access": "off",
        "error": "stderr",
        "graceful": "5s",
        "start": "10s",
        "heartbeat": "10s",
        "extra": "",
    }
    listen = "\n".join(f'[[listen]]\naddress = "{address}"' for address in addresses)
    new = path.with_suffix(".new")
    new.write_text(_CONF.format(**{**defaults, **facts}, listen=listen))
    new.rename(path)


class Live:
    """The master's process, its log (its stderr goes there), and its address."""

    def __init__(self, process: subprocess.Popen[bytes], conf: Path, log: Path) -> None:
        self.process = process
        self.conf = conf
        self._log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self._log.read_text()

    def await_log(self, text: str, times: int = 1) -> None:
        await_that(lambda: self.log().count(text) >= times, f"{text!r} in\n{self.log()}")

    def port(self) -> int:
        line = [one for one in self.log().splitlines() if "listening on http" in one][-1]
        return int(line.rsplit(":", 1)[1].rstrip("/"))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def reload(self, **facts: Any) -> None:
        """Write a new configuration and wait for the verdict."""
        before = self.verdicts()
        write_conf(self.conf, **facts)
        self.signal(signal.SIGHUP)
        await_that(lambda: self.verdicts() > before, self.log())

    def verdicts(self) -> int:
        log = self.log()
        return log.count("]: reloaded: ") + log.count("reload refused")

    def ask(self, port: int | None = None) -> tuple[int, int, list[int]]:
        """Return who answers: pid, generation, open descriptors."""
        with socket.create_connection(("127.0.0.1", port or self.port()), timeout=DEADLINE) as one:
            data = b""
            while piece := one.recv(4096):
                data += piece
        pid, generation, fds = data.decode().split()
        return int(pid), int(generation), [int(fd) for fd in fds.split(",")]

    def wait(self) -> int:
        return self.process.wait(timeout=DEADLINE)

    def children(self) -> list[int]:
        return children_of(self.pid)

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that waits to be reaped does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "NO_COLOR": "1"}


@contextlib.contextmanager
def started(
    directory: Path,
    *,
    wrapper: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    close_fds: bool = True,
    **facts: Any,
) -> Iterator[Live]:
    """Run a master in a process group of its own; in the end nothing of it is left."""
    conf, log = directory / "small.conf", directory / "stderr.log"
    write_conf(conf, **facts)
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            [*wrapper, *COMMAND, str(conf)],
            stderr=stderr,
            env={**environment(), **(env or {})},
            close_fds=close_fds,
            start_new_session=True,
        )
    live = Live(process, conf, log)
    try:
        yield live
    except BaseException:
        print(live.log(), file=sys.stderr)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=DEADLINE)


@contextlib.contextmanager
def serving(directory: Path, **facts: Any) -> Iterator[Live]:
    """Run a master and wait until it is READY."""
    with started(directory, **facts) as live:
        live.await_log("ready: ")
        yield live
