"""A reload, as the processes of a small server see it (M7, M8, M14)."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.master.live import Live, await_that, is_alive, serving, write_conf


def test_a_reload_swaps_generations(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        old = live.children()
        live.reload(workers=3)
        assert live.ask()[1] == 2
        await_that(lambda: not any(is_alive(pid) for pid in old))
        await_that(lambda: len(live.children()) == 4)


def test_M7_an_address_that_stays_keeps_its_very_socket(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        inode = listening_inode(live)
        live.reload()
        assert listening_inode(live) == inode


def listening_inode(live: Live) -> str:
    port = f":{live.port():04X} "
    lines = Path("/proc/net/tcp").read_text().splitlines()
    (line,) = [line for line in lines if port in line and " 0A " in line]
    return line.split()[9]


def test_M7_addresses_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with serving(tmp_path) as live:
        port = live.port()
        live.reload(addresses=("127.0.0.1:0", f"unix:{path}"))
        assert path.exists()
        assert live.ask(port)[1] == 2
        live.reload(addresses=("127.0.0.1:0",))
        await_that(lambda: not path.exists())
        assert live.ask(port)[1] == 3


def test_M7_a_frozen_worker_does_not_hold_up_a_reload_for_long(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat="2s") as live:
        pid = live.ask()[0]
        os.kill(pid, signal.SIGSTOP)
        live.reload()
        assert re.search(rf"\(pid {pid}\) .*: SIGKILL$", live.log(), re.MULTILINE)
        assert {live.ask()[1] for _ in range(10)} == {2}


def test_M7_an_address_that_is_taken_leaves_the_old_ones_serving(tmp_path: Path) -> None:
    with serving(tmp_path) as live, socket.create_server(("127.0.0.1", 0)) as other:
        children, port = live.children(), live.port()
        live.reload(addresses=("127.0.0.1:0", f"127.0.0.1:{other.getsockname()[1]}"))
        assert "reload refused" in live.log()
        assert f"in use by pid {os.getpid()}" in live.log()
        assert live.ask(port)[1] == 1
        assert live.children() == children


def test_M7_a_key_that_needs_a_restart_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        live.reload(pid_file=tmp_path / "pid")
        live.await_log("needs restart: pid_file")
        assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"extra": "nonsense"}, "small.conf:"),
        ({"manners": "refusing steady"}, "there is no such user"),
        ({"manners": "failing steady"}, "LookupError: nothing works today"),
        ({"manners": "steady slow", "start": "200ms"}, "was not ready in time"),
        ({"error": "/nonexistent/log"}, "/nonexistent/log"),
    ],
)
def test_M8_a_bad_reload_changes_nothing(
    tmp_path: Path, facts: dict[str, str], reason: str
) -> None:
    with serving(tmp_path) as live:
        children, fds = live.children(), live.fds()
        live.reload(**facts)
        refusals = [line for line in live.log().splitlines() if " error " in line]
        assert len(refusals) == 1
        assert "reload refused, nothing changed: " in refusals[0]
        assert reason in refusals[0]
        await_that(lambda: live.children() == children)
        assert live.ask()[1] == 1
        await_that(lambda: live.fds() == fds)
        live.reload()
        assert live.ask()[1] > 1


def test_many_HUPs_at_once_are_few_reloads_and_the_last_one_wins(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        for workers in range(1, 6):
            write_conf(live.conf, workers=workers)
            live.signal(signal.SIGHUP)
        live.await_log("reloaded: 5 workers")
        await_that(lambda: len(live.children()) == 6)


def test_M14_fifty_HUPs_leave_no_descriptor(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as live:
        live.reload(workers=1)
        await_that(lambda: len(live.children()) == 2)
        before = live.fds()
        for _ in range(50):
            live.reload(workers=1)
        await_that(lambda: len(live.children()) == 2)
        # Fewer, if the first reload's old generation was reaped but not yet closed at `before`.
        await_that(lambda: live.fds() <= before, f"{before} descriptors")
        assert len(os.listdir(f"/proc/{live.pid}/task")) == 1


def test_a_reload_under_load_refuses_nobody(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        port, generations = live.port(), set()
        for _ in range(5):
            before = live.verdicts()
            live.signal(signal.SIGHUP)
            while live.verdicts() == before:
                generations.add(live.ask(port)[1])
        assert len(generations) >= 5
