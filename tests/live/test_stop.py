"""The end that is asked for: TERM lets everything finish, INT and QUIT nothing."""

import signal

import pytest

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
from tests.live.scene import (
    STUBBORN,
    busy,
    processes_with,
    refuses,
    timeouts,
)

# Longer than any test may take: what waits for it fails.
LONG = timeouts(graceful="10m") + '\n[pool.default]\nkill_grace = "10m"\n'

NOW = [signal.SIGINT, signal.SIGQUIT]


def assert_left(running: Daemon) -> None:
    """It has left with 0, and its PID file with it."""
    assert running.process.wait(DEADLINE) == 0
    assert not (running.directory / "forkhttpd.pid").exists()


def test_TERM_lets_a_download_and_a_program_finish() -> None:
    with busy(SITE + LONG) as scene:
        running = scene.running
        family = running.family()
        running.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(running.port), "nobody to listen")
        assert read_all(scene.idle) == b""  # sent away, while the others are not done
        assert running.process.poll() is None
        scene.finish()
        assert_left(running)
        assert not any(is_alive(process) for process in family)


def test_idle_clients_do_not_hold_up_a_stop() -> None:
    with daemon(SITE + timeouts(graceful="10m", idle="10m")) as running:
        running.write("www/page", "page")
        idle = [running.connect() for _ in range(20)]
        for connection in idle[:10]:
            connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert running.stop() == 0
        for connection in idle:
            with connection:
                assert connection.recv(1000) == b""


def test_a_request_at_the_moment_of_a_stop_is_answered() -> None:
    """A client that was about to ask gets its answer, and is told that it was the last."""
    with daemon(SITE + LONG) as running, running.connect() as connection:
        running.write("www/page", "page")
        request = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(request)
        assert b"Connection: close" not in connection.recv(1000)
        running.send_signal(signal.SIGTERM)
        connection.sendall(request)
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"page")
        assert_left(running)


def test_TERM_waits_no_longer_than_graceful() -> None:
    config = SITE + timeouts(graceful="500ms") + '\n[pool.default]\nkill_grace = "100ms"\n'
    with busy(config, script=STUBBORN) as scene:
        family = scene.running.family()
        scene.running.send_signal(signal.SIGTERM)
        assert_left(scene.running)
        assert not processes_with(scene.marker)
        assert not any(is_alive(process) for process in family)


@pytest.mark.parametrize("number", NOW)
def test_INT_and_QUIT_stop_at_once_whatever_runs(number: signal.Signals) -> None:
    with busy(SITE + LONG, script=STUBBORN) as scene:
        family = scene.running.family()
        scene.running.send_signal(number)
        assert_left(scene.running)
        assert not processes_with(scene.marker)
        assert not any(is_alive(process) for process in family)


def test_a_second_TERM_changes_nothing() -> None:
    with busy(SITE + LONG) as scene:
        for _ in range(2):
            scene.running.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses(scene.running.port), "nobody to listen")
        scene.finish()
        assert_left(scene.running)


@pytest.mark.parametrize("number", NOW)
def test_who_has_no_patience_after_TERM_sends_INT_or_QUIT(number: signal.Signals) -> None:
    with busy(SITE + LONG, script=STUBBORN) as scene:
        scene.running.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(scene.running.port), "nobody to listen")
        assert scene.running.process.poll() is None
        scene.running.send_signal(number)
        assert_left(scene.running)
        assert not processes_with(scene.marker)


def test_TERM_after_a_reload_lets_both_generations_finish() -> None:
    with busy(SITE + LONG) as scene:
        running = scene.running
        old = running.workers()
        assert running.reload()
        with running.connect() as later:
            later.sendall(b"GET /cgi-bin/program.sh HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: b"begun\n" in later.recv(1000), "the second program")
            running.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses(running.port), "nobody to listen")
            assert any(is_alive(worker) for worker in old)
            scene.finish()
            assert read_all(later).endswith(b"0\r\n\r\n")
        assert_left(running)
        await_end(old)


def test_HUP_during_a_stop_is_no_reload() -> None:
    with busy(SITE + LONG) as scene:
        scene.running.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(scene.running.port), "nobody to listen")
        scene.running.send_signal(signal.SIGHUP)
        scene.finish()
        assert_left(scene.running)
        assert scene.running.verdicts() == (0, 0)
