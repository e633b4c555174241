"""M11: what a master finds open when it starts, from a service manager or from another master."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from forkhttpd.config import Address
from forkhttpd.master.handover import listener_name, take
from tests.master.live import ROOT, await_that, environment, started
from tests.master.manager import manager

TAKE = """
import os, sys
from forkhttpd.master.handover import take
for number, source in enumerate(sys.argv[2:], start=3):
    os.dup2(int(source), number)
pid = {"own": str(os.getpid()), "other": "1"}[os.environ["WHOSE"]]
env = {"LISTEN_FDS": str(len(sys.argv) - 2), "LISTEN_PID": pid, "LISTEN_FDNAMES": sys.argv[1]}
found = take(env)
print({name: [(one.fileno(), one.get_inheritable()) for one in each]
       for name, each in found.activation.items()},
      {name: one.fileno() for name, one in found.listeners.items()},
      {one.value: fd for one, fd in found.heirlooms.items()}, env)
for each in [*found.activation.values(), found.listeners.values()]:
    for one in each:
        one.close()
"""


def taken(names: str, *given: socket.socket, whose: str = "own") -> str:
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
        assert taken("web:admin", one, two) == (
            "{'web': [(3, False)], 'admin': [(4, False)]} {} {} {}"
        )
        assert taken("web:web", one, two) == "{'web': [(3, False), (4, False)]} {} {} {}"
        assert taken("web", one, two) == "{'web': [(3, False)], 'unknown': [(4, False)]} {} {} {}"


def test_M11_what_is_meant_for_another_process_is_not_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert taken("web", one, whose="other") == "{} {} {} {}"


def test_M11_what_does_not_listen_for_streams_is_left() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        socket.socket() as silent,
        socket.create_server(("127.0.0.1", 0)) as good,
    ):
        assert taken("a:b:c", datagram, silent, good) == "{'c': [(5, False)]} {} {} {}"


def test_M20_a_listener_of_an_earlier_master_is_known_by_its_name() -> None:
    name = "forkhttpd/listen/127.0.0.1%3A80"
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        assert (
            taken(f"{name}:web", one, two) == f"{{'web': [(4, False)]}} {{'{name}': 3}} {{}} {{}}"
        )


def test_M20_a_name_of_ours_that_another_version_gave_is_closed() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        assert taken("forkhttpd/soul:web", one, two) == "{'web': [(4, False)]} {} {} {}"


def test_M20_heirlooms_without_an_old_master_are_worth_nothing() -> None:
    """Where only half of an upgrade is there, it is none."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert taken("forkhttpd/scoreboard", one) == "{} {} {} {}"
        both = "{} {} {'word': 3, 'predecessor': 4} {}"
        assert taken("forkhttpd/word:forkhttpd/predecessor", one, one) == both


@pytest.mark.parametrize("count", ["", "x", "-1"])
def test_nonsense_in_the_environment_is_no_socket(count: str) -> None:
    env = {"LISTEN_FDS": count, "LISTEN_PID": str(os.getpid()), "OTHER": "stays"}
    assert take(env).activation == {}
    assert env == {"OTHER": "stays"}


PATHS = some.text(some.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
ADDRESSES = (
    some.builds(
        Address, some.just("inet"), some.ip_addresses(v=4).map(str), some.integers(0, 65535)
    )
    | some.builds(Address, some.just("inet6"), some.ip_addresses(v=6).map(str), some.integers(0, 9))
    | some.builds(Address, some.just("unix"), PATHS.map(lambda path: f"/{path}"))
    | some.builds(Address, some.just("unix"), PATHS.map(lambda name: f"@{name}"))
)


@given(ADDRESSES, ADDRESSES)
def test_M11_a_name_is_what_systemd_takes_and_one_address_has_one(
    one: Address, other: Address
) -> None:
    """systemd takes printable ASCII without a colon."""
    name = listener_name(one)
    assert name.isascii()
    assert name.isprintable()
    assert ":" not in name
    assert (name == listener_name(other)) == (one == other)


# A whole master.


def test_M11_a_socket_of_systemd_serves_survives_HUP_and_a_restart(tmp_path: Path) -> None:
    addresses = ("systemd:web",)
    with manager(tmp_path) as systemd, socket.create_server(("127.0.0.1", 0)) as web:
        port = web.getsockname()[1]
        with systemd.started(tmp_path, given=[("web", web)], addresses=addresses) as live:
            live.await_log("ready: ")
            assert live.ask(port)[1] == 1
            live.reload(addresses=addresses)
            await_that(lambda: live.ask(port)[1] == 2)
            live.reload(addresses=("127.0.0.1:0",))
            live.reload(addresses=addresses)
            await_that(lambda: live.ask(port)[1] == 4)
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        with systemd.started(tmp_path, given=[("web", web)], addresses=addresses) as live:
            live.await_log("ready: ")
            assert live.ask(port)[1] == 1


def test_M11_all_sockets_of_one_name_serve(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        systemd.started(
            tmp_path, given=[("web", one), ("web", two)], addresses=("systemd:web",)
        ) as live,
    ):
        live.await_log("ready: ")
        assert live.ask(one.getsockname()[1])[1] == 1
        assert live.ask(two.getsockname()[1])[1] == 1


def test_M11_a_socket_that_systemd_has_not_passed_ends_the_start(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        socket.create_server(("127.0.0.1", 0)) as web,
        systemd.started(tmp_path, given=[("wep", web)], addresses=("systemd:web",)) as live,
    ):
        assert live.wait() == 69
        assert "systemd:web: systemd has passed no listening socket of this name (but wep)" in (
            live.log()
        )


def test_M11_a_socket_that_nobody_listens_on_is_a_warning(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        socket.create_server(("127.0.0.1", 0)) as web,
        systemd.started(tmp_path, given=[("web", web)]) as live,
    ):
        live.await_log("ready: ")
        (line,) = [one for one in live.log().splitlines() if " warning " in one]
        assert line.endswith(
            'systemd has passed a socket web that no [[listen]] has: address = "systemd:web"'
        )


def test_M11_the_path_of_an_activated_unix_socket_is_not_ours_to_unlink(tmp_path: Path) -> None:
    path = tmp_path / "activated"
    with manager(tmp_path) as systemd, socket.socket(socket.AF_UNIX) as web:
        web.bind(str(path))
        web.listen()
        with systemd.started(tmp_path, given=[("web", web)], addresses=("systemd:web",)) as live:
            live.await_log("ready: ")
            live.reload(addresses=("systemd:web", "127.0.0.1:0"))
            live.reload(addresses=("127.0.0.1:0",))
            live.signal(signal.SIGTERM)
            assert live.wait() == 0
        assert path.is_socket()


def test_M11_children_hear_nothing_of_it(tmp_path: Path) -> None:
    with (
        manager(tmp_path) as systemd,
        socket.create_server(("127.0.0.1", 0)) as web,
        systemd.started(
            tmp_path,
            given=[("web", web)],
            addresses=("systemd:web",),
            manners="steady curious",
            env={"WATCHDOG_USEC": "60000000", "FDSTORE": "4", "SCRATCH": str(tmp_path)},
        ) as live,
    ):
        live.await_log("ready: ")
        told = (tmp_path / "environment").read_text().split()
        assert "PATH" in told
        ours = ("LISTEN_", "NOTIFY_", "WATCHDOG_", "FDSTORE")
        assert not [name for name in told if name.startswith(ours)]


def test_a_daemon_without_a_manager_is_as_ever(tmp_path: Path) -> None:
    with started(tmp_path, env={"FDSTORE": "8"}) as live:
        live.await_log("ready: ")
        assert live.ask()[1] == 1
