"""M20: USR2 puts a new master, of the code and configuration that are there now, in the place of
the old one; nothing is refused, nothing is lost, and if it fails nothing has changed.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import forkhttpd
from forkhttpd.master.pidfile import holder
from tests.live.daemon import DEADLINE, SITE, await_end, is_alive, read_all, wait_for
from tests.live.masters import Masters, masters
from tests.live.scene import Scene, await_closed, busy, open_fds, processes_with, refuses, timeouts
from tests.live.test_reload import ask_unix, listening_inode
from tests.live.test_reload_under_load import assert_logged, crowd, furnish

UPGRADES = 5


@pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("wrk") is None, reason="wrk is not installed"
)
def test_M20_five_upgrades_under_load_lose_nothing() -> None:
    """A program of 5 s runs all the time, so that each upgrade finds it running."""
    with masters() as followed:
        running = followed.running
        furnish(running)
        pids, states = [followed.pid], []
        with crowd(running) as send_home:
            for _ in range(UPGRADES):
                pids.append(followed.upgrade())
                followed.await_alone()
                states.append(resting_state(followed))
            reports = send_home()
        print(json.dumps(reports))
        assert not [failure for one in reports.values() for failure in one["failures"]]
        assert all(one["requests"] for one in reports.values())
        assert len(set(pids)) == UPGRADES + 1
        assert states == states[:1] * UPGRADES
        master = psutil.Process(followed.pid)
        followed.signal(signal.SIGTERM)
        await_end([master])
        assert followed.everybody() == []
        assert_logged(running, reports)


def resting_state(followed: Masters) -> tuple[int, list[str]]:
    """Return what must not grow: the master's descriptors, and who is there beside programs."""
    everybody = [" ".join(one.cmdline()) for one in followed.everybody()]
    titles = sorted(one for one in everybody if one.startswith("forkhttpd: "))
    return open_fds(followed.pid), titles


# New code.


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the package that can be changed."""
    package = tmp_path / "release" / "forkhttpd"
    shutil.copytree(
        Path(forkhttpd.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return package


@pytest.fixture
def released(release: Path) -> Iterator[Masters]:
    """A daemon that runs from the copy."""
    env = {"PYTHONPATH": str(release.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    with masters(env=env) as followed:
        followed.running.write("www/page", "page")
        yield followed


def change(module: Path, old: str, new: str) -> None:
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new))


def test_M20_the_code_on_disk_is_what_serves_then(release: Path, released: Masters) -> None:
    change(release / "__init__.py", f'"{forkhttpd.__version__}"', '"9.9.9"')
    pid = released.upgrade()
    assert f"master[{pid}]: forkhttpd 9.9.9 takes over" in released.running.log
    assert released.running.get("/page").text == "page"
    released.signal(signal.SIGHUP)
    released.running.await_log(f"master[{pid}]: reloaded: ")


@pytest.mark.parametrize(
    ("module", "text", "reason"),
    [
        ("cli.py", "import half_an_installation\n", "No module named 'half_an_installation'"),
        ("http1/parser.py", "def broken(:\n", "SyntaxError: invalid syntax"),
        ("worker/worker.py", "def run_worker(_): raise ValueError('bad')\n", "ValueError: bad"),
    ],
)
def test_M20_broken_code_changes_nothing_and_says_why(
    release: Path, released: Masters, module: str, text: str, reason: str
) -> None:
    whole = (release / module).read_text()
    inode, pid = listening_inode(released.running.port), released.pid
    with open(release / module, "a") as file:
        file.write(text)
    assert reason in released.refusal()
    assert released.pid == pid
    assert listening_inode(released.running.port) == inode
    assert released.running.get("/page").text == "page"
    errors = [x for x in released.running.log.splitlines() if " error master[" in x]
    assert len(errors) == 1
    (release / module).write_text(whole)
    released.upgrade()
    assert released.running.get("/page").text == "page"


def test_M20_a_new_master_that_is_killed_while_it_starts_changes_nothing(
    release: Path, released: Masters
) -> None:
    with open(release / "cli.py", "a") as file:
        file.write("import time\ntime.sleep(3600)\n")
    released.signal(signal.SIGUSR2)
    (sleeper,) = wait_for(lambda: successors(release), "the new master")
    os.kill(sleeper, signal.SIGKILL)
    released.running.await_log("upgrade refused, nothing changed: new master (pid ")
    assert "died: SIGKILL" in released.refusals()[-1]
    assert released.running.get("/page").text == "page"


def successors(release: Path) -> list[int]:
    """Return the pids of new masters that run from a release, as long as they start."""
    there = processes_with(str(release.parent))
    return [pid for pid in processes_with("forkhttpd/word") if pid in there]


def test_M20_a_stop_ends_a_new_master_that_hangs_in_its_start(
    release: Path, released: Masters
) -> None:
    with open(release / "cli.py", "a") as file:
        file.write("import time\ntime.sleep(3600)\n")
    released.signal(signal.SIGUSR2)
    wait_for(lambda: successors(release), "the new master")
    released.signal(signal.SIGQUIT)
    assert released.running.process.wait(DEADLINE) == 0
    assert released.everybody() == []


# New configuration.


def test_M20_the_file_as_it_is_now_is_taken_up() -> None:
    with masters() as followed:
        running = followed.running
        running.write("www/page", "old")
        running.write("new/page", "new")
        inode, port = listening_inode(running.port), running.port
        running.configure(SITE.replace('docroot = "www"', 'docroot = "new"'))
        followed.upgrade()
        followed.await_alone()
        assert running.get("/page").text == "new"
        assert listening_inode(port) == inode
        assert [int(x) for x in re.findall(r"127\.0\.0\.1:(\d+)/", running.log)] == [port] * 2


def test_M20_a_broken_file_changes_nothing_and_the_line_is_told() -> None:
    with masters() as followed:
        followed.running.write("www/page", "page")
        followed.running.configure(SITE.replace("workers = 2", "workers = none"))
        assert "forkhttpd.conf:1:" in followed.refusal()
        assert followed.running.get("/page").text == "page"
        followed.running.configure(SITE)
        followed.upgrade()
        assert followed.running.get("/page").text == "page"


# What goes on meanwhile.


def follow(scene: Scene) -> Masters:
    return Masters(scene.running)


def test_M20_what_runs_is_finished_by_the_old_master() -> None:
    with busy(SITE + timeouts(graceful="10m", idle="1s")) as scene:
        followed = follow(scene)
        try:
            followed.upgrade()
            assert scene.running.process.poll() is None
            scene.finish()
            assert scene.running.process.wait(DEADLINE) == 0
            followed.await_alone()
            assert scene.running.get("/page").text == "page"
        finally:
            followed.end()


def test_M20_a_stop_after_an_upgrade_lets_both_masters_finish() -> None:
    with busy(SITE + timeouts(graceful="10m")) as scene:
        followed = follow(scene)
        try:
            master = psutil.Process(followed.upgrade())
            master.terminate()
            wait_for(lambda: refuses(scene.running.port), "nobody to listen")
            assert is_alive(master)
            scene.finish()
            assert scene.running.process.wait(DEADLINE) == 0
            await_end([master])
            assert followed.everybody() == []
        finally:
            followed.end()


def test_M20_a_stop_now_after_an_upgrade_stops_both_at_once() -> None:
    with busy(SITE + timeouts(graceful="10m")) as scene:
        followed = follow(scene)
        try:
            master = psutil.Process(followed.upgrade())
            master.send_signal(signal.SIGQUIT)
            assert scene.running.process.wait(DEADLINE) == 0
            await_end([master])
            assert not processes_with(scene.marker)
        finally:
            followed.end()


def test_M20_an_old_master_that_is_killed_while_it_drains_harms_nobody() -> None:
    with busy(SITE + timeouts(graceful="10m", idle="1s")) as scene:
        followed = follow(scene)
        try:
            pid = followed.upgrade()
            scene.running.process.kill()
            followed.await_alone()
            assert followed.pid == pid
            assert scene.running.get("/page").text == "page"
            followed.upgrade()
            assert scene.running.get("/page").text == "page"
        finally:
            followed.end()


def test_M15_USR1_reopens_the_logs_of_the_old_master_too() -> None:
    """logrotate signals whoever the PID file names; nobody writes to the old file after that."""
    with busy(SITE + timeouts(graceful="10m", idle="10m")) as scene:
        followed, running = follow(scene), scene.running
        try:
            followed.upgrade()
            access = running.directory / "access.log"
            access.rename(running.directory / "access.log.1")
            followed.signal(signal.SIGUSR1)
            running.await_log("logs reopened", count=2)
            await_closed(running.directory / "access.log.1")
            scene.idle.sendall(b"GET /page?late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_all(scene.idle).endswith(b"page")
            running.await_access_log("/page?late")
        finally:
            followed.end()


def test_M20_a_unix_socket_is_there_all_the_time_and_goes_with_the_last_master() -> None:
    site = SITE.replace("[log]", '[[listen]]\naddress = "unix:http.sock"\n[log]')
    with masters(site) as followed:
        path = followed.running.directory / "http.sock"
        followed.running.write("www/page", "page")
        inode = path.stat().st_ino
        for _ in range(2):
            followed.upgrade()
            followed.await_alone()
            assert ask_unix(path).endswith(b"page")
        assert path.stat().st_ino == inode
        master = psutil.Process(followed.pid)
        followed.signal(signal.SIGTERM)
        await_end([master])
        assert not path.exists()


def test_M20_children_have_nothing_of_the_other_master() -> None:
    with masters() as followed:
        before = [descriptors(one.pid) for one in followed.family()]
        followed.upgrade()
        followed.await_alone()
        after = [descriptors(one.pid) for one in followed.family()]
        assert [len(one) for one in after] == [len(one) for one in before]
        assert not [x for one in after for x in one.values() if "pidfd" in x or ".pid" in x]


def descriptors(pid: int) -> dict[str, str]:
    return {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


def test_M10_a_program_hears_nothing_of_the_service_manager_nor_of_the_old_master(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        env = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "60000000",
            "FDSTORE": "4",
        }
        with masters(env=env) as followed:
            running = followed.running
            running.script(
                "env.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\nenv; ls /proc/self/fd"
            )
            before = told(running.get("/cgi-bin/env.sh").text)
            followed.upgrade()
            followed.await_alone()
            after = told(running.get("/cgi-bin/env.sh").text)
    assert "REQUEST_METHOD" in before
    assert after == before
    assert not [x for x in after if re.match("NOTIFY|WATCHDOG|FDSTORE|LISTEN|MAINPID", x)]


def told(text: str) -> set[str]:
    """Return the names of variables, and the descriptors, without the one of `ls` itself."""
    return {line.partition("=")[0] for line in text.splitlines()}


def test_M20_a_log_to_stdout_goes_on() -> None:
    with masters(SITE.replace('"access.log"', '"stdout"')) as followed:
        followed.running.write("www/page", "page")
        followed.upgrade()
        followed.await_alone()
        followed.running.get("/page?after")
        followed.running.await_log('"GET /page?after HTTP/1.1" 200 ')


# How it was started.


@pytest.mark.parametrize("linked", [False, True])
def test_M20_a_daemon_that_was_started_with_a_relative_path(tmp_path: Path, linked: bool) -> None:
    """From its directory, or from a link to the current release that leads elsewhere later."""
    first, second = make_site(tmp_path / "1", "first"), make_site(tmp_path / "2", "second")
    link = tmp_path / "current"
    link.symlink_to(first)
    place = link if linked else first
    port = free_port()
    for site in (first, second):
        change(site / "forkhttpd.conf", "127.0.0.1:0", f"127.0.0.1:{port}")
        change(
            site / "forkhttpd.conf", 'pid_file = "forkhttpd.pid"', f'pid_file = "{tmp_path}/pid"'
        )
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


def make_site(directory: Path, page: str) -> Path:
    (directory / "www").mkdir(parents=True)
    (directory / "cgi-bin").mkdir()
    (directory / "www" / "page").write_text(page)
    (directory / "forkhttpd.conf").write_text(SITE + '\n[log]\nerror = "error.log"\n')
    change(directory / "forkhttpd.conf", '\n[log]\naccess = "access.log"\n', "")
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
