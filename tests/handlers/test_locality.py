"""Who counts as being on this machine, and by which names (DNS rebinding)."""

import pytest

from forkhttpd.handlers.locality import Locality
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Endpoint, Request
from tests.worker.making import request

LOCALITY = Locality(["www.example.org", "*.example.net"])


def asked(host: str, *, client: str = "127.0.0.1", more: str = "") -> Request:
    raw = f"GET /status HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"
    return request(raw.encode(), client=Endpoint(client, 1))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "[::1]:8000",
        "192.0.2.7",
        "localhost",
        "LocalHost.:80",
        "server.localhost",
        "www.example.org",
        "deep.down.example.net",
    ],
)
def test_an_address_localhost_and_names_of_sites_are_of_this_machine(host: str) -> None:
    assert LOCALITY.has(asked(host))
    LOCALITY.admit(asked(host))


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "127.0.0.1.rebound.example",
        "localhost.rebound.example",
        "notlocalhost",
        "example.org",
        "example.net",
        "127.1",
        "0x7f000001",
    ],
)
def test_no_other_name_is_though_it_leads_here(host: str) -> None:
    assert not LOCALITY.has(asked(host))
    with pytest.raises(HTTPError, match="none of the sites' names") as refused:
        LOCALITY.admit(asked(host))
    assert refused.value.status == 403


def test_an_absolute_target_counts_instead_of_host() -> None:
    raw = b"GET http://rebound.example/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert not LOCALITY.has(request(raw, client=Endpoint("127.0.0.1", 1)))


def test_who_says_no_host_is_no_browser() -> None:
    assert LOCALITY.has(request(b"GET / HTTP/1.0\r\n\r\n", client=Endpoint("::1", 1)))


@pytest.mark.parametrize("client", ["192.0.2.7", ""])
def test_who_is_elsewhere_or_behind_a_socket_is_not(client: str) -> None:
    assert not LOCALITY.has(asked("localhost", client=client))


@pytest.mark.parametrize("field", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
def test_nor_is_who_asks_for_others(field: str) -> None:
    assert not LOCALITY.has(asked("localhost", more=f"{field}: for=127.0.0.1\r\n"))
