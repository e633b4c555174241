"""M18: `--daemon` says how it went, and leaves nothing behind in the daemon."""

import os
import re
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forkhttpd.master.pidfile import holder
from tests.master.live import COMMAND, DEADLINE, await_that, environment, is_alive, write_conf


class Daemon:
    """A configuration to launch a daemon with; the fixture ends what was launched."""

    def __init__(self, directory: Path) -> None:
        self.conf = directory / "small.conf"
        self.pid_file = directory / "pid"
        self.error = directory / "error.log"

    def launch(
        self, *, umask: int = -1, pass_fds: tuple[int, ...] = (), **facts: object
    ) -> tuple[int, str]:
        """Return the launching command's exit code and stderr; a pipe that stays open is caught."""
        given: dict[str, Any] = {"pid_file": self.pid_file, "error": self.error, **facts}
        write_conf(self.conf, **given)
        done = subprocess.run(
            [*COMMAND, str(self.conf), "--daemon"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(),
            umask=umask,
            pass_fds=pass_fds,
        )
        return done.returncode, done.stderr

    def pid(self) -> int:
        pid = holder(self.pid_file)
        assert pid is not None
        return pid


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    pid = holder(daemon.pid_file)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        await_that(lambda: holder(daemon.pid_file) is None)


def test_M18_it_exits_0_when_the_daemon_is_ready(daemon: Daemon) -> None:
    assert daemon.launch() == (0, "")
    await_that(lambda: "]: ready: 2 workers, 1 spawner" in daemon.error.read_text())
    assert daemon.pid_file.read_text() == f"{daemon.pid()}\n"


def test_M18_the_daemon_has_a_session_of_its_own_and_no_stream_of_ours(daemon: Daemon) -> None:
    daemon.launch()
    pid = daemon.pid()
    assert os.getsid(pid) not in (os.getsid(0), pid)
    for fd in range(3):
        assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/cwd") == "/"


def test_M18_no_descriptor_of_the_launching_shell_leaks(daemon: Daemon) -> None:
    read_end, write_end = os.pipe()
    try:
        assert daemon.launch(pass_fds=(write_end,))[0] == 0
    finally:
        os.close(write_end)
    assert os.read(read_end, 1) == b"", "nobody holds the other end"
    os.close(read_end)


def test_M18_dev_null_is_open_three_times_and_no_more(daemon: Daemon) -> None:
    daemon.launch(access="off")
    pid = daemon.pid()
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert links.count("/dev/null") == 3


def test_M18_the_umask_is_the_launching_shells(daemon: Daemon) -> None:
    daemon.launch(umask=0o027)
    status = Path(f"/proc/{daemon.pid()}/status").read_text()
    assert re.findall(r"Umask:\s+(\d+)", status) == ["0027"]


def test_M18_a_crash_loop_is_the_launching_commands_failure(daemon: Daemon) -> None:
    code, words = daemon.launch(manners="failing steady")
    assert code == 70
    assert "LookupError: nothing works today (5 attempts, none was ever ready)" in words
    await_that(lambda: holder(daemon.pid_file) is None)


def test_M18_the_reason_of_a_child_that_cannot_run_is_on_stderr(daemon: Daemon) -> None:
    code, words = daemon.launch(manners="refusing steady")
    assert code == 78
    assert 'user = "nobody-here": there is no such user' in words


def test_M18_what_fails_before_detaching_is_said_by_the_command(daemon: Daemon) -> None:
    code, words = daemon.launch(error="/nonexistent/error.log")
    assert code == 78
    assert "/nonexistent/error.log" in words


def test_M18_a_second_daemon_exits_69_and_names_the_first(daemon: Daemon) -> None:
    daemon.launch()
    pid = daemon.pid()
    code, words = daemon.launch()
    assert code == 69
    assert f"already running: pid {pid} (forkhttpd: master" in words
    assert holder(daemon.pid_file) == pid


def test_M18_the_daemon_reloads_and_stops_like_any_master(daemon: Daemon) -> None:
    daemon.launch()
    pid = daemon.pid()
    os.kill(pid, signal.SIGHUP)
    await_that(lambda: "]: reloaded: " in daemon.error.read_text())
    os.kill(pid, signal.SIGTERM)
    await_that(lambda: not is_alive(pid))
    assert not daemon.pid_file.exists()


def test_M18_the_highest_hard_limit_costs_nothing(daemon: Daemon) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        assert daemon.launch()[0] == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
