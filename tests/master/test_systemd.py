"""sd_notify and LISTEN_FDS over real sockets."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forkhttpd.master.actions import Notice
from forkhttpd.master.systemd import Notifier, take_sockets
from tests.master.live import ROOT, environment


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


TAKE = """
import os, sys
from forkhttpd.master.systemd import take_sockets
for number, source in enumerate(sys.argv[2:], start=3):
    os.dup2(int(source), number)
pid = {"own": str(os.getpid()), "other": "1"}[os.environ["WHOSE"]]
env = {"LISTEN_FDS": str(len(sys.argv) - 2), "LISTEN_PID": pid, "LISTEN_FDNAMES": sys.argv[1]}
found = take_sockets(env)
print({name: [(one.fileno(), one.get_inheritable()) for one in each]
       for name, each in found.items()}, env)
for each in found.values():
    for one in each:
        one.close()
"""


def take(names: str, *given: socket.socket, whose: str = "own") -> str:
    """Hand the sockets to a fresh process as systemd does, from 3 on; return what it found."""
    fds = [os.dup2(one.fileno(), 50 + count) for count, one in enumerate(given)]
    try:
        return subprocess.run(
            [sys.executable, "-c", TAKE, names, *map(str, fds)],
            pass_fds=fds,
            capture_output=True,
            text=True,
            check=True,
            env={**environment(), "WHOSE": whose},
            cwd=ROOT,
        ).stdout.strip()
    finally:
        for fd in fds:
            os.close(fd)


def test_M11_sockets_come_by_name_and_the_variables_go() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        assert take("web:admin", one, two) == "{'web': [(3, False)], 'admin': [(4, False)]} {}"
        assert take("web:web", one, two) == "{'web': [(3, False), (4, False)]} {}"
        assert take("web", one, two) == "{'web': [(3, False)], 'unknown': [(4, False)]} {}"


def test_M11_what_is_meant_for_another_process_is_not_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert take("web", one, whose="other") == "{} {}"


def test_M11_what_does_not_listen_for_streams_is_left() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        socket.socket() as silent,
        socket.create_server(("127.0.0.1", 0)) as good,
    ):
        assert take("a:b:c", datagram, silent, good) == "{'c': [(5, False)]} {}"


@pytest.mark.parametrize("count", ["", "x", "-1"])
def test_nonsense_in_the_environment_is_no_socket(count: str) -> None:
    env = {"LISTEN_FDS": count, "LISTEN_PID": str(os.getpid()), "OTHER": "stays"}
    assert take_sockets(env) == {}
    assert env == {"OTHER": "stays"}
