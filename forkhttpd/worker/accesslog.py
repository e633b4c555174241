"""The access log: one line per answer, written in batches.

Lines are collected and written when BATCH_SIZE are there, and at the latest FLUSH_DELAY
after the first of them; a write per request would cost as much as the answer's own `send`.  No
write ever waits: lines that find no room are kept for a while, up to MOST_WAITING bytes of them,
and what is lost beyond that is counted in the error log.

Everything from outside is escaped to printable ASCII and `\\xHH` before it gets into a line, and
quotes and backslashes too, so that a line is one line and its fields are its fields (O1).
"""

import json
import logging
import math
import os
import re
import time
from collections.abc import Callable

from forkhttpd.http1.account import Account
from forkhttpd.http1.request import Endpoint, HeaderSection, Request
from forkhttpd.outlet import PROGRESS_PAUSE, RETRY_PAUSE, Outlet

FLUSH_DELAY = 0.2  # seconds
BATCH_SIZE = 256  # lines, some 32 KiB
MOST_WAITING = 1 << 20  # bytes, some 8000 lines
_MEMORY_SIZE = 4096  # texts
_MEMORABLE = 256  # characters; so that what clients invent cannot fill more than 2 MiB

_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0x100))} | {
    ord(character): "\\" + character for character in '"\\'
}  # texts are the wire's bytes as latin-1

_quoted: dict[str | None, str] = {None: "-", "": "-"}


def quoted(text: str | None) -> str:
    """Return text that can stand between quotes in a line; "-" for nothing.

    Remembered, for the same lines and agents come again and again: 0.05 µs instead of 0.2.  What a
    client fills with bytes to be escaped is translated: one by one, 32 KB would take 30 ms, not 4.
    """
    known = _quoted.get(text)
    if known is None:
        known = text or ""
        if _UNSAFE.search(known):
            known = known.translate(_ESCAPES)
        if len(known) <= _MEMORABLE and len(_quoted) < _MEMORY_SIZE:
            _quoted[text] = known
    return known


class AccessLog:
    """Formats and writes; `fd` is -1 when there is no log.  The descriptor is the worker's."""

    __slots__ = (
        "_flush_at",
        "_format",
        "_lines",
        "_outlet",
        "_refused",
        "_stamp",
        "dropped",
        "fd",
        "whence",
    )

    def __init__(self, fd: int, *, format: str) -> None:  # noqa: A002 - the key's name
        self.fd = fd
        self.dropped = 0  # lines that could not be written and are in the error log
        self._outlet = Outlet(fd, limit=MOST_WAITING)
        is_coloured = format == "console" and _is_coloured(fd)
        self._format, self._refused = _FORMATS["coloured" if is_coloured else format]
        self.whence = _WHENCE.get(format)
        self._lines: list[str] = []
        self._flush_at = 0.0
        self._stamp = ""

    def set_time(self, second: int) -> None:
        """Take the wall clock's time for the lines that follow."""
        self._stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(second))

    def add(self, request: Request, status: int, sent: int, *, now: float) -> None:
        """Add the line of an answered request; `sent` counts bytes of the body."""
        if self.fd >= 0:
            self._add_line(self._format(request, status, sent, now, self._stamp), now)

    def add_parts(self, who: str, what: str, whence: str, *, now: float) -> None:
        """Add a line whose parts are known: `who`, `what` and `self.whence`, where it has that."""
        if self.fd >= 0:
            self._add_line(f"{who}{self._stamp}{what}{whence}", now)

    def add_refused(self, client: Endpoint, status: int, sent: int, *, now: float) -> None:
        """Add the line of what could not be read as a request."""
        if self.fd >= 0:
            self._add_line(self._refused(client, status, sent, self._stamp), now)

    def patience(self, now: float, longest: float) -> float:
        """Return the seconds after which `flush_when_due` has something to do, at most longest."""
        if self._lines or self._outlet.is_waiting:
            return min(longest, max(self._flush_at - now, 0.0))
        return longest

    def flush_when_due(self, now: float) -> None:
        """Write if it is time; asked every few milliseconds while there is work."""
        if len(self._lines) >= BATCH_SIZE or (
            now >= self._flush_at and (self._lines or self._outlet.is_waiting)
        ):
            self._flush_at = now + (PROGRESS_PAUSE if self.flush() else RETRY_PAUSE)
            self._tell_losses(now)

    def flush(self) -> bool:
        """Write all lines now, as far as there is room; return whether there was some."""
        lines, self._lines = self._lines, []
        return self._outlet.write("".join(lines).encode("ascii"))

    def finish(self) -> None:
        """Write what can still be written, and tell what cannot."""
        self.flush()
        self._tell_losses(math.inf)

    def _tell_losses(self, now: float) -> None:
        if lost := self._outlet.take_loss(now):
            self.dropped += lost
            logging.getLogger("forkhttpd").warning(
                "access log: %d lines lost: there was no room for them", lost
            )

    def _add_line(self, line: str, now: float) -> None:
        if not self._lines:
            self._flush_at = now + FLUSH_DELAY
        self._lines.append(line)


def who(client: Endpoint, user: str = "") -> str:
    """Return the part of a line before the time."""
    return f"{client.host or '-'} - {_user(user)} ["


def what(text: str, status: int, sent: int) -> str:
    """Return the part of a line behind the time, for a request line as it came."""
    return f'] "{quoted(text)}" {status} {sent or "-"}'


def _user(name: str) -> str:
    """Return a name that can stand between spaces in a line; "-" for nobody."""
    return quoted(name).replace(" ", "\\x20") if name else "-"


def _whence_common(_section: HeaderSection) -> str:
    return "\n"


def _whence_combined(section: HeaderSection) -> str:
    fields = section.fields
    return f' "{quoted(fields.get("referer"))}" "{quoted(fields.get("user-agent"))}"\n'


def _common(request: Request, status: int, sent: int, _now: float, stamp: str) -> str:
    before = who(request.hop.client, request.user)
    return f"{before}{stamp}{what(request.line.text, status, sent)}\n"


def _combined(request: Request, status: int, sent: int, _now: float, stamp: str) -> str:
    before = who(request.hop.client, request.user)
    line = f"{before}{stamp}{what(request.line.text, status, sent)}"
    return line + _whence_combined(request.section)


def _combined_plus(request: Request, status: int, sent: int, now: float, stamp: str) -> str:
    """Return a combined line with `name=value` behind it, so that old readers find their fields."""
    line = _combined(request, status, sent, now, stamp).removesuffix("\n")
    costs = "".join(f" {name}={_number(cost)}" for name, cost in _costs(request.account).items())
    return f"{line} id={request.id} seconds={now - request.received:.6f}{costs}\n"


def _number(value: float) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _costs(account: Account | None) -> dict[str, float]:
    """Return what the program cost that worked for an answer (C19); max_rss is in bytes."""
    if account is None:
        return {}
    costs: dict[str, float] = {
        "queue_wait": round(account.queue_wait, 6),
        "stderr": account.stderr,
    }
    usage = account.usage
    if usage is None:  # it runs on
        return costs
    return costs | {
        "wall": round(usage.wall, 6),
        "user": round(usage.user_time, 6),
        "system": round(usage.system_time, 6),
        "max_rss": usage.max_rss << 10,
        **({"exit": usage.status} if usage.status >= 0 else {"signal": -usage.status}),
    }


def _json(request: Request, status: int, sent: int, now: float, stamp: str) -> str:
    record: dict[str, object] = {
        "time": stamp,
        "id": request.id,
        "client": request.hop.client.host,
        "host": request.section.host,
        "request": request.line.text,
        "status": status,
        "bytes": sent,
        "seconds": round(now - request.received, 6),
        "referer": request.section.fields.get("referer"),
        "agent": request.section.fields.get("user-agent"),
    }
    if request.hop.encryption is not None:
        record["tls"] = request.hop.encryption.protocol
    if request.user:
        record["user"] = request.user
    if request.account is not None:
        record["program"] = _costs(request.account)
    return json.dumps(record) + "\n"


def _common_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    return f'{client.host or "-"} - - [{stamp}] "-" {status} {sent or "-"}\n'


def _combined_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    return f'{client.host or "-"} - - [{stamp}] "-" {status} {sent or "-"} "-" "-"\n'


def _json_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    record = {"time": stamp, "client": client.host, "status": status, "bytes": sent}
    return json.dumps(record) + "\n"


def _console(request: Request, status: int, sent: int, now: float, stamp: str) -> str:
    """Return a line for who looks on: `18:40:05 200 GET /cgi-bin/post.py  1204 bytes, 12 ms`."""
    milliseconds = (now - request.received) * 1000
    target = quoted(request.line.text.rpartition(" ")[0])
    return f"{stamp[12:20]} {status} {target}  {sent} bytes, {milliseconds:.0f} ms\n"


def _console_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    return f"{stamp[12:20]} {status} not a request, from {client.host or '-'} {sent} bytes\n"


def _coloured(request: Request, status: int, sent: int, now: float, stamp: str) -> str:
    return _painted(_console(request, status, sent, now, stamp), status)


def _coloured_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    return _painted(_console_refused(client, status, sent, stamp), status)


def _painted(line: str, status: int) -> str:
    """Dim what is moved or not modified, yellow what the client did wrong, red what we did."""
    colour = {3: "2", 4: "33", 5: "1;31"}.get(status // 100)
    return f"\x1b[{colour}m{line[:-1]}\x1b[0m\n" if colour else line


def _is_coloured(fd: int) -> bool:
    return fd >= 0 and os.isatty(fd) and not os.environ.get("NO_COLOR")


# The formats whose lines are the same for the same request, but for the client and the time.
_WHENCE: dict[str, Callable[[HeaderSection], str]] = {
    "common": _whence_common,
    "combined": _whence_combined,
}
_FORMATS = {
    "console": (_console, _console_refused),
    "coloured": (_coloured, _coloured_refused),
    "common": (_common, _common_refused),
    "combined": (_combined, _combined_refused),
    "combined-plus": (_combined_plus, _combined_refused),
    "json": (_json, _json_refused),
}
