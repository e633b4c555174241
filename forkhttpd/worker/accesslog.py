"""The access log: one line per answer, written in batches.

Lines are collected and written when BATCH_SIZE are there, and at the latest FLUSH_DELAY
after the first of them; a write per request would cost as much as the answer's own `send`.

Everything from outside is escaped to printable ASCII and `\\xHH` before it gets into a line, and
quotes and backslashes too, so that a line is one line and its fields are its fields (O1).
"""

import json
import os
import re
import time

from forkhttpd.http1.request import Endpoint, Request

FLUSH_DELAY = 0.2  # seconds
BATCH_SIZE = 256  # lines, some 32 KiB
_MEMORY_SIZE = 4096  # texts

_UNSAFE = re.compile(r"[^ !#-\[\]-~]")


_quoted: dict[str | None, str] = {None: "-", "": "-"}


def quoted(text: str | None) -> str:
    """Return text that can stand between quotes in a line; "-" for nothing.

    Remembered, for the same lines and agents come again and again: 0.05 µs instead of 0.2.
    """
    known = _quoted.get(text)
    if known is None:
        known = _UNSAFE.sub(_escape, text or "")
        if len(_quoted) < _MEMORY_SIZE:
            _quoted[text] = known
    return known


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in '"\\':
        return "\\" + character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


class AccessLog:
    """Formats and writes; `fd` is -1 when there is no log.  The descriptor is the worker's."""

    __slots__ = ("_flush_at", "_format", "_lines", "_refused", "_stamp", "dropped", "fd")

    def __init__(self, fd: int, *, format: str) -> None:  # noqa: A002 - the key's name
        self.fd = fd
        self.dropped = 0  # bytes that could not be written
        self._format, self._refused = _FORMATS[format]
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

    def add_refused(self, client: Endpoint, status: int, sent: int, *, now: float) -> None:
        """Add the line of what could not be read as a request."""
        if self.fd >= 0:
            self._add_line(self._refused(client, status, sent, self._stamp), now)

    def patience(self, now: float, longest: float) -> float:
        """Return the seconds after which `flush_when_due` has something to do, at most longest."""
        return min(longest, self._flush_at - now) if self._lines else longest

    def flush_when_due(self, now: float) -> None:
        """Write if it is time; once per turn of the loop."""
        if self._lines and (now >= self._flush_at or len(self._lines) >= BATCH_SIZE):
            self.flush()

    def flush(self) -> None:
        """Write all lines now."""
        lines, self._lines = self._lines, []
        rest = "".join(lines).encode("ascii")
        while rest:
            try:
                rest = rest[os.write(self.fd, rest) :]
            except OSError:  # a full disk or a pipe that nobody reads costs lines, not requests
                self.dropped += len(rest)
                return

    def _add_line(self, line: str, now: float) -> None:
        if not self._lines:
            self._flush_at = now + FLUSH_DELAY
        self._lines.append(line)


def _common(request: Request, status: int, sent: int, _now: float, stamp: str) -> str:
    return (
        f'{request.hop.client.host or "-"} - - [{stamp}] "{quoted(request.line.text)}" '
        f"{status} {sent or '-'}\n"
    )


def _combined(request: Request, status: int, sent: int, _now: float, stamp: str) -> str:
    fields = request.section.fields
    return (
        f'{request.hop.client.host or "-"} - - [{stamp}] "{quoted(request.line.text)}" '
        f'{status} {sent or "-"} "{quoted(fields.get("referer"))}" '
        f'"{quoted(fields.get("user-agent"))}"\n'
    )


def _json(request: Request, status: int, sent: int, now: float, stamp: str) -> str:
    record = {
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
    return json.dumps(record) + "\n"


def _common_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    return f'{client.host or "-"} - - [{stamp}] "-" {status} {sent or "-"}\n'


def _combined_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    return f'{client.host or "-"} - - [{stamp}] "-" {status} {sent or "-"} "-" "-"\n'


def _json_refused(client: Endpoint, status: int, sent: int, stamp: str) -> str:
    record = {"time": stamp, "client": client.host, "status": status, "bytes": sent}
    return json.dumps(record) + "\n"


_FORMATS = {
    "common": (_common, _common_refused),
    "combined": (_combined, _combined_refused),
    "json": (_json, _json_refused),
}
