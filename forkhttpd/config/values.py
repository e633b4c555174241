"""The short types of the configuration: durations, sizes, addresses, paths.

Each is read from the text that a person writes and raises ValueError with the words that the
person needs: what is wrong and what would be right.  `forkhttpd.config.load` adds file, line and
key.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_UNIX_PATH_LIMIT = 107  # sun_path is 108 bytes with its NUL, unix(7)


def parse_duration(text: object) -> float:
    """Return seconds: "30s", "500ms", "5m", "1h", "2d"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('not a duration; write a number and its unit, as in "30s" or "5m"')
    return float(match[1]) * _DURATION_UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Return the shortest text that reads back as `seconds`."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _DURATION_UNITS[unit]
        if count >= 1 and count.is_integer():
            return f"{int(count)}{unit}"
    return f"{seconds * 1000:g}ms" if seconds else "0s"


def parse_size(text: object) -> int:
    """Return bytes: "8M", "64K", "512" or a bare number."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = re.fullmatch(r"(\d+)([KMGT]?)", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('not a size; write bytes or a number with K, M, G or T, as in "8M"')
    return int(match[1]) * _SIZE_UNITS[match[2]]


def format_size(size: int) -> str:
    """Return the shortest text that reads back as `size`."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return str(size)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens.

    kind "inet" and "inet6": host is a numeric address, port 0 to 65535 (0: the kernel's choice);
    kind "unix": host is an absolute path, or "@name" for the abstract name space;
    kind "systemd": host is the FileDescriptorName= of a socket unit.
    """

    kind: Literal["inet", "inet6", "unix", "systemd"]
    host: str
    port: int = 0

    def __str__(self) -> str:
        match self.kind:
            case "inet":
                return f"{self.host}:{self.port}"
            case "inet6":
                return f"[{self.host}]:{self.port}"
            case _:
                return f"{self.kind}:{self.host}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.kind in ("inet", "inet6"):
            return ipaddress.ip_address(self.host).is_loopback
        return self.kind == "unix"


def parse_address(text: object, info: ValidationInfo) -> Address:
    """Read "127.0.0.1:8000", "[::1]:8000", ":8000" (every IPv4 address), "unix:…", "systemd:…"."""
    if isinstance(text, Address):
        return text
    if not isinstance(text, str):
        raise ValueError('not an address; write one like "127.0.0.1:8000"')
    if text.startswith("systemd:"):
        return Address("systemd", _systemd_name(text.removeprefix("systemd:")))
    if text.startswith("unix:"):
        return Address("unix", _unix_path(text.removeprefix("unix:"), info))
    host, separator, port = text.rpartition(":")
    if not separator or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(
            'no port; write one like "127.0.0.1:8000", "[::]:80" or "unix:/run/x.sock"'
        )
    return _ip_address(host, int(port))


def _ip_address(host: str, port: int) -> Address:
    try:
        if host.startswith("[") and host.endswith("]"):
            return Address("inet6", str(ipaddress.IPv6Address(host[1:-1])), port)
        return Address("inet", str(ipaddress.IPv4Address(host or "0.0.0.0")), port)
    except ValueError:
        raise ValueError(
            f'"{host}" is not an IP address; write one like "127.0.0.1:8000" or "[::1]:8000"'
        ) from None


def _unix_path(name: str, info: ValidationInfo) -> str:
    path = name if name.startswith("@") else str(resolve_path(name, info))
    if not name or len(path.encode()) > _UNIX_PATH_LIMIT:
        raise ValueError(f"a Unix socket's path has 1 to {_UNIX_PATH_LIMIT} bytes")
    return path


def _systemd_name(name: str) -> str:
    if not re.fullmatch(r"[!-9;-~]{1,255}", name):
        raise ValueError("not the name of a socket unit's FileDescriptorName=")
    return name


def resolve_path(text: object, info: ValidationInfo) -> Path | None:
    """Return an absolute path; a relative one starts at the configuration file's directory.

    The validation context holds that directory under "directory".  "" is no path: None.
    """
    if isinstance(text, Path) or text is None:
        return text
    if not isinstance(text, str) or "\0" in text:
        raise ValueError("not a path")
    if not text:
        return None
    return Path(info.context["directory"], text) if info.context else Path(text)


def _required(path: Path | None) -> Path:
    if path is None:
        raise ValueError("no path given")
    return path


Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size, return_type=str)]
ListenAddress = Annotated[
    Address, BeforeValidator(parse_address), PlainSerializer(str, return_type=str)
]
OptionalPath = Annotated[
    Path | None,
    BeforeValidator(resolve_path),
    PlainSerializer(lambda path: str(path or ""), return_type=str),
]
RequiredPath = Annotated[
    Path,
    BeforeValidator(resolve_path),
    AfterValidator(_required),
    PlainSerializer(str, return_type=str),
]
