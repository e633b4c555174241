"""The short types of the configuration: durations, sizes, numbers, addresses, paths.

Each is read from the text that a person writes and raises ValueError with the words that the
person needs: what is wrong and what would be right.  `forkhttpd.config.load` adds file, line and
key.
"""

import ipaddress
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeGuard

from forkhttpd.config.schema import Checked, Located, Spelled, Strict, within

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_UNIX_PATH_LIMIT = 107  # sun_path is 108 bytes with its NUL, unix(7)

# Bounds that no one needs to pass, so that no sum of deadlines and no argument of a system call
# overflows: epoll_wait counts milliseconds in an int, listen(2) takes an int.
_LONGEST = 365 * 86400.0
_LARGEST = 1 << 60
_MOST = (1 << 31) - 1
_WORKERS = 200  # two generations of them, and the spawners, have a slot in the scoreboard

LOG_WORDS = ("stdout", "stderr", "off")


def parse_duration(text: object) -> float:
    """Return seconds: "30s", "500ms", "5m", "1h", "2d"."""
    pattern = r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|s|m|h|d)"
    match = re.fullmatch(pattern, text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('not a duration; write a number and its unit, as in "30s" or "5m"')
    seconds = float(match[1]) * _DURATION_UNITS[match[2]]
    if seconds > _LONGEST:
        raise ValueError('too long; write at most "365d"')
    return seconds


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError('no time at all; write a duration longer than "0s", as in "30s"')
    return seconds


def _or_none(value: object) -> float | None:
    return None if value == "" else parse_duration(value)


def format_duration(seconds: float | None) -> str:
    """Return a short text that reads back as `seconds`."""
    if seconds is None:
        return ""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _DURATION_UNITS[unit]
        if count >= 1 and count.is_integer():
            return f"{int(count)}{unit}"
    if not seconds:
        return "0s"
    milliseconds = f"{seconds * 1000:g}ms"
    if "e" not in milliseconds and parse_duration(milliseconds) == seconds:
        return milliseconds
    return f"{Decimal(repr(seconds)):f}s"


def parse_size(text: object) -> int:
    """Return bytes: "8M", "64K", "512" or a bare number."""
    size = text if isinstance(text, int) and not isinstance(text, bool) else None
    match = re.fullmatch(r"([0-9]{1,24})([KMGT]?)", text) if isinstance(text, str) else None
    if match:
        size = int(match[1]) * _SIZE_UNITS[match[2]]
    if size is None or size < 0:
        raise ValueError('not a size; write bytes or a number with K, M, G or T, as in "8M"')
    if size > _LARGEST:
        raise ValueError(f'too large; write at most "{format_size(_LARGEST)}"')
    return size


def format_size(size: int) -> str:
    """Return the shortest text that reads back as `size`."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return str(size)


@dataclass(frozen=True, slots=True)
class WorkerRange:
    """As many workers as the load asks for; `shrink` seconds of spare time cost one its place."""

    min: int
    max: int
    shrink: float = 60.0


def parse_workers(value: object) -> object:
    """Return a number of workers, "auto", or a WorkerRange."""
    if value == "auto" or _is_worker_count(value):
        return value
    if isinstance(value, dict):
        return _parse_worker_range(value)
    raise ValueError(
        f'not a number of workers; write "auto", a number from 1 to {_WORKERS},'
        " or { min = 1, max = 8 }"
    )


def _parse_worker_range(table: dict[str, object]) -> WorkerRange:
    low, high, unknown = table.get("min"), table.get("max"), set(table) - {"min", "max", "shrink"}
    if unknown:
        raise ValueError(f'"{min(unknown)}" is unknown here; write {{ min = 1, max = 8 }}')
    if not _is_worker_count(low) or not _is_worker_count(high):
        raise ValueError(f"min and max are numbers from 1 to {_WORKERS}; write both")
    if low > high:
        raise ValueError(f"min is more than max; write {{ min = {high}, max = {low} }}")
    if "shrink" not in table:
        return WorkerRange(low, high)
    return WorkerRange(low, high, _positive(parse_duration(table["shrink"])))


def _is_worker_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _WORKERS


def _spell_workers(workers: int | str | WorkerRange) -> object:
    if not isinstance(workers, WorkerRange):
        return workers
    shrink = format_duration(workers.shrink)
    return {"min": workers.min, "max": workers.max, "shrink": shrink}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens.

    kind "inet" and "inet6": host is a numeric address, port 0 to 65535 (0: the kernel's choice);
    kind "dual": every address of both, in one socket; host is "::";
    kind "unix": host is an absolute path, or "@name" for the abstract name space;
    kind "systemd": host is the FileDescriptorName= of a socket unit.
    """

    kind: Literal["inet", "inet6", "dual", "unix", "systemd"]
    host: str
    port: int = 0

    def __str__(self) -> str:
        match self.kind:
            case "inet":
                return f"{self.host}:{self.port}"
            case "inet6":
                return f"[{self.host}]:{self.port}"
            case "dual":
                return f"*:{self.port}"
            case _:
                return f"{self.kind}:{self.host}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.kind in ("inet", "inet6", "dual"):
            return ipaddress.ip_address(self.host).is_loopback
        return self.kind == "unix"

    @property
    def has_chosen_port(self) -> bool:
        """Whether the port is the kernel's choice."""
        return self.kind in ("inet", "inet6", "dual") and self.port == 0


def parse_address(text: object, directory: Path) -> Address:
    """Read "127.0.0.1:8000", "[::1]:8000", "unix:…", "systemd:…".

    ":8000" is every IPv4 address, "[::]:8000" every IPv6 address, "*:8000" every one of both.
    """
    if not isinstance(text, str):
        raise ValueError('not an address; write one like "127.0.0.1:8000"')
    if text.startswith("systemd:"):
        return Address("systemd", _systemd_name(text.removeprefix("systemd:")))
    if text.startswith("unix:"):
        return Address("unix", _unix_path(text.removeprefix("unix:"), directory))
    host, separator, port = text.rpartition(":")
    if not separator or not re.fullmatch(r"[0-9]+", port):
        raise ValueError(
            'no port; write one like "127.0.0.1:8000", "[::]:80" or "unix:/run/x.sock"'
        )
    if len(port) > 5 or int(port) > 65535:
        raise ValueError("no port is so large; write at most 65535")
    return _ip_address(host, int(port))


def _ip_address(host: str, port: int) -> Address:
    if host == "*":
        return Address("dual", "::", port)
    try:
        if host.startswith("[") and host.endswith("]"):
            return Address("inet6", str(ipaddress.IPv6Address(host[1:-1])), port)
        return Address("inet", str(ipaddress.IPv4Address(host or "0.0.0.0")), port)
    except ValueError:
        raise ValueError(
            f'"{host}" is not an IP address; write one like "127.0.0.1:8000" or "[::1]:8000"'
        ) from None


def _unix_path(name: str, directory: Path) -> str:
    path = name if name.startswith("@") else str(resolve_path(name, directory))
    if not name or len(path.encode()) > _UNIX_PATH_LIMIT:
        limit = f"1 to {_UNIX_PATH_LIMIT} bytes"
        raise ValueError(f'not a socket\'s path, {limit}; write one like "unix:/run/x.sock"')
    return path


def _systemd_name(name: str) -> str:
    if not re.fullmatch(r"[!-9;-~]{1,255}", name):
        raise ValueError("not the name of a socket unit's FileDescriptorName=")
    return name


def resolve_path(text: object, directory: Path) -> Path | None:
    """Return an absolute path; a relative one starts at the configuration file's directory.

    "" is no path: None.
    """
    if not isinstance(text, str) or "\0" in text:
        raise ValueError('not a path; write it in quotes, as in "/srv/www"')
    if text.startswith("~"):
        raise ValueError('"~" stands for nobody here; write the whole path, or "./~" for the name')
    return directory / text if text else None


CODINGS = ("zst", "br", "gz")


def parse_codings(value: object) -> tuple[str, ...]:
    """Return the suffixes of precompressed files in the server's order; true means all."""
    if isinstance(value, bool):
        return CODINGS if value else ()
    if not isinstance(value, list) or any(name not in CODINGS for name in value):
        raise ValueError('neither true, false nor a list of them: ["zst", "br", "gz"]')
    return tuple(dict.fromkeys(value))


def resolve_directory(text: object, directory: Path) -> Path:
    """Return an absolute path, as `resolve_path` does; here there has to be one."""
    path = resolve_path(text, directory)
    if path is None:
        raise ValueError('not a path; write it in quotes, as in "/srv/files"')
    return path


def control_beside(pid_file: Path) -> Path:
    """Return the path of the control socket that goes with a PID file."""
    return pid_file.with_suffix(".control")


def resolve_program(text: object, directory: Path) -> str:
    """Return a program's name, to be looked up in a search path, or its absolute path."""
    if isinstance(text, str) and "/" in text:
        return str(resolve_path(text, directory))
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError('not a program; write a name or a path, as in "python3"')
    return text


def resolve_log(text: object, directory: Path) -> Path | str | None:
    """Return one of LOG_WORDS, or a log file's absolute path.

    A lone word that is none of them is more likely a slip ("none", "syslog") than a file beside
    the configuration, so such a file is written "./none".
    """
    if isinstance(text, str) and text in LOG_WORDS:
        return text
    words = ", ".join(f'"{word}"' for word in LOG_WORDS)
    if not isinstance(text, str) or not text:
        raise ValueError(f"not a log; write {words} or a file's path")
    if "/" not in text and "." not in text:
        raise ValueError(f'none of {words}; write one of them, or "./{text}" for that file')
    return resolve_path(text, directory)


def _path_or(word: str) -> Located:
    """Return how a path is written for which a word may stand."""

    def read(text: object, directory: Path) -> Path | str | None:
        return word if text == word else resolve_path(text, directory)

    return Located(read, _spell_path)


def _spell_path(path: Path | str | None) -> str:
    return str(path or "")


Flag = Annotated[bool, Strict()]
Number = Annotated[int, within(0, _MOST)]
PortNumber = Annotated[int, within(0, 65535)]
Count = Annotated[int, within(1, _MOST)]
Niceness = Annotated[int, within(0, 19)]
Workers = Annotated[int | Literal["auto"] | WorkerRange, Spelled(parse_workers, _spell_workers)]
# How long something may take: "0s" is "not at all".
Duration = Annotated[float, Spelled(parse_duration, format_duration)]
OptionalDuration = Annotated[float | None, Spelled(_or_none, format_duration)]
# A deadline for something that needs time.
PositiveDuration = Annotated[Duration, Checked(_positive)]
Size = Annotated[int, Spelled(parse_size, format_size)]
ListenAddress = Annotated[Address, Located(parse_address)]
OptionalPath = Annotated[Path | None, Located(resolve_path, _spell_path)]
Codings = Annotated[tuple[str, ...], Spelled(parse_codings, tuple)]
Directory = Annotated[Path, Located(resolve_directory)]
ControlPath = Annotated[Literal["auto"] | Path | None, _path_or("auto")]
PasswordFile = Annotated[Literal["site"] | Path | None, _path_or("site")]
Program = Annotated[str, Located(resolve_program)]
LogFile = Annotated[Literal["stdout", "stderr", "off"] | Path, Located(resolve_log)]
