"""`forkhttpd status`: what the master says of itself and its children (O3)."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from forkhttpd.inquiry import NoAnswer, ask
from tests.live.asking import control, status
from tests.live.client import get, open_client
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, wait_for
from tests.live.scene import busy, open_fds

SLEEPER = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho begun\nexec sleep 60\n"


def show(running: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `forkhttpd status`."""
    return subprocess.run(
        [sys.executable, "-m", "forkhttpd", "status", "-c", str(running.config), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd="/",
    )


def test_O3_it_says_who_there_is_and_what_they_do() -> None:
    with busy() as scene:
        running = scene.running
        found = wait_for(lambda: at_work(running), "three clients and a program")
        assert found["master"]["pid"] == running.process.pid
        assert (found["master"]["state"], found["master"]["generation"]) == ("serving", 1)
        assert {one["pid"] for one in found["workers"]} == {one.pid for one in running.workers()}
        assert [one["number"] for one in found["workers"]] == [1, 2]
        assert {one["state"] for one in found["workers"]} == {"ready"}
        assert sum(one["in_flight"] for one in found["workers"]) == 2
        assert found["totals"]["requests"] == 1
        (pool,) = found["pools"]
        counts = {name: pool[name] for name in ("name", "running", "queued", "started")}
        assert counts == {"name": "default", "running": 1, "queued": 0, "started": 1}
        for one in [*found["workers"], pool, found["master"]]:
            assert one["memory"] > 1 << 20
            assert 0 < one["uptime"] < 100
            assert one["cpu"] >= 0


def at_work(running: Daemon) -> dict[str, Any]:
    found = status(running)
    names = ("connections", "in_flight")
    opened, answering = (sum(one[name] for one in found["workers"]) for name in names)
    counts = (opened, answering, found["totals"]["requests"], found["pools"][0]["running"])
    return found if counts == (3, 2, 1, 1) else {}


def test_O3_the_queue_and_those_turned_away_are_counted() -> None:
    config = SITE + "\n[pool.default]\nprocesses = 1\nqueue = 1\n"
    with daemon(config) as running, ThreadPoolExecutor(2) as clients:
        running.script("sleep.sh", SLEEPER)
        for count in (1, 2):
            clients.submit(running.exchange, b"GET /cgi-bin/sleep.sh HTTP/1.0\r\n\r\n")
            wait_for(lambda count=count: waiting(running) == count, "one more")  # type: ignore[misc]
        assert running.get("/cgi-bin/sleep.sh").status == 503
        (pool,) = wait_for(lambda: refusing(running), "the count")
        assert (pool["running"], pool["queued"], pool["refused"]) == (1, 1, 1)
        running.stop(signal.SIGQUIT)


def waiting(running: Daemon) -> int:
    (pool,) = status(running)["pools"]
    return int(pool["running"] + pool["queued"])


def refusing(running: Daemon) -> list[dict[str, int]]:
    pools: list[dict[str, int]] = status(running)["pools"]
    return pools if pools[0]["refused"] else []


def test_O3_totals_outlive_workers_and_spawners(served: Daemon) -> None:
    served.write("www/page", "page")
    served.script("hello.sh", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n")
    for _ in range(5):
        assert served.get("/page").text == "page"
    assert served.get("/cgi-bin/hello.sh").text == "hello\n"
    before = wait_for(lambda: counted(served, 6), "six requests")
    assert served.reload()
    wait_for(lambda: status(served)["totals"]["ended_workers"] == 2, "the end of the old workers")
    wait_for(lambda: status(served)["totals"]["ended_spawners"] == 1, "the end of the old spawner")
    after = status(served)["totals"]
    assert (after["requests"], after["bytes"], after["started"]) == before


def counted(running: Daemon, requests: int) -> tuple[int, int, int] | None:
    totals = status(running)["totals"]
    found = (totals["requests"], totals["bytes"], totals["started"])
    return found if totals["requests"] >= requests else None


def test_O3_who_leaves_in_the_middle_of_requests_has_counted_them_all() -> None:
    """A worker shows what it has counted every 10 ms, in which many requests have room."""
    with daemon(SITE.replace("workers = 2", "workers = 1")) as running:
        running.write("www/page", "page")
        asked = 0
        for left in range(1, 6):
            asked += ask_through_a_reload(running)
            wait_for(lambda: totals(running)["ended_workers"] == left, "its end")  # noqa: B023
            assert totals(running)["requests"] == asked


def ask_through_a_reload(running: Daemon) -> int:
    """Ask without a pause until the worker leaves, and be gone before it; return how often."""
    asked = 1
    with ThreadPoolExecutor(1) as beside:
        with open_client(running) as client:
            client.ask(get("/page"))
            verdict = beside.submit(running.reload)
            while client.ask(get("/page")).fields.get("connection") != "close":
                asked += 1
        assert verdict.result()
    return asked + 1


def totals(running: Daemon) -> dict[str, float]:
    found: dict[str, float] = status(running)["totals"]
    return found


def test_O3_in_a_pipe_it_is_plain_and_on_a_terminal_coloured_unless_NO_COLOR(
    served: Daemon,
) -> None:
    page = show(served).stdout
    assert "\x1b" not in page
    titles = [line for line in page.splitlines() if line.startswith(("WORKER ", "POOL "))]
    assert len(titles) == 2
    command = f"{sys.executable} -m forkhttpd status -c {served.config}"
    for variable, escapes in (("X", True), ("NO_COLOR", False)):
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={**os.environ, "TERM": "xterm", variable: "1"},
            cwd="/",
        )
        assert "serving" in done.stdout
        assert ("\x1b[32mserving\x1b[0m" in done.stdout) is escapes


def test_O3_watching_repeats_until_interrupted(served: Daemon) -> None:
    command = [sys.executable, "-m", "forkhttpd", "status", "-c", str(served.config)]
    with subprocess.Popen(
        [*command, "--watch", "--json"], stdout=subprocess.PIPE, text=True, cwd="/"
    ) as watcher:
        assert watcher.stdout
        pages = [json.loads(watcher.stdout.readline()) for _ in range(3)]
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(DEADLINE) == -signal.SIGINT
    times = [page["master"]["uptime"] for page in pages]
    assert times == sorted(set(times))


def test_O3_the_socket_is_the_owners_alone_and_goes_with_the_master() -> None:
    with daemon() as running:
        mode = control(running).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert running.stop() == 0
        assert not control(running).exists()
        done = show(running)
        assert done.returncode == 69
        assert "is forkhttpd running?" in done.stderr


def test_O3_what_a_killed_master_left_is_taken_over() -> None:
    with daemon() as running:
        running.send_signal(signal.SIGKILL)
        running.process.wait(DEADLINE)
        with pytest.raises(NoAnswer):
            status(running)
        running.start()
        assert status(running)["master"]["pid"] == running.process.pid


def test_O3_without_a_place_for_the_socket_there_is_none_and_that_is_said() -> None:
    with daemon(SITE.replace('pid_file = "forkhttpd.pid"', "")) as running:
        done = show(running)
        assert done.returncode == 78
        assert "control_socket: there is none" in done.stderr


def test_O3_it_answers_though_the_file_went_wrong_since() -> None:
    with daemon() as running:
        running.write("forkhttpd.conf", SITE.replace("workers = 2", "workers = -2"))
        assert show(running).returncode == 0


def test_O3_a_reload_moves_the_socket_and_a_file_in_its_place_is_left_alone() -> None:
    with daemon() as running:
        running.write("precious", "text")
        for place, is_there in (("moved", True), ("precious", False)):
            assert running.reload(f'control_socket = "{place}"\n' + SITE)
            assert not control(running).exists()
            assert stat.S_ISSOCK((running.directory / place).lstat().st_mode) is is_there
        assert (running.directory / "precious").read_text() == "text"
        running.await_log("precious is no socket")


def test_O3_a_path_too_long_for_an_address_is_no_problem() -> None:
    place = "/".join(["d" * 60] * 3)
    with daemon(SITE, start=False) as running:
        running.write(f"{place}/file", "")
        running.write("forkhttpd.conf", f'control_socket = "{place}/x"\n' + SITE)
        running.start()
        path = running.directory / place / "x"
        assert len(str(path)) > 150
        assert ask(path, "status", patience=DEADLINE)["master"]["pid"] == running.process.pid


# Clients that do not behave.


def test_O3_slow_and_many_clients_are_dropped_and_hold_up_nobody(served: Daemon) -> None:
    before = open_fds(served.process.pid)
    idle = [connect(served) for _ in range(40)]
    try:
        dropped = [one for one in idle if is_closed(one)]
        assert len(dropped) >= 40 - 16
        assert served.reload()
        wait_for(lambda: all(map(is_closed, idle)), "the slow ones to be dropped")
    finally:
        for one in idle:
            one.close()
    assert status(served)["master"]["pid"] == served.process.pid
    wait_for(lambda: open_fds(served.process.pid) <= before + 1, "no descriptor left")


@pytest.mark.parametrize("data", [b"x" * 65, b"\0\n", b"status\nstatus\n", b"\xff\n", b"stat"])
def test_O3_what_is_no_request_gets_an_error_or_nothing(served: Daemon, data: bytes) -> None:
    with connect(served) as one:
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        answer = one.makefile("rb").read()
    assert answer == b"" or list(json.loads(answer)) == ["error"] or data.startswith(b"status\n")


def connect(running: Daemon) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(DEADLINE)
    one.connect(str(control(running)))
    return one


def is_closed(one: socket.socket) -> bool:
    try:
        return one.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
