"""Hosts, as Host and absolute targets name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1.authority import parse_host
from forkhttpd.http1.errors import HTTPError


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org:80", "example.org"),
        ("example.org.", "example.org."),
        ("my_host-1~x", "my_host-1~x"),
        ("example.org:", "example.org"),
        ("192.0.2.1:65535", "192.0.2.1"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("[::ffff:192.0.2.1]:8000", "[::ffff:192.0.2.1]"),
        ("a" * 255, "a" * 255),
    ],
)
def test_H2_names_and_addresses(authority: str, host: str) -> None:
    assert parse_host(authority) == host


REFUSED = """
:80 a/b ../.. a@b a,b a%00 a$(b) a'b a\\b é a:b:c a:80x a:-1 a:123456
::1 [::1 ::1] [] [1.2.3.4] [::1]x [fe80::1%a] [v1.x]
"""


@pytest.mark.parametrize("authority", [*REFUSED.split(), "", "a b", "a\n", "a\0", "a" * 256])
def test_H2_anything_else_is_refused(authority: str) -> None:
    with pytest.raises(HTTPError) as caught:
        parse_host(authority)
    assert caught.value.status == 400


@given(st.text(max_size=20))
def test_H2_a_host_is_harmless(authority: str) -> None:
    try:
        host = parse_host(authority)
    except HTTPError:
        return
    assert host.isascii()
    assert host == host.lower()
    assert not set(host) & set("/\\%@, \t\r\n\0'\"<>$&;()")
