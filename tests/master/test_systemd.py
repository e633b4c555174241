"""sd_notify over real sockets: what goes out, to the letter."""

import array
import math
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.master.actions import Notice
from forkhttpd.master.herald import EXTENSION
from forkhttpd.master.systemd import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_M10_a_notice_is_one_datagram(tmp_path: Path, abstract: bool) -> None:
    name = f"@forkhttpd-notify-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        env = {"NOTIFY_SOCKET": name}
        notifier = Notifier(env)
        assert env == {}
        assert notifier.tell(Notice.READY, "serving\non all ports")
        assert manager.recv(4096) == b"READY=1\nSTATUS=serving on all ports"
        notifier.close()


def test_M10_a_reload_says_when_it_began_in_the_same_datagram(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        before = time.monotonic_ns() // 1000
        notifier.tell(Notice.RELOADING, "reloading")
        match = re.fullmatch(
            rb"RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=reloading", manager.recv(4096)
        )
        assert match is not None
        assert before <= int(match[1]) <= time.monotonic_ns() // 1000
        notifier.close()


def test_without_a_service_manager_nothing_is_said() -> None:
    notifier = Notifier({})
    assert notifier.fileno() == -1
    assert not notifier.tell(Notice.READY, "serving")
    notifier.close()


def test_a_service_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert not notifier.tell(Notice.STOPPING, "stopping")
    notifier.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end; what it hears can be received at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


@pytest.fixture
def notifier(manager: socket.socket) -> Iterator[Notifier]:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "FDSTORE": "2"})
    yield notifier
    notifier.close()


SAID = {
    Notice.READY: b"READY=1",
    Notice.STOPPING: b"STOPPING=1\nEXTEND_TIMEOUT_USEC=%d" % (EXTENSION * 1e6),
    Notice.ALIVE: b"WATCHDOG=1",
    Notice.BUSY: b"EXTEND_TIMEOUT_USEC=%d" % (EXTENSION * 1e6),
}


@pytest.mark.parametrize("notice", SAID)
def test_M10_what_each_notice_says(
    manager: socket.socket, notifier: Notifier, notice: Notice
) -> None:
    assert notifier.tell(notice)
    assert manager.recv(4096) == SAID[notice]


def test_M10_a_text_alone_is_a_status(manager: socket.socket, notifier: Notifier) -> None:
    assert notifier.tell(Notice.STATUS, "all is well")
    assert manager.recv(4096) == b"STATUS=all is well"


def test_M10_a_long_text_is_cut_below_what_systemd_takes(
    manager: socket.socket, notifier: Notifier
) -> None:
    """It drops datagrams of more than PIPE_BUF bytes whole, and READY=1 with them."""
    assert notifier.tell(Notice.READY, "ü" * 10000)
    heard = manager.recv(100_000)
    assert heard.startswith("READY=1\nSTATUS=üü".encode())
    assert len(heard) < 4096
    assert heard.decode().endswith("ü")


def test_M20_the_new_master_is_named(manager: socket.socket, notifier: Notifier) -> None:
    assert notifier.name_main(4121)
    assert manager.recv(4096) == b"MAINPID=4121"


def test_M11_a_listener_goes_to_the_store_by_its_name(
    manager: socket.socket, notifier: Notifier
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert notifier.store("forkhttpd/listen/x", [listener.fileno()])
        text, ((_, _, data),), _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(4))
        (fd,) = array.array("i", data)
        with socket.socket(fileno=fd) as stored:
            assert stored.getsockname() == listener.getsockname()
    assert text == b"FDSTORE=1\nFDNAME=forkhttpd/listen/x\nFDPOLL=0"
    assert notifier.unstore("forkhttpd/listen/x")
    assert manager.recv(4096) == b"FDSTOREREMOVE=1\nFDNAME=forkhttpd/listen/x"


OWN = str(os.getpid())


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": OWN}, 30.0),
        ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, math.inf),
        ({"WATCHDOG_USEC": "0", "WATCHDOG_PID": OWN}, math.inf),
        ({"WATCHDOG_USEC": "soon", "WATCHDOG_PID": OWN}, math.inf),
        ({"WATCHDOG_PID": OWN}, math.inf),
        ({}, math.inf),
    ],
)
def test_M10_the_watchdog_is_ours_if_it_waits_for_our_pid(
    variables: dict[str, str], seconds: float
) -> None:
    env = {**variables, "OTHER": "stays"}
    notifier = Notifier(env)
    assert notifier.watchdog == seconds
    assert env == {"OTHER": "stays"}
    notifier.close()


@pytest.mark.parametrize(
    ("size", "store_size"), [("64", 64), ("0", 0), ("", 0), ("many", 0), ("-1", 0)]
)
def test_M11_the_store_has_the_size_that_FDSTORE_says(size: str, store_size: int) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": "/nonexistent", "FDSTORE": size})
    assert notifier.store_size == store_size
    notifier.close()
    without_manager = Notifier({"FDSTORE": size})
    assert without_manager.store_size == 0


def test_M20_a_new_master_finds_the_variables_with_its_own_pid() -> None:
    given = {
        "NOTIFY_SOCKET": "@name",
        "FDSTORE": "8",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": OWN,
    }
    notifier = Notifier(dict(given))
    assert notifier.environment(4121) == {**given, "WATCHDOG_PID": "4121"}
    notifier.close()


def test_M20_where_there_is_no_service_manager_there_is_nothing_to_find() -> None:
    assert Notifier({}).environment(4121) == {}
