"""The error log: one line a record, to a file descriptor, whatever happens.

* A line holds printable ASCII and \\xHH only (O1): what a client sends can neither start a line of
  its own nor reach the terminal of the person who reads the log.  Texts go to the logger as they
  are; everything is escaped once, here.
* Logging never raises and never waits (M21).  A full disk or a closed pipe loses lines, not
  requests; what finds no room in a pipe is kept up to a limit, and lines that are lost beyond that
  are counted in a line of their own.
* Everybody holds the descriptor's number, so reopening replaces what is behind the number.
* The journal has timestamps of its own and understands `<N>` priorities (sd-daemon(3)).
"""

import errno
import logging
import math
import os
import re
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.outlet import PROGRESS_PAUSE, RETRY_PAUSE, Outlet

_MOST_WAITING = 64 << 10  # bytes of lines that find no room
_MODE = 0o640  # of a new log file: requests are not everybody's business
_UNSAFE = re.compile(rb"[^ -\[\]-~]")  # all but printable ASCII; the backslash too, it escapes
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
_COLOURS = {"DEBUG": 2, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 31}
_MISPLACED = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP}

# Without O_NONBLOCK a FIFO would hold us up until somebody reads it.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | os.O_NONBLOCK

# Turns a record's facts (record, escaped text) into a line without its end.
_Layout = Callable[[logging.LogRecord, str], str]


def set_up(fd: int, *, level: str, name: str) -> logging.Logger:
    """Send the process's log to `fd` and return its logger, the one called "forkhttpd".

    `fd` -1 is no log at all, and stays the caller's; `level` is that of the configuration; `name`
    says who speaks, as in "worker 3".  May be called again: the last call counts.
    """
    logger = logging.getLogger("forkhttpd")
    logger.propagate = False
    logger.setLevel(level.upper())
    logger.handlers[:] = [_Writer(fd, _layout(fd, name))]
    return logger


def catch_up(now: float) -> float:
    """Try again what found no room; return when to do so again, infinity if nothing waits.

    `now` is CLOCK_MONOTONIC in seconds.  For the loop of every process, a few times a second.
    """
    logger = logging.getLogger("forkhttpd")
    again = math.inf
    for outlet in [one.outlet for one in logger.handlers if isinstance(one, _Writer)]:
        moves = outlet.flush()
        if not outlet.is_waiting and (lost := outlet.take_loss(now)):
            logger.warning("%d lines lost: there was no room for them", lost)
        if outlet.is_waiting or outlet.lost:
            again = now + (PROGRESS_PAUSE if moves else RETRY_PAUSE)
    return again


def open_log(path: Path) -> int:
    """Return a descriptor that appends to the file, made if need be; the caller closes it.

    Raises StartupError: CONFIG when the path is wrong, OSERR when the system fails.
    """
    try:
        return os.open(path, _FLAGS, _MODE)
    except OSError as error:
        code = ExitCode.CONFIG if error.errno in _MISPLACED else ExitCode.OSERR
        message = f"cannot open the log {path}: {describe(error)}"
        raise StartupError(message, exit_code=code) from None


def reopen(path: Path, fd: int) -> None:
    """Let the number `fd` stand for the file that `path` is now, after a rename say.

    Raises StartupError, and then `fd` is what it was.
    """
    new = open_log(path)
    try:
        replace(fd, new)
    finally:
        os.close(new)


def replace(fd: int, new: int) -> None:
    """Let the number `fd` stand for what `new` stands for; `new` stays the caller's to close."""
    os.dup2(new, fd, inheritable=False)


def escape(text: str | bytes) -> str:
    """Return `text` with \\xHH for every byte that is not printable ASCII, and for a backslash.

    So no two texts look alike, and nobody's text looks like an escape of ours.
    """
    data = text if isinstance(text, bytes) else _encoded(text)
    return _UNSAFE.sub(lambda match: b"\\x%02x" % ord(match[0]), data).decode("ascii")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which stands for no byte
        return text.encode("utf-8", "surrogatepass")


class _Writer(logging.Handler):
    """Writes each record with one system call, so that lines of several processes do not mix."""

    def __init__(self, fd: int, layout: _Layout) -> None:
        super().__init__()
        self.outlet = Outlet(fd, limit=_MOST_WAITING)
        self._layout = layout

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or lose it."""
        if self.outlet.fd >= 0:
            line = self._layout(record, escape(_text(record))) + "\n"
            self.outlet.write(line.encode("ascii"))


def mark(fd: int, level: str) -> str:
    """Return what a line of that level begins with if `fd` is the journal's, else "".

    For lines that are no log records, like those of a command that systemd runs.
    """
    return _priority(level) if _is_journal(fd) else ""


def _priority(level: str) -> str:
    return f"<{_PRIORITIES.get(level, 6)}>"


def _text(record: logging.LogRecord) -> str:
    """Return the record's message, and its exception in one line."""
    try:
        message = record.getMessage()
    except Exception:  # a wrong call loses its arguments, not the line, and not the request
        message = str(record.msg)
    error = record.exc_info[1] if record.exc_info else None
    return message if error is None else f"{message}: {_in_one_line(error)}"


def _in_one_line(error: BaseException) -> str:
    """Return `KeyError: 'x' (serve connection.py:80 > match router.py:12)`, the outermost first."""
    said = "".join(traceback.format_exception_only(error)).strip()
    calls = [
        f"{frame.name} {Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return f"{said} ({' > '.join(calls)})"


def _layout(fd: int, name: str) -> _Layout:
    """Return the layout that suits what is behind `fd`."""
    if _is_journal(fd):
        return lambda record, text: f"{_priority(record.levelname)}{name}[{record.process}]: {text}"
    paint = _coloured if _is_terminal(fd) and not os.environ.get("NO_COLOR") else str.lower
    return lambda record, text: (
        f"{_timestamp(record.created)} {paint(record.levelname)} {name}[{record.process}]: {text}"
    )


def _timestamp(seconds: float) -> str:
    """Return local time with its offset, RFC 3339: `2026-01-31T09:05:00.123+01:00`."""
    local = time.localtime(seconds)
    offset = time.strftime("%z", local)
    milliseconds = int(seconds % 1 * 1000)
    return f"{time.strftime('%FT%T', local)}.{milliseconds:03d}{offset[:3]}:{offset[3:]}"


def _coloured(level: str) -> str:
    return f"\x1b[{_COLOURS.get(level, 0)}m{level.lower()}\x1b[0m"


def _is_terminal(fd: int) -> bool:
    return fd >= 0 and os.isatty(fd)


def _is_journal(fd: int) -> bool:
    """Whether systemd connected `fd` to the journal: it says `device:inode`, systemd.exec(5)."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
