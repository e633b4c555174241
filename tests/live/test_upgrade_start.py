"""M20: a new master starts as the old one was started: by a path, by the command, as process 1."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from forkhttpd.master.pidfile import holder
from tests.live.daemon import DEADLINE, SITE, is_alive, read_all, wait_for
from tests.live.masters import masters


@pytest.mark.parametrize("linked", [False, True])
def test_M20_a_daemon_that_was_started_with_a_relative_path(tmp_path: Path, linked: bool) -> None:
    """From its directory, or from a link to the current release that leads elsewhere later."""
    port = free_port()
    first = make_site(tmp_path / "1", "first", port=port, pid_file=tmp_path / "pid")
    second = make_site(tmp_path / "2", "second", port=port, pid_file=tmp_path / "pid")
    link = tmp_path / "current"
    link.symlink_to(first)
    place = link if linked else first
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "forkhttpd", "-c", "forkhttpd.conf", "--daemon", *root]
    environment = {**os.environ, "PWD": str(place)}
    subprocess.run(command, cwd=place, env=environment, check=True, timeout=DEADLINE)
    pid = holder(tmp_path / "pid") or 0
    session = os.getsid(pid)
    try:
        link.unlink()
        link.symlink_to(second)
        os.kill(pid, signal.SIGUSR2)
        wait_for(lambda: holder(tmp_path / "pid") not in (pid, None), "the new master")
        wait_for(lambda: not is_running(pid), "the end of the old one")
        pid = holder(tmp_path / "pid") or 0
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert os.getsid(pid) == session
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
            connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
            assert read_all(connection).endswith(b"second" if linked else b"first")
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not is_running(pid), "the end")
    assert not (tmp_path / "pid").exists()


def make_site(directory: Path, page: str, *, port: int, pid_file: Path) -> Path:
    (directory / "www").mkdir(parents=True)
    (directory / "cgi-bin").mkdir()
    (directory / "www" / "page").write_text(page)
    config = (
        SITE.replace("127.0.0.1:0", f"127.0.0.1:{port}")
        .replace('"forkhttpd.pid"', f'"{pid_file}"')
        .replace('access = "access.log"', 'error = "error.log"')
    )
    (directory / "forkhttpd.conf").write_text(config)
    return directory


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and is_alive(psutil.Process(pid))


def test_M20_the_command_asks_for_it_and_refuses_a_wrong_file() -> None:
    with masters() as followed:
        running, pid = followed.running, followed.pid
        running.configure(SITE.replace("workers = 2", "workers = none"))
        refused = running.command("-s", "upgrade")
        assert refused.returncode == 78
        assert followed.pid == pid
        running.configure(SITE)
        assert running.command("-s", "upgrade").returncode == 0
        wait_for(lambda: followed.pid not in (0, pid), "the new master")
        followed.await_alone()


UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def may_unshare() -> bool:
    return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="needs a process name space of its own")
def test_M20_process_1_of_a_container_refuses_and_serves_on() -> None:
    with masters(wrapper=UNSHARE) as followed:
        followed.running.write("www/page", "page")
        (first,) = psutil.Process(followed.running.process.pid).children()
        first.send_signal(signal.SIGUSR2)
        followed.running.await_log("upgrade refused: the master is process 1")
        assert followed.running.get("/page").text == "page"
