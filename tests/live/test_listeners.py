"""Where the daemon listens, how many it lets in, and whose site it shows them (H2)."""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon

SITES = SITE.partition("[[site]]")[0].replace(
    "[log]",
    """\
[[listen]]
address = "127.0.0.2:0"

[[listen]]
address = "[::1]:0"

[[listen]]
address = "unix:http.sock"

[log]""",
) + "".join(
    f"""
[[site]]
names = [{names}]

[[site.mount]]
docroot = "{directory}"
"""
    for directory, names in (
        ("www/default", '"default.example"'),
        ("www/exact", '"exact.example", "www.wild.example", "[::1]"'),
        ("www/wild", '"*.wild.example"'),
        ("www/deep", '"*.deep.wild.example"'),
    )
)


@pytest.fixture(scope="module")
def sites() -> Iterator[Daemon]:
    """A daemon with four sites and four listeners."""
    with daemon(SITES, start=False) as running:
        for name in ("default", "exact", "wild", "deep"):
            running.write(f"www/{name}/index.html", name)
        running.start()
        yield running


def ports(running: Daemon) -> list[tuple[str, int]]:
    """Return host and port of every IP listener, as the log tells them."""
    found = re.findall(r"listening on http://\[?([^/]*?)\]?:([0-9]+)/", running.log)
    return [(host, int(port)) for host, port in found]


def text(client: Client, host: str) -> str:
    """Ask for the page of a host."""
    return client.ask(get().replace(b"Host: localhost", f"Host: {host}".encode())).text


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("default.example", "default"),
        ("exact.example", "exact"),
        ("EXACT.Example", "exact"),
        ("exact.example:8080", "exact"),
        ("exact.example:", "exact"),
        ("exact.example.", "exact"),
        ("exact.example.:80", "exact"),
        ("[::1]:80", "exact"),
        ("www.wild.example", "exact"),
        ("a.wild.example", "wild"),
        ("b.a.wild.example", "wild"),
        ("A.Wild.example.", "wild"),
        ("x.deep.wild.example", "deep"),
        ("deep.wild.example", "wild"),
        ("wild.example", "default"),
        ("xwild.example", "default"),
        ("a.exact.example", "default"),
        ("other.example", "default"),
        ("127.0.0.1", "default"),
        ("...", "default"),
    ],
)
def test_H2_the_site_is_found_by_host(sites: Daemon, host: str, site: str) -> None:
    with open_client(sites) as client:
        assert text(client, host) == site
        assert text(client, host) == site  # and from what is remembered


def test_H2_requests_of_one_connection_are_each_for_their_own_host(sites: Daemon) -> None:
    with open_client(sites) as client:
        got = [text(client, f"{name}.example") for name in ("exact", "default", "a.wild", "exact")]
        assert got == ["exact", "default", "wild", "exact"]


def test_H2_a_host_is_never_a_path(sites: Daemon) -> None:
    """`..` is a name like any other that nobody has."""
    with open_client(sites) as client:
        assert text(client, "..") == "default"
    for host in ("../../etc", "www/exact", "exact.example/", "a b", "exact.example@x", ""):
        with open_client(sites) as client:
            assert client.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 400


def test_H2_without_a_host_it_is_the_default_site(sites: Daemon) -> None:
    assert sites.exchange(b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\ndefault")


def test_H2_an_absolute_target_beats_the_host_field(sites: Daemon) -> None:
    with open_client(sites) as client:
        assert client.ask(get("http://exact.example/")).text == "exact"


def test_several_listeners_serve_at_once(sites: Daemon) -> None:
    assert [host for host, _ in ports(sites)] == ["127.0.0.1", "127.0.0.2", "::1"]
    clients = [Client(socket.create_connection(place, DEADLINE)) for place in ports(sites)]
    clients.append(Client(_connect_unix(sites)))
    for client in clients:
        client.send(get())
    for client in clients:
        with client:
            assert client.reply().text == "default"


def test_a_client_of_each_kind_has_its_line_in_the_log(sites: Daemon) -> None:
    for place in ports(sites)[1:]:
        with Client(socket.create_connection(place, DEADLINE)) as client:
            client.ask(get("/kind?" + place[0]))
    with Client(_connect_unix(sites)) as client:
        client.ask(get("/kind?unix"))
    for host, query in (("127.0.0.1", "127.0.0.2"), ("::1", "::1"), ("-", "unix")):
        sites.await_access_log(f"/kind?{query} ")
        line = next(x for x in sites.access_log.splitlines() if f"/kind?{query} " in x)
        assert line.startswith(f"{host} - - [")


def _connect_unix(running: Daemon) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE)
    connection.connect(str(running.directory / "http.sock"))
    return connection


def test_connections_over_the_limit_wait_and_are_then_served() -> None:
    config = SITE.replace("workers = 2", "workers = 1") + "\n[limits]\nconnections = 2\n"
    with daemon(config) as running:
        running.write("www/index.html", "hello")
        with open_client(running) as first, open_client(running) as second:
            assert first.ask(get()).text == "hello"
            assert second.ask(get()).text == "hello"
            with open_client(running) as third:
                third.send(get("/?third"))
                for _ in range(20):  # requests that are served while the third one waits
                    assert first.ask(get()).text == "hello"
                    assert second.ask(get("/?second")).text == "hello"
                running.await_access_log("/?second", count=20)
                assert "/?third" not in running.access_log
                second.connection.shutdown(socket.SHUT_RDWR)
                assert third.reply().text == "hello"
                assert first.ask(get()).text == "hello"
