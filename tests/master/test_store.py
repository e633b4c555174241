"""The descriptor store of a service manager: listeners outlive their master in it (M11, M20)."""

import signal
import socket
from pathlib import Path

from tests.master.live import DEADLINE, await_that
from tests.master.manager import manager

STORE = {"FDSTORE": "8"}


def test_M20_a_restart_by_way_of_the_store_refuses_nobody(tmp_path: Path) -> None:
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, env=STORE) as live:
            systemd.hear_until("READY")
            port = live.port()
            assert list(systemd.stored) == ["forkhttpd/listen/127.0.0.1%3A0"]
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        with (
            socket.create_connection(("127.0.0.1", port)) as early,
            systemd.started(tmp_path, env=STORE) as live,
        ):
            live.await_log("ready: ")
            assert live.port() == port
            assert live.ask(port)[1] == 1
            assert early.recv(100).split()[1] == b"1"
            live.reload()
            await_that(lambda: live.ask(port)[1] == 2)


def test_M20_a_killed_master_is_followed_in_the_same_way(tmp_path: Path) -> None:
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, env=STORE) as live:
            systemd.hear_until("READY")
            port, children = live.port(), live.children()
            live.signal(signal.SIGKILL)
            live.wait()
            await_that(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
        with systemd.started(tmp_path, env=STORE) as live:
            live.await_log("ready: ")
            assert live.ask(port)[1] == 1


def test_M20_a_unix_socket_keeps_its_file_while_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, addresses=(f"unix:{path}",), env=STORE) as live:
            systemd.hear_until("READY")
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        with socket.socket(socket.AF_UNIX) as early:
            early.connect(str(path))
            with systemd.started(tmp_path, addresses=(f"unix:{path}",), env=STORE) as live:
                assert early.recv(100).split()[1] == b"1"
                live.await_log("ready: ")
                live.reload(addresses=("127.0.0.1:0",))
                await_that(lambda: not path.exists())
                systemd.hear_until("FDSTOREREMOVE")
                assert f"forkhttpd/listen/unix%3A{path}" not in systemd.stored


def test_M20_a_stored_unix_socket_without_its_file_is_bound_anew(tmp_path: Path) -> None:
    """As a RuntimeDirectory= is cleared between stop and start."""
    path = tmp_path / "http.sock"
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, addresses=(f"unix:{path}",), env=STORE) as live:
            systemd.hear_until("READY")
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        path.unlink()
        with systemd.started(tmp_path, addresses=(f"unix:{path}",), env=STORE) as live:
            live.await_log("ready: ")
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                assert connection.recv(100).split()[1] == b"1"


def test_M11_a_listener_that_is_dropped_leaves_the_store(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        systemd.started(tmp_path, addresses=("127.0.0.1:0", "127.0.0.2:0"), env=STORE) as live,
    ):
        systemd.hear_until("READY")
        assert len(systemd.stored) == 2
        live.reload(addresses=("127.0.0.2:0",))
        (removal,) = [one for one in systemd.hear_until("READY") if "FDNAME" in one.words]
        assert removal.words["FDNAME"] == "forkhttpd/listen/127.0.0.1%3A0"
        assert list(systemd.stored) == ["forkhttpd/listen/127.0.0.2%3A0"]


def test_M11_a_stored_listener_that_the_file_has_no_more_leaves_it_at_the_next_start(
    tmp_path: Path,
) -> None:
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, addresses=("127.0.0.1:0",), env=STORE) as live:
            systemd.hear_until("READY")
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        with systemd.started(tmp_path, addresses=("127.0.0.2:0",), env=STORE) as live:
            live.await_log("ready: ")
            systemd.hear_until("READY")
            assert list(systemd.stored) == ["forkhttpd/listen/127.0.0.2%3A0"]
            assert " warning " not in live.log()


def test_M11_a_store_that_is_too_small_is_told(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        systemd.started(
            tmp_path, addresses=("127.0.0.1:0", "127.0.0.2:0"), env={"FDSTORE": "1"}
        ) as live,
    ):
        systemd.hear_until("READY")
        assert list(systemd.stored) == ["forkhttpd/listen/127.0.0.1%3A0"]
        assert "127.0.0.2:0 is not kept over a restart: the descriptor store has no room" in (
            live.log()
        )


def test_M11_without_a_store_nothing_is_stored_and_files_go(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, addresses=(f"unix:{path}",)) as live:
            heard = systemd.hear_until("READY")
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        assert not [one for one in heard if "FDSTORE" in one.words]
        assert not path.exists()


def test_sockets_of_systemd_are_not_stored_a_second_time(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        socket.create_server(("127.0.0.1", 0)) as web,
        systemd.started(
            tmp_path, given=[("web", web)], addresses=("systemd:web",), env=STORE
        ) as live,
    ):
        systemd.hear_until("READY")
        assert systemd.stored == {}
        assert live.process.poll() is None


def test_M20_a_unix_socket_that_was_made_anew_takes_the_place_of_the_old_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "http.sock"
    with manager(tmp_path) as systemd:
        with systemd.started(tmp_path, addresses=(f"unix:{path}",), env=STORE) as live:
            systemd.hear_until("READY")
            path.unlink()
            live.reload(addresses=(f"unix:{path}",))
            await_that(path.exists)
            systemd.hear_until("FDSTOREREMOVE")
            systemd.hear_until("FDSTORE")
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        with socket.socket(socket.AF_UNIX) as early:
            early.settimeout(DEADLINE)
            early.connect(str(path))
            with systemd.started(tmp_path, addresses=(f"unix:{path}",), env=STORE):
                assert early.recv(100).split()[1] == b"1"
