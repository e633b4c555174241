"""The master as a process: start, stop, respawn, scale, and what it leaves behind."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.master.live import await_that, is_alive, serving, started

# Start.


def test_it_says_where_it_listens_and_when_it_is_ready(tmp_path: Path) -> None:
    with serving(tmp_path, workers=3) as live:
        lines = [line.split("]: ", 1)[1] for line in live.log().splitlines() if " info " in line]
        assert lines == [
            f"listening on http://127.0.0.1:{live.port()}/",
            "ready: 3 workers, 1 spawner",
        ]
        assert len(live.children()) == 4


def test_the_processes_have_titles(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as live:
        titles = {
            Path(f"/proc/{pid}/cmdline").read_bytes().strip(b"\0 ").decode()
            for pid in [live.pid, *live.children()]
        }
        assert titles == {
            f"forkhttpd: master [{live.conf}]",
            "forkhttpd: worker 1",
            "forkhttpd: spawner [default]",
        }


def test_every_child_is_ready_before_the_master_is(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        before = live.log().split("]: ready: ")[0]
        assert before.count(" is ready") == 3


def test_children_keep_nothing_that_is_not_theirs(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with serving(tmp_path, workers=2, pid_file=pid_file) as live:
        pid, _, _ = live.ask()
        kept = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert str(pid_file) not in kept
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        lifelines = [link for link in kept if link.startswith("pipe:")]
        modes = {
            Path(f"/proc/{pid}/fdinfo/{fd}").read_text().split("flags:\t")[1][:8]
            for fd in os.listdir(f"/proc/{pid}/fd")
            if os.readlink(f"/proc/{pid}/fd/{fd}") in lifelines
        }
        assert {int(mode, 8) & os.O_ACCMODE for mode in modes} == {os.O_RDONLY}


def test_children_start_with_TERM_QUIT_and_HUP_blocked_and_the_rest_open(tmp_path: Path) -> None:
    with serving(tmp_path, manners="stuck steady", workers=1) as live:
        worker = live.children()[-1]
        status = Path(f"/proc/{worker}/status").read_text()
        blocked = int(re.findall(r"SigBlk:\s+(\w+)", status)[0], 16)
        names = {one for one in signal.Signals if blocked >> (one - 1) & 1}
        assert names == {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP}
        ignored = int(re.findall(r"SigIgn:\s+(\w+)", status)[0], 16)
        assert ignored >> (signal.SIGINT - 1) & 1


MOUNTS = """
mount --make-rprivate / && mount -o remount,ro,bind / && mount -t tmpfs -o ro none /dev/shm
exec "$@"
"""
READ_ONLY = ("unshare", "--mount", "sh", "-e", "-c", MOUNTS, "sh")


def may_mount() -> bool:
    return subprocess.run([*READ_ONLY, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs a mount name space of its own")
def test_M4_it_serves_where_every_file_system_is_read_only(tmp_path: Path) -> None:
    with serving(tmp_path, wrapper=READ_ONLY) as live:
        root = f"/proc/{live.pid}/root"
        with pytest.raises(OSError, match="Read-only file system"):
            Path(f"{root}{tmp_path}/probe").touch()
        assert live.ask()[1] == 1
        live.signal(signal.SIGHUP)
        live.await_log("]: reloaded: ")
        live.signal(signal.SIGTERM)
        assert live.wait() == 0


# Stop.

HASTY = '[pool.default]\nkill_grace = "10ms"'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_asked_to_stop_it_leaves_with_0_and_nothing_of_it_stays(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path) as live:
        children = live.children()
        live.signal(number)
        assert live.wait() == 0
        assert not any(is_alive(pid) for pid in children)


def test_a_terminals_INT_reaches_everybody_and_the_master_decides(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        os.killpg(live.pid, signal.SIGINT)
        assert live.wait() == 0
        assert " died: SIGINT" not in live.log()


def test_the_port_is_free_as_soon_as_a_stop_begins(tmp_path: Path) -> None:
    with serving(tmp_path, manners="steady stubborn", graceful="60s") as live:
        port = live.port()
        live.signal(signal.SIGTERM)
        live.await_log("worker 2")

        def refused() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) != 0

        await_that(refused)
        assert live.process.poll() is None
        live.signal(signal.SIGINT)
        assert live.wait() == 0


def test_who_does_not_stop_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, manners="deaf deaf", graceful="200ms", extra=HASTY) as live:
        live.signal(signal.SIGTERM)
        assert live.wait() == 0
        assert "had not drained in time: SIGQUIT" in live.log()
        assert "did not stop: SIGKILL" in live.log()


def test_TERM_during_the_start_is_a_stop(tmp_path: Path) -> None:
    with started(tmp_path, manners="slow slow", start="1s") as live:
        await_that(lambda: len(live.children()) == 3)
        live.signal(signal.SIGTERM)
        assert live.wait() == 0


# Death.


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        pid, _, _ = live.ask()
        os.kill(pid, signal.SIGKILL)
        live.await_log(f"(pid {pid}) died: SIGKILL, respawned")
        live.await_log(" is ready", times=4)
        assert len(live.children()) == 3
        assert live.ask()[0] != pid


def test_M2_what_a_dead_spawner_left_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, manners="steady prolific") as live:
        spawner = next(pid for pid in live.children() if "spawner" in title(pid))
        await_that(lambda: len(sleepers(spawner)) == 2)
        programs = sleepers(spawner)
        os.kill(spawner, signal.SIGKILL)
        await_that(lambda: not any(is_alive(pid) for pid in programs))
        live.await_log("spawner [default] (pid", times=3)
        assert live.process.poll() is None


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def sleepers(spawner: int) -> list[int]:
    """The programs that this spawner started, wherever they hang in the tree."""
    mark = f"MARK={spawner}".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.append(int(name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def test_M3_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, manners="stuck steady", workers=1, heartbeat="500ms") as live:
        live.await_log("gave no sign of life: SIGABRT")
        live.await_log("gave no sign of life, respawned")
        assert "Fatal Python error: Aborted" in live.log()
        assert "in _stuck" in live.log()


def test_M1_without_its_master_nobody_stays(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        port, children = live.port(), live.children()
        live.signal(signal.SIGKILL)
        live.wait()
        await_that(lambda: not any(is_alive(pid) for pid in children))
        with socket.socket() as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bind(("127.0.0.1", port))
            successor.listen()


def test_M12_a_crash_loop_at_the_start_ends_with_70_and_one_reason(tmp_path: Path) -> None:
    with started(tmp_path, manners="failing steady") as live:
        assert live.wait() == 70
        assert live.log().count("cannot start: ") == 1
        assert "LookupError: nothing works today (5 attempts, none was ever ready)" in live.log()
        assert len(live.log().splitlines()) < 20


def test_M12_a_child_that_knows_why_it_cannot_run_ends_the_start_at_once(tmp_path: Path) -> None:
    with started(tmp_path, manners="refusing steady") as live:
        assert live.wait() == 78
        errors = [line for line in live.log().splitlines() if " error " in line]
        assert len(errors) == 1
        assert 'user = "nobody-here": there is no such user' in errors[0]


def test_a_child_that_is_never_ready_ends_the_start(tmp_path: Path) -> None:
    with started(tmp_path, manners="slow steady", start="100ms", workers=1) as live:
        assert live.wait() == 70
        assert "was not ready in time (5 attempts, none was ever ready)" in live.log()


# Scale and logs.


def test_M19_TTIN_and_TTOU_change_the_number_of_workers(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as live:
        live.signal(signal.SIGTTIN)
        await_that(lambda: len(live.children()) == 3)
        live.await_log("is ready", times=3)
        live.signal(signal.SIGTTOU)
        await_that(lambda: len(live.children()) == 2)


def test_M15_USR1_moves_everybody_to_the_new_files(tmp_path: Path) -> None:
    access, error = tmp_path / "access.log", tmp_path / "error.log"
    with started(tmp_path, workers=1, access=access, error=error) as live:
        await_that(lambda: error.exists() and "ready: " in error.read_text())
        port = int(re.findall(r"127.0.0.1:(\d+)/", error.read_text())[0])
        live.ask(port)
        access.rename(tmp_path / "access.1")
        error.rename(tmp_path / "error.1")
        live.signal(signal.SIGUSR1)
        await_that(lambda: error.exists() and "logs reopened" in error.read_text())

        def written() -> bool:
            live.ask(port)
            return access.exists() and access.stat().st_size > 0

        await_that(written)
        worker = live.children()[-1]
        opened = {os.readlink(f"/proc/{worker}/fd/{fd}") for fd in os.listdir(f"/proc/{worker}/fd")}
        assert {str(access), str(error)} <= opened
        assert not {one for one in opened if one.endswith((".1", "(deleted)")) and "log" in one}
