"""A log that nobody reads, or that has no room, holds up nobody (M21)."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.live.load import load

# The daemon's stderr is the log that the tests read, so stdout is the pipe: the access log.
PIPED = SITE.replace('access = "access.log"', 'access = "stdout"')
# And here everything goes to the pipe, the error log of each request included.
ALL_PIPED = SITE.replace('access = "access.log"', 'access = "stdout"\nerror = "stdout"')
REDIRECT = ("sh", "-c", 'exec "$@" >"$FIFO"', "sh")


class Reader:
    """The far end of a FIFO; reads when it is told to, never before."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        path.chmod(0o666)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self) -> bytes:
        """Return what is there."""
        text = b""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.fd, 1 << 20):
                text += piece
        return text


@contextlib.contextmanager
def piped(config: str, tmp_path: Path) -> Iterator[tuple[Daemon, Reader]]:
    """Run a daemon whose stdout is a FIFO that its shell has opened, and that nobody reads."""
    fifo = tmp_path / "fifo"
    tmp_path.chmod(0o755)
    reader = Reader(fifo)
    try:
        with daemon(config, wrapper=REDIRECT, env={"FIFO": str(fifo)}, start=False) as running:
            running.write("www/page", "page")
            running.launch()
            wait_for(lambda: (running.directory / "forkhttpd.control").exists(), "readiness")
            running.port = port_of(running)
            yield running, reader
    finally:
        os.close(reader.fd)


def port_of(running: Daemon) -> int:
    """Return the port, of which the log in the pipe tells nobody."""
    inodes = set()
    for fd in os.listdir(f"/proc/{running.process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.readlink(f"/proc/{running.process.pid}/fd/{fd}"))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in inodes and fields[3] == "0A":
            return int(fields[1].rpartition(":")[2], 16)
    raise AssertionError("it listens nowhere")


def flags_of(reader: Reader, running: Daemon) -> int:
    """Return the flags of the open file description that is the daemon's stdout."""
    text = Path(f"/proc/{running.process.pid}/fdinfo/1").read_text()
    return int(re.findall(r"flags:\s*([0-7]+)", text)[0], 8)


def test_M21_an_access_log_that_nobody_reads_loses_lines_and_no_request(tmp_path: Path) -> None:
    with piped(PIPED, tmp_path) as (running, reader):
        wide = "x" * 2000  # a request's line, so that few of them fill pipe and buffer
        with load(running, f"/page?{wide}", keep_alive=True, clients=3) as seen:
            running.await_log("access log: ")
        assert seen.failures == []
        assert seen.answered > 500
        assert not flags_of(reader, running) & os.O_NONBLOCK
        before = reader.read()
        assert b"page" in before
        wait_for(lambda: is_logged(running, reader), "the log to go on")
        lost = [int(n) for n in re.findall(r"access log: (\d+) lines lost", running.log)]
        assert 0 < len(lost) <= 2  # one line for each worker
        assert running.stop() == 0


def is_logged(running: Daemon, reader: Reader) -> bool:
    """Make a request; return whether it is in the log, or one before it that took its time."""
    assert running.get("/page?last").text == "page"
    return b"/page?last " in reader.read()


def test_M21_all_logs_in_one_pipe_that_nobody_reads_stop_nothing(tmp_path: Path) -> None:
    """As in a container whose runtime hangs: not requests, not programs, not reload, not stop."""
    with piped(ALL_PIPED, tmp_path) as (running, reader):
        running.script(
            "loud.sh",
            "#!/bin/sh\nyes 'a line of complaint' | head -c 100000 >&2\n"
            "printf 'Content-Type: text/plain\\n\\nhello\\n'\n",
        )
        for _ in range(5):
            assert running.get("/cgi-bin/loud.sh").text == "hello\n"
        done = running.command("-s", "reload")
        assert (done.returncode, "reloaded: " in done.stderr) == (0, True)
        (spawner,) = running.spawners()
        spawner.kill()
        wait_for(lambda: spawner.pid not in [one.pid for one in running.spawners()], "its end")
        wait_for(lambda: running.get("/cgi-bin/loud.sh").status == 200, "the new spawner")
        assert not flags_of(reader, running) & os.O_NONBLOCK
        text = reader.read().decode()
        assert "a line of complaint" in text
        assert all(line.isprintable() for line in text.splitlines())
        text += wait_for(lambda: losses(reader), "the count of what was lost")
        assert running.stop() == 0


def losses(reader: Reader) -> str:
    text = reader.read().decode()
    return text if re.search(r"\d+ lines lost: there was no room", text) else ""


def test_M21_a_reader_that_leaves_stops_nothing(tmp_path: Path) -> None:
    with piped(ALL_PIPED, tmp_path) as (running, reader):
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, reader.fd)
        os.close(null)
        for _ in range(20):
            assert running.get("/page").text == "page"
        assert running.command("-s", "reload").returncode == 0
        assert running.stop() == 0


def may_mount() -> bool:
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


FULL = (
    "unshare",
    "--mount",
    "sh",
    "-e",
    "-c",
    'mount -t tmpfs -o size=64k none "$DISK"; exec "$@"',
)


@pytest.mark.skipif(not may_mount(), reason="needs a mount name space of its own")
def test_M21_a_full_disk_costs_lines_and_no_request(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    config = SITE.replace('"access.log"', f'"{tmp_path}/access.log"')
    with daemon(config, wrapper=(*FULL, "sh"), env={"DISK": str(tmp_path)}) as running:
        running.write("www/page", "page")
        with load(running, "/page?" + "x" * 2000, keep_alive=True) as seen:
            running.await_log("access log: ")
        assert seen.failures == []
        log = Path(f"/proc/{running.process.pid}/root{tmp_path}/access.log")
        assert log.stat().st_size >= 32 << 10
        wait_for(lambda: goes_on(running, log), "the log to go on")
        running.send_signal(signal.SIGHUP)
        running.await_log("]: reloaded: ")


def goes_on(running: Daemon, log: Path) -> bool:
    """Make room, as a rotation would, and see whether a request gets its line."""
    if log.stat().st_size >= 32 << 10:
        log.write_text("")
    running.get("/page?last")
    return "/page?last " in log.read_text()
