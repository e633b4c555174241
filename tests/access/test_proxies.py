"""What a trusted proxy says of its client, and what is not believed."""

import contextlib
import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access.proxies import Proxies, parse_forwarded, parse_node
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Endpoint, Hop

PEER = Hop(Endpoint("10.0.0.1", 999), Endpoint("10.0.0.9", 80), "http", "hop")
TRUSTED = (ip_network("10.0.0.0/24"), ip_network("2001:db8::/32"))


def behind(field: str, *items: tuple[str, str]) -> tuple[str, int, str]:
    """Return client and scheme of a request with these fields."""
    hop = Proxies(TRUSTED, field=field).look_behind(PEER, Fields(items))
    return hop.client.host, hop.client.port, hop.scheme


def for_(*values: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


NOBODY = ("10.0.0.1", 999, "http")


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((), NOBODY[:2]),
        (("192.0.2.7",), ("192.0.2.7", 0)),
        (("192.0.2.7:1234",), ("192.0.2.7", 1234)),
        (("2001:db9::7",), ("2001:db9::7", 0)),
        (("[2001:db9::7]:1234",), ("2001:db9::7", 1234)),
        (("::ffff:192.0.2.7",), ("192.0.2.7", 0)),
        # From the right, past our own, and no further: what is left of it anybody may have sent.
        (("6.6.6.6, 192.0.2.7, 10.0.0.2",), ("192.0.2.7", 0)),
        (("6.6.6.6", "192.0.2.7", "10.0.0.2 , 2001:db8::5"), ("192.0.2.7", 0)),
        (("rubbish, 192.0.2.7",), ("192.0.2.7", 0)),
        (("10.0.0.3, 10.0.0.2",), ("10.0.0.3", 0)),
        # What makes no sense is not believed.
        (("",), NOBODY[:2]),
        (("192.0.2.7,",), NOBODY[:2]),
        (("192.0.2.7, unknown",), NOBODY[:2]),
        (("192.0.2.7, unknown, 10.0.0.2",), NOBODY[:2]),
        (("192.0.2.777",), NOBODY[:2]),
        (("192.0.2.7:99999",), NOBODY[:2]),
        (("192.0.2.7\x00",), NOBODY[:2]),
        (("fe80::1%eth0",), NOBODY[:2]),
    ],
)
def test_the_rightmost_untrusted_address_is_the_client(
    values: tuple[str, ...], client: tuple[str, int]
) -> None:
    assert behind("X-Forwarded-For", *for_(*values))[:2] == client


def test_the_other_field_is_not_read() -> None:
    both = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=6.6.6.6")]
    assert behind("X-Forwarded-For", *both)[0] == "192.0.2.7"
    assert behind("Forwarded", *both)[0] == "6.6.6.6"
    assert behind("Forwarded", both[0]) == NOBODY
    assert behind("X-Forwarded-For", both[1]) == NOBODY


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        (["https"], "https"),
        (["HTTPS"], "https"),
        (["http"], "http"),
        (["https", "https"], "http"),
        (["https, http"], "http"),
        (["ftp"], "http"),
        ([""], "http"),
    ],
)
def test_the_scheme_is_said_once_or_not_at_all(values: list[str], scheme: str) -> None:
    fields = [*for_("192.0.2.7"), *(("x-forwarded-proto", value) for value in values)]
    assert behind("X-Forwarded-For", *fields)[2] == scheme


@pytest.mark.parametrize(
    ("text", "client", "scheme"),
    [
        ("for=192.0.2.7", "192.0.2.7", "http"),
        ("for=192.0.2.7;proto=https;by=10.0.0.1", "192.0.2.7", "https"),
        ('For="[2001:db9::7]:4711" ; Proto=HTTPS', "2001:db9::7", "https"),
        ('for="192.0.2.7:80"', "192.0.2.7", "http"),
        ('for="1\\92.0.2.7"', "192.0.2.7", "http"),
        ('for=6.6.6.6, for="1,2;3", for=192.0.2.7, for=10.0.0.3;proto=https', "192.0.2.7", "http"),
        (",for=192.0.2.7, ,", "192.0.2.7", "http"),
        ("for=unknown", "10.0.0.1", "http"),
        ("for=_hidden", "10.0.0.1", "http"),
        ("proto=https", "10.0.0.1", "http"),
        ('for="2001:db9::7"', "10.0.0.1", "http"),
    ],
)
def test_forwarded(text: str, client: str, scheme: str) -> None:
    host, _, said = behind("Forwarded", ("forwarded", text))
    assert (host, said) == (client, scheme)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("X-Forwarded-For", "1.1.1.1, " * 1000 + "192.0.2.7"),
        ("Forwarded", "for=1.1.1.1, " * 1000 + "for=192.0.2.7"),
        ("Forwarded", "rubbish, for=192.0.2.7"),
        ("Forwarded", "for=192.0.2.7, rubbish"),
        ("Forwarded", 'for=", for=192.0.2.7'),
        ("Forwarded", 'for="x, for="[2001:db9::7]:80"'),
        ("Forwarded", "for=192.0.2.7;for=192.0.2.8"),
        ("Forwarded", "for=192.0.2.7 for=192.0.2.8"),
        ("Forwarded", "for = 192.0.2.7"),
        ("Forwarded", "for=192.0.2.7;"),
    ],
)
def test_what_cannot_be_read_does_not_make_its_sender_the_proxy(field: str, text: str) -> None:
    with pytest.raises(HTTPError) as caught:
        behind(field, (field.lower(), text))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [
        ("7f3a-01", "7f3a-01"),
        ("a" * 128, "a" * 128),
        ("a" * 129, "hop-1"),
        ("", "hop-1"),
        ("two words", "hop-1"),
        ('quo"te', "hop-1"),
        ("back\\slash", "hop-1"),
        ("caf\xe9", "hop-1"),
        ("tab\there", "hop-1"),
    ],
)
def test_the_id_of_a_trusted_proxy_is_kept_if_it_is_printable(given_id: str, kept: str) -> None:
    fields = Fields((("x-request-id", given_id),))
    hop = Proxies(TRUSTED, field="X-Forwarded-For").look_behind(PEER, fields)
    assert (hop.request_id or "hop-1") == kept
    assert hop.client == PEER.client


def test_who_is_trusted() -> None:
    proxies = Proxies((*TRUSTED, "unix"), field="Forwarded")
    hosts = ["10.0.0.77", "::ffff:10.0.0.77", "2001:db8:1::", "", "10.0.1.0", "::1"]
    assert [proxies.trust(host) for host in hosts] == [True, True, True, True, False, False]


NODES = st.sampled_from(["192.0.2.7", "10.0.0.2", '"[2001:db9::1]:80"', "unknown", '"a,b;c\\""'])
PARTS = st.sampled_from(["for=", "proto=https", ";", ",", " ", '"', "=", "\\", "x"])


@given(st.text(st.characters(max_codepoint=255)) | st.lists(NODES | PARTS).map("".join))
def test_any_text_of_a_field_is_read_or_refused(text: str) -> None:
    parse_node(text)
    with contextlib.suppress(HTTPError):
        for origin in parse_forwarded(text):
            assert origin is None or parse_node(origin.client.host) is not None
    for field in ("X-Forwarded-For", "Forwarded"):
        with contextlib.suppress(HTTPError):
            assert behind(field, (field.lower(), text))[2] in ("http", "https")


@given(st.lists(st.tuples(NODES, st.sampled_from(["", ";proto=https", ";by=_x"])), min_size=1))
def test_every_element_is_read_alike(elements: list[tuple[str, str]]) -> None:
    whole = parse_forwarded(", ".join(f"for={node}{rest}" for node, rest in elements))
    single = [parse_forwarded(f"for={node}{rest}") for node, rest in elements]
    assert whole == [one for (one,) in single]


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_node_is_an_address_and_its_port(address: object, port: int) -> None:
    host = re.sub(r"^(.*:.*)$", r"[\1]", str(address))
    found = parse_node(f"{host}:{port}")
    assert found is not None
    assert found.port == port
    assert parse_node(found.host) == Endpoint(found.host, 0)
