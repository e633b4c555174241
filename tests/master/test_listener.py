"""Listening sockets, real ones."""

import os
import pwd
import socket
import stat
from pathlib import Path

import pytest

from forkhttpd.config import Address, Listen
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.master.listener import Activation, Listener, open_listener
from forkhttpd.worker.acceptor import endpoint

LOOPBACK = Address("inet", "127.0.0.1", 0)


def listen(address: Address, *, activation: Activation | None = None) -> Listener:
    return open_listener(Listen(address=address, backlog=16), activation or {})


def refusal(address: Address, *, activation: Activation | None = None) -> str:
    with pytest.raises(StartupError) as caught:
        listen(address, activation=activation)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    return str(caught.value)


def test_port_0_is_the_kernels_choice_and_the_url_says_which() -> None:
    listener = listen(LOOPBACK)
    (one,) = listener.sockets
    assert listener.urls() == [f"http://127.0.0.1:{one.getsockname()[1]}/"]
    listener.close()


def test_it_is_non_blocking_and_not_inheritable() -> None:
    listener = listen(LOOPBACK)
    (one,) = listener.sockets
    assert not one.getblocking()
    assert not one.get_inheritable()
    listener.close()


def test_a_connection_inherits_TCP_NODELAY_from_its_listener() -> None:
    listener = listen(LOOPBACK)
    (one,) = listener.sockets
    with socket.create_connection(one.getsockname()):
        accepted, _ = one.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    listener.close()


def test_every_IPv6_address_leaves_IPv4_to_others() -> None:
    four = listen(Address("inet", "0.0.0.0", 0))
    port = four.sockets[0].getsockname()[1]
    six = listen(Address("inet6", "::", port))
    assert six.urls() == [f"http://[::]:{port}/"]
    six.close()
    four.close()


def test_one_socket_takes_clients_of_both_kinds() -> None:
    listener = listen(Address("dual", "::", 0))
    (one,) = listener.sockets
    port = one.getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port)):
            accepted, address = one.accept()
            accepted.close()
            assert endpoint(address).host == host
    listener.close()


def test_an_address_in_use_is_refused_by_the_name_of_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = refusal(Address("inet", "127.0.0.1", port))
    assert words.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use by ")


def test_an_address_that_no_interface_has_says_so() -> None:
    assert "no interface of this machine" in refusal(Address("inet", "192.0.2.1", 0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


def unix(path: Path) -> Address:
    return Address("unix", str(path))


def test_a_unix_socket_is_there_for_everybody_and_gone_after(path: Path) -> None:
    listener = listen(unix(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert listener.urls() == [f"unix:{path}"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
    listener.close()
    assert not path.exists()


def test_a_socket_that_a_killed_server_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    listener = listen(unix(path))
    listener.close()


def test_a_socket_that_somebody_listens_on_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        inode = path.stat().st_ino
        assert "Address already in use" in refusal(unix(path))
        assert path.stat().st_ino == inode


def test_a_file_is_never_taken_for_a_stale_socket(path: Path) -> None:
    path.write_text("precious")
    assert "Address already in use" in refusal(unix(path))
    assert path.read_text() == "precious"


def test_closing_leaves_a_socket_that_somebody_else_has_made_since(path: Path) -> None:
    listener = listen(unix(path))
    path.unlink()
    successor = listen(unix(path))
    listener.close()
    assert path.exists()
    successor.close()


def test_a_directory_that_is_missing_says_what_to_do(tmp_path: Path) -> None:
    words = refusal(unix(tmp_path / "nowhere" / "socket"))
    assert words.endswith(
        "No such file or directory; the directory must exist and be ours to write to"
    )


def test_an_abstract_name_leaves_no_file() -> None:
    name = f"@forkhttpd-test-{os.getpid()}"
    listener = listen(Address("unix", name))
    assert listener.urls() == [f"unix:{name}"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + name[1:])
    listener.close()


def test_a_socket_of_systemd_is_shared_and_survives_our_closing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        address = Address("systemd", "web")
        listener = listen(address, activation={"web": [given]})
        assert os.fstat(listener.sockets[0].fileno()).st_ino == os.fstat(given.fileno()).st_ino
        listener.close()
        with socket.create_connection(given.getsockname()):
            pass


def test_a_socket_that_systemd_has_not_passed_says_which_it_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        words = refusal(Address("systemd", "web"), activation={"www": [given]})
    assert "(but www)" in words


def rights(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def test_a_unix_socket_has_the_mode_that_is_asked_for_and_takes_another(path: Path) -> None:
    address = Address("unix", str(path))
    listener = open_listener(Listen(address=address, mode="600"), {})
    assert rights(path)[0] == 0o600
    listener.tune(Listen(address=address, mode="660", backlog=5))
    assert rights(path)[0] == 0o660
    listener.close()


def test_what_took_the_place_of_a_socket_is_left_as_it_is(path: Path, tmp_path: Path) -> None:
    address = Address("unix", str(path))
    listener = open_listener(Listen(address=address), {})
    path.unlink()
    other = tmp_path / "other"
    other.touch(mode=0o600)
    path.symlink_to(other)
    with pytest.raises(OSError, match="on non-socket"):
        listener.tune(Listen(address=address, mode="666"))
    assert rights(other)[0] == 0o600
    listener.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_unix_socket_has_the_owner_and_the_group_that_are_asked_for(path: Path) -> None:
    address = Address("unix", str(path))
    nobody = pwd.getpwnam("nobody")
    listener = open_listener(Listen(address=address, owner="nobody", group="4"), {})
    assert rights(path)[1:] == (nobody.pw_uid, 4)
    listener.tune(Listen(address=address, owner="nobody"))
    assert rights(path)[1:] == (nobody.pw_uid, nobody.pw_gid)
    listener.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can give a file away")
def test_who_cannot_give_a_socket_away_is_told_and_leaves_no_file(path: Path) -> None:
    with pytest.raises(StartupError, match="only root"):
        open_listener(Listen(address=Address("unix", str(path)), owner="nobody"), {})
    assert not path.exists()
