"""M20: USR2, over small children: who says what to whom, and what is handed on."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from forkhttpd.master.pidfile import holder
from tests.master.live import Live, await_that, children_of, is_alive, serving, write_conf
from tests.master.manager import manager


def new_master(live: Live, *, after: int = 0) -> int:
    """Wait until a new master has taken over from `after`, or the first one; return its pid."""
    old = after or live.pid
    await_that(lambda: f"master[{old}]: new master (pid " in live.log(), live.log())
    line = next(x for x in live.log().splitlines() if f"master[{old}]: new master (pid " in x)
    pid = int(line.split("new master (pid ")[1].split(")")[0])
    await_that(lambda: f"master[{pid}]: ready: " in live.log(), live.log())
    return pid


def upgraded(live: Live, *, old: int = 0) -> int:
    """Upgrade, and wait until the old master has left; return the new one's pid."""
    old = old or live.pid
    os.kill(old, signal.SIGUSR2)
    pid = new_master(live, after=old)
    live.await_log(f"master[{pid}]: the old master has left")
    return pid


def test_M20_a_new_master_serves_on_the_very_socket_and_the_old_one_leaves(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with serving(tmp_path, pid_file=pid_file) as live:
        port, old = live.port(), live.children()
        early = socket.create_connection(("127.0.0.1", port))
        pid = upgraded(live)
        assert live.wait() == 0
        assert not any(is_alive(one) for one in old)
        assert pid_file.read_text() == f"{pid}\n"
        assert holder(pid_file) == pid
        assert live.port() == port
        assert live.ask(port)[0] in children_of(pid)
        with early:
            assert early.recv(100)


def test_M20_it_can_reload_and_be_upgraded_again_and_again(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with serving(tmp_path, pid_file=pid_file) as live:
        port, pid, fds = live.port(), live.pid, []
        for _ in range(4):
            pid = upgraded(live, old=pid)
            os.kill(pid, signal.SIGHUP)
            live.await_log(f"master[{pid}]: reloaded: ")
            await_that(lambda: len(children_of(pid)) == 3)  # noqa: B023
            await_that(lambda: live.ask(port)[1] == 2)
            assert holder(pid_file) == pid
            fds.append(len(os.listdir(f"/proc/{pid}/fd")))
        assert len(set(fds)) == 1, fds
        os.kill(pid, signal.SIGTERM)
        await_that(lambda: not is_alive(pid))
        assert not pid_file.exists()


def test_M20_a_listener_that_the_new_file_has_not_is_closed_and_a_new_one_is_bound(
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one.sock", tmp_path / "two.sock"
    with serving(tmp_path, addresses=("127.0.0.1:0", f"unix:{one}")) as live:
        write_conf(live.conf, addresses=("127.0.0.1:0", f"unix:{two}"))
        upgraded(live)
        assert two.is_socket()
        assert not one.exists()


def test_M20_a_unix_socket_stays_for_the_new_master_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with serving(tmp_path, addresses=(f"unix:{path}",)) as live:
        inode = path.stat().st_ino
        pid = upgraded(live)
        assert path.stat().st_ino == inode
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            assert connection.recv(100)
        os.kill(pid, signal.SIGTERM)
        await_that(lambda: not is_alive(pid))
        assert not path.exists()


def test_M20_a_unix_socket_stays_for_the_old_master_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with serving(tmp_path, addresses=(f"unix:{path}",)) as live:
        write_conf(live.conf, addresses=(f"unix:{path}",), manners="refusing steady")
        live.signal(signal.SIGUSR2)
        live.await_log("upgrade refused, nothing changed: ")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            assert connection.recv(100)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"extra": "nonsense"}, "small.conf:"),
        ({"manners": "refusing steady"}, "there is no such user"),
        ({"manners": "failing steady"}, "LookupError: nothing works today"),
        ({"manners": "steady slow", "start": "50ms"}, "was not ready in time"),
        ({"error": "/nonexistent/log"}, "/nonexistent/log"),
    ],
)
def test_M20_a_new_master_that_cannot_serve_changes_nothing(
    tmp_path: Path, facts: dict[str, Any], reason: str
) -> None:
    pid_file = tmp_path / "pid"
    with serving(tmp_path, pid_file=pid_file) as live:
        children, fds = live.children(), live.fds()
        write_conf(live.conf, **{"pid_file": pid_file, **facts})
        live.signal(signal.SIGUSR2)
        live.await_log("upgrade refused, nothing changed: new master (pid ")
        (line,) = [x for x in live.log().splitlines() if f" error master[{live.pid}]" in x]
        assert reason in line
        await_that(lambda: live.children() == children)
        assert holder(pid_file) == live.pid
        assert live.ask()[1] == 1
        await_that(lambda: live.fds() == fds)
        write_conf(live.conf, pid_file=pid_file)
        upgraded(live)


def test_M20_a_TERM_while_the_old_master_drains_ends_both_when_both_are_done(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, manners="stubborn steady", graceful="2s") as live:
        live.signal(signal.SIGUSR2)
        pid = new_master(live)
        os.kill(pid, signal.SIGTERM)
        live.await_log(f"master[{live.pid}]: stopping: what is running may finish")
        assert live.wait() == 0
        await_that(lambda: not is_alive(pid))
        log = live.log()
        assert "had not drained in time: SIGQUIT" in log


def test_M20_the_new_master_takes_over_from_one_that_was_killed_too_early(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with serving(tmp_path, pid_file=pid_file, env={"SCRATCH": str(tmp_path)}) as live:
        port, children = live.port(), set(live.children())
        write_conf(live.conf, pid_file=pid_file, manners="tardy steady")
        live.signal(signal.SIGUSR2)
        (nurse,) = await_that(lambda: set(live.children()) - children)
        (pid,) = await_that(lambda: children_of(nurse))
        await_that(lambda: children_of(pid))
        live.signal(signal.SIGKILL)
        live.wait()
        (tmp_path / "go").touch()
        live.await_log(f"master[{pid}]: ready: ")
        assert holder(pid_file) == pid
        assert live.ask(port)[1] == 1


def test_M20_sockets_of_systemd_keep_their_names(tmp_path: Path) -> None:
    addresses = ("systemd:web",)
    with (
        manager(tmp_path) as systemd,
        socket.create_server(("127.0.0.1", 0)) as web,
        systemd.started(tmp_path, given=[("web", web)], addresses=addresses) as live,
    ):
        live.await_log("ready: ")
        port = web.getsockname()[1]
        pid = upgraded(live)
        pid = upgraded(live, old=pid)
        assert live.ask(port)[0] in children_of(pid)
        os.kill(pid, signal.SIGHUP)
        live.await_log(f"master[{pid}]: reloaded: ")


# The service manager.


def test_M20_MAINPID_comes_from_the_old_master_and_all_after_it_from_the_new_one(
    tmp_path: Path,
) -> None:
    with manager(tmp_path) as systemd, systemd.started(tmp_path, env={"FDSTORE": "4"}) as live:
        systemd.hear_until("READY")
        stored = dict(systemd.stored)
        live.signal(signal.SIGUSR2)
        *before, named = systemd.hear_until("MAINPID")
        assert {said.pid for said in before} <= {live.pid}
        assert [said.words for said in before] == [{"STATUS": "upgrading"}]
        assert named.pid == live.pid
        pid = int(named.words["MAINPID"])
        after = systemd.hear_until("READY")
        assert {said.pid for said in after} == {pid}
        assert after[-1].words["STATUS"] == "serving: 2 workers, 1 spawner, generation 1"
        assert systemd.stored == stored
        live.await_log(f"master[{pid}]: the old master has left")
        os.kill(pid, signal.SIGTERM)
        heard = systemd.hear_until("STATUS", "stopping: 0 workers, 0 spawners")
        assert {said.pid for said in heard} == {pid}


def test_M20_a_new_master_that_fails_was_never_heard(tmp_path: Path) -> None:
    with manager(tmp_path) as systemd, systemd.started(tmp_path) as live:
        systemd.hear_until("READY")
        write_conf(live.conf, manners="refusing steady")
        live.signal(signal.SIGUSR2)
        heard = systemd.hear_until("STATUS", "upgrade refused, nothing changed: ")
        assert {said.pid for said in heard} == {live.pid}
        assert "there is no such user; serving: 2 workers" in (
            heard[-1].words["STATUS"].replace("exited", "")
        )


def test_M20_the_watchdog_waits_for_the_new_master_from_then_on(tmp_path: Path) -> None:
    # A message a second: READY must find room where ten may wait (net.unix.max_dgram_qlen).
    env = {"WATCHDOG_USEC": "2000000"}
    with manager(tmp_path) as systemd, systemd.started(tmp_path, env=env) as live:
        assert systemd.hear_until("WATCHDOG")[-1].pid == live.pid
        live.signal(signal.SIGUSR2)
        pid = systemd.hear_until("READY")[-1].pid
        assert pid == new_master(live)
        for _ in range(3):
            assert systemd.hear_until("WATCHDOG")[-1].pid == pid


def test_M10_a_master_that_hangs_does_not_feed_the_watchdog(tmp_path: Path) -> None:
    env = {"WATCHDOG_USEC": "200000"}
    with manager(tmp_path) as systemd, systemd.started(tmp_path, env=env) as live:
        systemd.hear_until("WATCHDOG")
        live.signal(signal.SIGSTOP)
        await_that(lambda: ") T " in Path(f"/proc/{live.pid}/stat").read_text())
        while systemd.is_spoken_to(within=0.0):
            systemd.hear()
        assert not systemd.is_spoken_to(within=1.0)
        live.signal(signal.SIGCONT)
        systemd.hear_until("WATCHDOG")


def test_M10_systemd_hears_READY_RELOADING_and_STOPPING(tmp_path: Path) -> None:
    with manager(tmp_path) as systemd, systemd.started(tmp_path) as live:
        (ready,) = systemd.hear_until("READY")
        assert ready.words["STATUS"] == "serving: 2 workers, 1 spawner, generation 1"
        live.reload()
        (reloading,) = systemd.hear_until("RELOADING")
        assert int(reloading.words["MONOTONIC_USEC"]) > 0
        systemd.hear_until("READY", "1")
        systemd.hear_until("STATUS", "serving: 2 workers, 1 spawner, generation 2")
        live.reload(extra="nonsense")
        systemd.hear_until("RELOADING")
        refused = systemd.hear_until("READY")[-1]
        assert refused.words["STATUS"].startswith("reload refused, nothing changed: ")
        live.signal(signal.SIGTERM)
        stopping = systemd.hear_until("STOPPING")[-1]
        assert int(stopping.words["EXTEND_TIMEOUT_USEC"]) > 10_000_000
        assert stopping.words["STATUS"] == "stopping: 2 workers, 1 spawner left"
        assert live.wait() == 0
