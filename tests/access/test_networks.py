"""Which network an address is in, against a model that tries all of them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access.networks import NetworkTable, parse_address, table_of
from forkhttpd.access.rules import rules_of
from forkhttpd.config import Mount, Site
from forkhttpd.config.networks import Network, parse_network
from tests.config.files import table


def network(text: str) -> Network:
    found = parse_network(text)
    assert not isinstance(found, str)
    return found


# Few bits that differ, so that networks lie in one another.
V4 = st.builds(
    lambda bits, prefix: ipaddress.ip_network((0x0A000000 | bits, prefix), strict=False),
    st.sampled_from([0, 1, 2, 0x80, 0x100, 0x10000]),
    st.sampled_from([0, 8, 15, 16, 24, 25, 31, 32]),
)
V6 = st.builds(
    lambda bits, prefix: ipaddress.ip_network((0x2001 << 112 | bits, prefix), strict=False),
    st.sampled_from([0, 1, 1 << 64, 1 << 80]),
    st.sampled_from([0, 16, 48, 64, 128]),
)
ADDRESSES = st.sampled_from(
    ["10.0.0.0", "10.0.0.1", "10.0.0.129", "10.1.0.0", "192.0.2.1", "2001::1", "2001::2", "::1"]
)


@given(entries=st.lists(st.tuples(V4 | V6, st.booleans())), host=ADDRESSES)
def test_the_smallest_network_decides_whatever_the_order(
    entries: list[tuple[ipaddress.IPv4Network, bool]], host: str
) -> None:
    values = dict(entries)
    around = [one for one in values if ipaddress.ip_address(host) in one]
    smallest = max(around, key=lambda one: one.prefixlen, default=None)
    expected = None if smallest is None else values[smallest]
    assert NetworkTable(values.items()).find(host) is expected
    assert NetworkTable(reversed(values.items())).find(host) is expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("", None),
        ("192.0.2.07", None),
        ("192.0.2", None),
        ("host", None),
    ],
)
def test_an_address_has_one_form(text: str, address: str | None) -> None:
    found = parse_address(text)
    assert (None if found is None else str(found)) == address


def test_an_ipv4_client_of_a_socket_for_both_is_an_ipv4_client() -> None:
    table = table_of([network("192.0.2.0/24")])
    assert table.find("::ffff:192.0.2.7") is True
    assert table.find("::ffff:198.51.100.7") is None


def test_a_unix_socket_is_nobody_but_unix() -> None:
    assert table_of([network("0.0.0.0/0"), network("::/0")]).find("") is None
    assert table_of(["unix"]).find("") is True
    assert table_of(["unix"]).find("127.0.0.1") is None


def site(*, allow: list[str] | None = None, deny: list[str] | None = None) -> Site:
    keys = {"mount": [{"docroot": "/"}], "allow": allow or [], "deny": deny or []}
    return table(Site, keys)


def mount(*, allow: list[str] | None = None, deny: list[str] | None = None) -> Mount:
    return table(Mount, {"docroot": "/", "allow": allow or [], "deny": deny or []})


@pytest.mark.parametrize(
    ("of_site", "of_mount", "admitted", "kept_out"),
    [
        (site(allow=["10.0.0.0/8"]), mount(), ["10.1.2.3"], ["192.0.2.1", "::1", ""]),
        (site(deny=["10.0.0.0/8"]), mount(), ["192.0.2.1", "::1", ""], ["10.1.2.3"]),
        (
            site(),
            mount(allow=["10.0.0.0/8", "10.1.2.0/24"], deny=["10.1.0.0/16"]),
            ["10.2.0.1", "10.1.2.3"],
            ["10.1.3.1", "11.0.0.1"],
        ),
        (site(deny=["all"]), mount(allow=["all"]), ["10.1.2.3", "::1"], [""]),
        (site(allow=["10.0.0.0/8"]), mount(deny=["192.0.2.1"]), ["11.0.0.1"], ["192.0.2.1"]),
        (site(), mount(allow=["unix"]), [""], ["127.0.0.1"]),
        (site(), mount(allow=["all"], deny=["192.0.2.0/24"]), ["192.0.3.1"], ["192.0.2.9"]),
    ],
)
def test_rules(of_site: Site, of_mount: Mount, admitted: list[str], kept_out: list[str]) -> None:
    rules = rules_of(of_site, of_mount)
    assert rules is not None
    assert [host for host in (*admitted, *kept_out) if rules.admit(host)] == admitted


def test_no_rules_are_no_wrapper() -> None:
    assert rules_of(site(), mount()) is None
