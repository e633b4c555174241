"""Durations, sizes, addresses and names: what is written is what is meant, and reads back."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from forkhttpd.config.names import FileName, HostName, SearchPath, Suffix, Umask
from forkhttpd.config.values import (
    Address,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_size,
)

ROOT = Path("/")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("500ms", 0.5), ("5m", 300), ("1h", 3600), ("2d", 172800), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1 s", "1S", "1e3s", "٣s", ".5s", 30, None])
def test_not_durations(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.floats(0, 365 * 86400, allow_subnormal=False).filter(lambda x: not x or x >= 1e-9))
def test_a_duration_reads_back(seconds: float) -> None:
    seconds = round(seconds, 12)
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("512", 512), (512, 512), ("64K", 65536), ("8M", 8 << 20)]
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "8m", "8MB", "-1", "1.5K", "K", "٣", True, -1, 1.0, None])
def test_not_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@given(st.integers(0, 1 << 60))
def test_a_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


ADDRESSES = {
    "127.0.0.1:8000": Address("inet", "127.0.0.1", 8000),
    "0.0.0.0:0": Address("inet", "0.0.0.0", 0),
    "[::1]:65535": Address("inet6", "::1", 65535),
    "unix:/run/x.sock": Address("unix", "/run/x.sock"),
    "unix:@abstract": Address("unix", "@abstract"),
    "systemd:http": Address("systemd", "http"),
}


@pytest.mark.parametrize(("text", "address"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses_read_back(text: str, address: Address) -> None:
    assert parse_address(text, ROOT) == address
    assert str(address) == text


def test_an_address_without_host_is_every_IPv4_address() -> None:
    assert parse_address(":80", ROOT) == Address("inet", "0.0.0.0", 80)


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [
        ("127.0.0.1:80", True),
        ("127.9.9.9:80", True),
        ("[::1]:80", True),
        ("unix:/x", True),
        ("0.0.0.0:80", False),
        ("[::]:80", False),
        ("10.0.0.1:80", False),
        ("systemd:x", False),
    ],
)
def test_M16_only_this_machine_reaches_a_loopback_address(text: str, is_loopback: bool) -> None:
    assert parse_address(text, ROOT).is_loopback is is_loopback


NOT_ADDRESSES = ["", "80", "a:80", "::1:80", "[127.0.0.1]:80", "1.2.3.4:65536", "1.2.3.4:-1"]


@pytest.mark.parametrize(
    "text", [*NOT_ADDRESSES, "1.2.3.4:", "unix:", "systemd:", "systemd:a b", 80]
)
def test_not_addresses(text: object) -> None:
    with pytest.raises(ValueError, match=r"not an? |not the name|no port"):
        parse_address(text, ROOT)


@pytest.mark.parametrize(
    ("kind", "text", "is_right"),
    [
        (HostName, "example.org", True),
        (HostName, "*.example.org", True),
        (HostName, "localhost", True),
        (HostName, "my_host-1.local", True),
        (HostName, "10.0.0.1", True),
        (HostName, "[::1]", True),
        (HostName, "", False),
        (HostName, "*", False),
        (HostName, "a.*.org", False),
        (HostName, "example.org.", False),
        (HostName, "example.org:80", False),
        (HostName, "http://example.org", False),
        (HostName, "-a.org", False),
        (HostName, "a..org", False),
        (HostName, "a.org\n", False),
        (HostName, "a" * 64, False),
        (FileName, "index.html", True),
        (FileName, "..html", True),
        (FileName, "a b\n", True),
        (FileName, "", False),
        (FileName, ".", False),
        (FileName, "..", False),
        (FileName, "a/b", False),
        (FileName, "a\0", False),
        (Suffix, ".php", True),
        (Suffix, ".tar.gz", True),
        (Suffix, ".", False),
        (Suffix, "php", False),
        (Suffix, "./a", False),
        (SearchPath, "/bin", True),
        (SearchPath, "/usr/bin:/bin", True),
        (SearchPath, "", False),
        (SearchPath, "bin", False),
        (SearchPath, "/bin:", False),
        (SearchPath, "/bin:.", False),
        (Umask, "022", True),
        (Umask, "0077", True),
        (Umask, "22", False),
        (Umask, "0o22", False),
        (Umask, "888", False),
    ],
)
def test_names(kind: Any, text: str, is_right: bool) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    if is_right:
        assert adapter.validate_python(text) == text
    else:
        with pytest.raises(ValidationError, match=r"write|remove"):
            adapter.validate_python(text)
