"""`-s reload` waits for the verdict, as long as the master lives (O10)."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forkhttpd.inquiry import NoAnswer, ask
from tests.live.asking import control, status
from tests.live.daemon import DEADLINE, SITE, daemon, wait_for


def test_O10_reload_waits_for_the_verdict() -> None:
    with daemon() as running:
        done = running.command("-s", "reload")
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "forkhttpd: reloaded: 2 workers, 1 spawner\n"
        assert running.verdicts() == (1, 0)
        assert status(running)["reloads"]["taken"] == 1


def test_O10_a_file_that_is_wrong_on_its_face_is_refused_before_the_master_is_asked() -> None:
    with daemon() as running:
        running.write("forkhttpd.conf", "workers = 0\n" + SITE.replace("workers = 2\n", ""))
        done = running.command("-s", "reload")
        assert done.returncode == 78
        assert "forkhttpd.conf:1: workers: " in done.stderr
        assert running.verdicts() == (0, 0)


def test_O10_what_only_the_master_finds_out_comes_back_with_its_code() -> None:
    with daemon() as running, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        second = f'\n[[listen]]\naddress = "127.0.0.1:{taken.getsockname()[1]}"\n'
        for addition, code, words in (
            ("[pool.default]\npython = './none'\n", 78, "there is no program"),
            (second, 69, "cannot listen on"),
            ("[pool.default]\npython = './bad'\n", 70, "exited with status 3"),
        ):
            running.write("bad", "#!/bin/sh\nexit 3\n", mode=0o755)
            running.write("forkhttpd.conf", SITE + addition)
            done = running.command("-s", "reload")
            assert (done.returncode, words in done.stderr) == (code, True), done.stderr
            assert "nothing changed" in done.stderr
        found = status(running)
        assert (found["reloads"]["refused"], found["reloads"]["code"]) == (3, 70)
        assert found["master"]["generation"] == 1


def test_O10_who_asks_during_a_reload_waits_for_the_next_one(tmp_path: Path) -> None:
    """Many at once are few reloads, and nobody is told of one that began before they asked."""
    with daemon() as running, ThreadPoolExecutor(8) as clients:
        asked = [
            clients.submit(ask, control(running), "reload", patience=DEADLINE) for _ in range(8)
        ]
        assert {one.result()["code"] for one in asked} == {0}
        assert 1 <= running.verdicts()[0] <= 8
        assert status(running)["reloads"]["taken"] == running.verdicts()[0]


def test_O10_who_waits_for_long_sees_that_the_master_lives() -> None:
    with daemon() as running:
        running.write("slow", '#!/bin/sh\nsleep 1\nexec python3 "$@"\n', mode=0o755)
        running.write("forkhttpd.conf", SITE + '[pool.default]\npython = "./slow"\n')
        assert ask(control(running), "reload", patience=0.7)["code"] == 0


def test_O10_nobody_waits_for_a_master_that_does_nothing() -> None:
    with daemon() as running:
        running.send_signal(signal.SIGSTOP)
        with pytest.raises(NoAnswer) as caught:
            ask(control(running), "reload", patience=0.5)
        assert (caught.value.asked, caught.value.hangs) == (True, True)
        done = running.command("-s", "reload")
        assert done.returncode == 69
        assert "the master answers nobody: it hangs, or somebody has stopped it" in done.stderr
        running.send_signal(signal.SIGCONT)
        assert running.get("/").status == 200


def test_O10_without_a_control_socket_the_signal_is_sent_and_that_is_said() -> None:
    with daemon('control_socket = ""\n' + SITE) as running:
        done = running.command("-s", "reload")
        assert done.returncode == 0
        assert "the log has the verdict" in done.stderr
        running.await_log("]: reloaded: ")


def test_O10_a_stop_while_somebody_waits_is_the_end_of_waiting() -> None:
    slow = '[pool.default]\npython = "./slow"\n[timeouts]\nstart = "1m"\n'
    with daemon() as running, ThreadPoolExecutor(1) as clients:
        running.write("slow", "#!/bin/sh\nexec sleep 60\n", mode=0o755)
        running.write("forkhttpd.conf", SITE + slow)
        waiting = clients.submit(running.command, "-s", "reload")
        wait_for(lambda: status(running)["master"]["state"] == "swapping", "the reload")
        running.stop(signal.SIGQUIT)
        assert waiting.result().returncode == 69
