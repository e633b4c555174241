"""Connections that a proxy says something of first: the PROXY protocol, in front of HTTP."""

import ipaddress
import json
import struct
from collections.abc import Iterator

import pytest

from tests.live.client import Client, get
from tests.live.daemon import SITE, Daemon, await_end, daemon, read_all, wait_for
from tests.live.neighbours import connect_from
from tests.live.secure import CONFIG as OF_TLS
from tests.live.secure import secure

PROXY = "127.0.0.9"
CONFIG = (
    SITE.replace("workers = 2", f'workers = 1\ntrusted_proxies = ["{PROXY}", "192.0.2.9"]')
    .replace('address = "127.0.0.1:0"', 'address = "127.0.0.1:0"\nproxy_protocol = true')
    .replace('access = "access.log"', 'access = "access.log"\nformat = "json"')
    .replace("[[site]]", '[timeouts]\nheader = "60s"\n\n[[site]]')
    .replace("listing = true", 'deny = ["192.0.2.66"]')
)
ENVIRON = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env\n"


@pytest.fixture(scope="module")
def behind() -> Iterator[Daemon]:
    """A daemon behind a proxy at 127.0.0.9."""
    with daemon(CONFIG, start=False) as running:
        running.write("www/page", "public")
        running.script("environ", ENVIRON)
        running.start()
        yield running


def text(client: str, *, port: int = 4711) -> bytes:
    return f"PROXY TCP4 {client} 10.9.8.7 {port} 443\r\n".encode()


def binary(client: str, command: int = 0x21) -> bytes:
    ours = "2001:db8::1" if ":" in client else "10.9.8.7"
    addresses = ipaddress.ip_address(client).packed + ipaddress.ip_address(ours).packed
    rest = addresses + struct.pack("!HH", 4711, 443) + b"\x04\x00\x02hi" * 50
    family = 0x11 if ":" not in client else 0x21
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, family, len(rest)) + rest


@pytest.mark.parametrize("header", [text("192.0.2.7"), binary("192.0.2.7")], ids=["v1", "v2"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_programs_see_the_client_and_where_it_went(
    behind: Daemon, header: bytes, size: int
) -> None:
    data = header + get("/cgi-bin/environ")
    with Client(connect_from(behind, PROXY)) as client:
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
        for _ in range(2):
            env = dict(line.split("=", 1) for line in client.reply().text.splitlines())
            assert (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == ("192.0.2.7", "4711")
            assert (env["SERVER_ADDR"], env["SERVER_PORT"]) == ("10.9.8.7", "443")
            client.send(get("/cgi-bin/environ"))
        client.reply()


def test_rules_and_logs_are_about_the_client(behind: Daemon) -> None:
    for header in (text("192.0.2.66"), binary("192.0.2.66")):
        with Client(connect_from(behind, PROXY)) as client:
            assert client.ask(header + get("/page?denied")).status == 403
    behind.await_access_log("/page?denied", count=2)
    records = [json.loads(line) for line in behind.access_log.splitlines() if "denied" in line]
    assert [record["client"] for record in records] == ["192.0.2.66"] * 2


def test_a_proxy_behind_the_proxy_is_believed_too(behind: Daemon) -> None:
    field = "X-Forwarded-For: 6.6.6.6, 198.51.100.1"
    for host, seen in (("192.0.2.9", "198.51.100.1"), ("192.0.2.8", "192.0.2.8")):
        with Client(connect_from(behind, PROXY)) as client:
            reply = client.ask(text(host) + get("/cgi-bin/environ", field))
            assert f"REMOTE_ADDR={seen}\n" in reply.text


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", binary("192.0.2.66", 0x20)])
def test_a_proxy_that_asks_for_itself_is_itself(behind: Daemon, header: bytes) -> None:
    """Whatever the request says: the proxy has not read it, and its client may have written it."""
    data = header + get("/cgi-bin/environ", "X-Forwarded-For: 6.6.6.6")
    with Client(connect_from(behind, PROXY)) as client:
        assert f"REMOTE_ADDR={PROXY}\n" in client.ask(data).text


@pytest.mark.parametrize(
    "data", [get("/page"), b"PROXY TCP4 x\r\n" + get("/page"), b"\x16\x03\x01\x00\x01\x01"]
)
def test_nothing_else_is_answered(behind: Daemon, data: bytes) -> None:
    with connect_from(behind, PROXY) as connection:
        connection.sendall(data)
        assert read_all(connection) == b""


def test_nobody_else_may_say_who_the_client_is(behind: Daemon) -> None:
    with connect_from(behind, "127.0.0.4") as connection:
        assert read_all(connection) == b"", "it is closed before a word"
    behind.await_log("PROXY header refused: 127.0.0.")


def test_the_header_comes_before_tls() -> None:
    """A proxy that passes TLS on as it is says first, in the clear, whose it is."""
    config = 'trusted_proxies = ["127.0.0.1"]\n' + OF_TLS.replace(
        "tls = true", "tls = true\nproxy_protocol = true"
    )
    with secure(config) as site:
        site.running.script("environ", ENVIRON)
        for header in (text("192.0.2.7"), binary("2001:db8::7")):
            connection = site.raw()
            connection.sendall(header)
            name = "www.one.example"
            shaken = site.one.client().wrap_socket(connection, server_hostname=name)
            with Client(shaken) as client:
                reply = client.ask(get("/cgi-bin/environ"))
            env = dict(line.split("=", 1) for line in reply.text.splitlines())
            assert env["REMOTE_ADDR"] in ("192.0.2.7", "2001:db8::7")
            assert (env["HTTPS"], env["SERVER_PORT"]) == ("on", "443")
        with site.raw() as connection:  # TLS without the header
            connection.sendall(b"\x16\x03\x01\x00\xa5\x01")
            assert read_all(connection) == b""


def test_H10_half_a_header_and_gone_is_gone(behind: Daemon) -> None:
    (worker,) = behind.workers()
    wait_for(lambda: not worker.net_connections("tcp")[1:], "the listener alone")
    for header in (b"PROXY TCP4 ", binary("192.0.2.7")[:20], b""):
        with connect_from(behind, PROXY) as connection:
            connection.sendall(header)
            wait_for(lambda: worker.net_connections("tcp")[1:], "the connection")
        wait_for(lambda: not worker.net_connections("tcp")[1:], "its end, long before the deadline")


def test_M5_a_connection_whose_header_is_on_its_way_survives_a_reload(behind: Daemon) -> None:
    with Client(connect_from(behind, PROXY)) as client:
        client.send(text("192.0.2.7")[:20])
        assert behind.reload()
        client.send(text("192.0.2.7")[20:] + get("/page"))
        assert client.reply().text == "public"


def test_H9_the_header_has_to_come_in_time(behind: Daemon) -> None:
    old = behind.workers()
    assert behind.reload(CONFIG.replace('header = "60s"', 'header = "300ms"'))
    await_end(old)  # else one of them may still take the connection
    with connect_from(behind, PROXY) as connection:
        connection.sendall(b"PROXY TCP4 ")
        assert read_all(connection) == b""
