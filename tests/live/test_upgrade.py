"""M20: USR2 puts a new master, of the code and configuration that are there now, in the place of
the old one; nothing is refused, nothing is lost, and if it fails nothing has changed.
"""

import json
import os
import re
import shutil
import signal
import socket
from pathlib import Path

import psutil
import pytest

import forkhttpd
from tests.live.asking import status
from tests.live.daemon import (
    DEADLINE,
    SITE,
    Daemon,
    await_end,
    daemon,
    is_alive,
    read_all,
    wait_for,
)
from tests.live.listening import ask_unix
from tests.live.masters import Masters, masters
from tests.live.scene import Scene, await_closed, busy, open_fds, processes_with, refuses, timeouts
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


def test_O3_M20_totals_outlive_an_upgrade() -> None:
    with masters() as followed:
        running = followed.running
        running.write("www/page", "page")
        running.script("hello.sh", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n")
        for path in ("/page", "/page", "/cgi-bin/hello.sh"):
            assert running.get(path).status == 200
        assert running.reload()
        wait_for(lambda: counts(running)[:2] == (3, 1), "all is counted")
        wait_for(lambda: counts(running)[2:] == (2, 1), "who drained is gone")
        (old, reloads) = (counts(running), status(running)["reloads"]["taken"])
        followed.upgrade()
        assert counts(running)[:2] == old[:2]
        followed.await_alone()
        assert counts(running) == (3, 1, 4, 2)
        assert status(running)["reloads"]["taken"] == reloads == 1
        assert running.get("/page").status == 200
        wait_for(lambda: counts(running)[0] == 4, "what is asked now comes on top")


def counts(running: Daemon) -> tuple[int, ...]:
    totals = status(running)["totals"]
    return tuple(totals[x] for x in ("requests", "started", "ended_workers", "ended_spawners"))


def test_M20_a_log_to_stdout_goes_on() -> None:
    with masters(SITE.replace('"access.log"', '"stdout"')) as followed:
        followed.running.write("www/page", "page")
        followed.upgrade()
        followed.await_alone()
        followed.running.get("/page?after")
        followed.running.await_log('"GET /page?after HTTP/1.1" 200 ')


def test_M8_M20_a_reload_that_fails_for_what_was_installed_meanwhile_says_so(
    tmp_path: Path,
) -> None:
    """Not all of a reader is in the master's memory; the rest it would have of another version."""
    shutil.copytree(Path(forkhttpd.__file__).parent, tmp_path / "forkhttpd")
    with daemon(start=False) as running:
        running.env = {"PYTHONPATH": str(tmp_path)}
        running.start()
        new = tmp_path / "forkhttpd/config/load.new"
        new.write_text("from forkhttpd.config.source import Sauce\n")
        new.rename(tmp_path / "forkhttpd/config/load.py")
        assert not running.reload(f"{running.config.read_text()}\n# changed")
        assert "cannot import name 'Sauce'" in running.log
        assert "another version has been installed since the start: upgrade" in running.log
