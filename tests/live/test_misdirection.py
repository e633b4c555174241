"""RFC 9110 §7.4: who asks for a host over a connection that is not for it is told 421."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import DEADLINE, SITE, daemon, wait_for
from tests.live.secure import CONFIG, Secure, secure


@pytest.fixture(scope="module")
def site() -> Iterator[Secure]:
    with secure() as served:
        yield served


def asking(host: str, path: str = "/") -> bytes:
    return get(path).replace(b"Host: localhost", f"Host: {host}".encode())


def test_a_host_over_a_connection_to_another_is_421(site: Secure) -> None:
    with site.client("www.one.example") as client:
        assert client.ask(asking("two.example")).status == 421
        assert client.ask(get("https://two.example/")).status == 421
        assert client.ask(asking("www.one.example")).text == "one"  # nothing else is wrong with it
    with site.client("two.example") as client:
        assert client.ask(asking("two.example")).text == "two"
        assert client.ask(asking("one.example")).status == 421


@pytest.mark.parametrize("host", ["one.example", "b.one.example", "WWW.One.example:443", "other"])
def test_what_the_same_certificate_stands_for_is_answered(site: Secure, host: str) -> None:
    """The first site's is for whoever has no other, too."""
    with site.client("www.one.example") as client:
        assert client.ask(asking(host)).text == "one"
        assert client.ask(get(f"https://{host}/")).text == "one"
        assert client.ask(b"GET / HTTP/1.0\r\n\r\n").text == "one"


def test_a_trusted_proxy_may_ask_for_many_hosts_over_one_connection() -> None:
    with (
        secure('trusted_proxies = ["192.0.2.1"]\n' + CONFIG) as site,
        site.client("www.one.example") as client,
    ):
        assert client.ask(asking("two.example")).text == "two"


def test_a_trusted_proxy_says_the_scheme() -> None:
    with daemon('trusted_proxies = ["127.0.0.1"]\n' + SITE) as running:
        running.write("www/page", "page")
        with open_client(running) as client:
            target = "https://localhost/page"
            assert client.ask(get(target, "X-Forwarded-For: 192.0.2.7")).status == 421
            said = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
            assert client.ask(get(target, *said)).text == "page"
            assert client.ask(get("http://localhost/page")).text == "page"


def test_what_was_answered_over_one_connection_is_still_421_over_another() -> None:
    """Whatever is remembered of answers: for that the file has to be some time old."""
    config = CONFIG.replace("request_id = true\n", "").replace('format = "json"\n', "")
    with secure(config.replace("workers = 2", "workers = 1")) as site:
        page = site.running.directory / "two/index.html"
        wait_for(lambda: time.time() - page.stat().st_ctime > 2.5, "a file that is old enough")
        absolute = get("https://one.example/")
        with site.client("two.example") as client:
            for _ in range(3):
                assert client.ask(asking("two.example")).text == "two"
        with site.client("www.one.example") as client:
            assert client.ask(asking("two.example")).status == 421
            for _ in range(3):
                assert client.ask(absolute).text == "one"
    one = config.partition('[[site]]\nnames = ["two')[0].replace("redirect_to_https = 443", "")
    with secure(one.replace("workers = 2", "workers = 1")) as site:
        page = site.running.directory / "www/index.html"
        wait_for(lambda: time.time() - page.stat().st_ctime > 2.5, "a file that is old enough")
        with site.client("www.one.example") as client:
            for _ in range(3):
                assert client.ask(absolute).text == "one"
        with Client(socket.create_connection(("127.0.0.2", site.plain_port), DEADLINE)) as plain:
            assert plain.ask(absolute).status == 421
