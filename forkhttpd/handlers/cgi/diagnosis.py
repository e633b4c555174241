"""Why a program did not start or made no sense, in words that say what to do.

Pure: the gateway brings what it saw, the operator gets one line.  Commands in it have no backslash,
which a log escapes, so that they can be copied from there.
"""

import errno
import os
import signal

from forkhttpd.http1.account import Usage
from forkhttpd.http1.errors import HTTPError

_SHEBANG_LIMIT = 256  # BINPRM_BUF_SIZE, execve(2)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_FOUND = 127  # what env(1) and shells exit with when there is no such program


def not_executable(file: str) -> HTTPError:
    """Return the refusal of a script that may not be run."""
    return HTTPError(403, f"{file} is not executable; run: chmod +x {file}")


def not_inside(file: str, directory: str) -> HTTPError:
    """Return the refusal of a link that leads to where no script may be."""
    return HTTPError(
        403, f"{file} is a link that leads out of {directory}, or to nothing; put the script there"
    )


def not_started(error: OSError, file: str, first_line: bytes) -> HTTPError:
    """Return the refusal for what the kernel said when the program was to start."""
    match error.errno:
        case errno.ENOENT:
            return HTTPError(502, missing_interpreter(file, first_line))
        case errno.ENOEXEC:
            return HTTPError(502, no_interpreter(file, first_line))
        case errno.EACCES | errno.EPERM:
            return HTTPError(
                403, f"{file} may not be run by the pool's user; see its mode and its directories'"
            )
        case errno.EAGAIN:
            return HTTPError(
                503,
                f"{file} did not start: the pool's user has as many processes as it may",
                fields=(("Retry-After", "5"),),
            )
        case errno.E2BIG:
            return HTTPError(431, f"{file}: the request's header is too long for a program")
        case _:
            return HTTPError(502, f"{file} did not start: {os.strerror(error.errno or 0)}")


def no_interpreter(file: str, first_line: bytes) -> str:
    """Say that a script does not begin with "#!"; `first_line` may be more."""
    if first_line.startswith(_BYTE_ORDER_MARK):
        return (
            f'{file} has a byte order mark before its "#!", so the kernel does not see it; '
            f"run: sed -i '1s/^[^#]*//' {file}"
        )
    return f'{file} names no interpreter; its first line must be like "#!/usr/bin/env python3"'


def missing_interpreter(file: str, first_line: bytes) -> str:
    """Say that what a script's first line names is not there; `first_line` may be more."""
    line = first_line[:_SHEBANG_LIMIT].split(b"\n", 1)[0]
    if not line.startswith(b"#!"):
        return f"{file} or its dynamic loader does not exist"
    if line.endswith(b"\r"):
        return _windows_line_ends(file)
    interpreter = os.fsdecode(b"".join(line[2:].split(maxsplit=1)[:1]))
    return f"{file} needs {interpreter}, which does not exist; correct its first line"


def _windows_line_ends(file: str) -> str:
    return (
        f"{file} has Windows line ends, so its interpreter is not found; "
        f"run: sed -i 's/[[:cntrl:]]$//' {file}"
    )


def too_slow(file: str, pid: int, *, silent: float | None, ran: float) -> HTTPError:
    """Return the end of a program that said nothing for `silent` seconds, or ran for `ran`."""
    if silent is None:
        limit = f"it ran for {ran:g} s, see the mount's total"
    else:
        limit = f"it said nothing for {silent:g} s, see the mount's first_byte and silence"
    return HTTPError(504, f"{file} (pid {pid}) was too slow: {limit}")


def no_header(file: str, usage: Usage | None, seen: bytes, first_line: bytes) -> str:
    """Say how a program ended, or closed its output, without a complete header."""
    not_found = usage is not None and usage.status == _NOT_FOUND and not seen
    if not_found and first_line.split(b"\n", 1)[0].endswith(b"\r"):
        return _windows_line_ends(file)  # which are a part of the name that env(1) looks for
    end = "closed its output" if usage is None else ending(usage)
    if not seen:
        return f"{file} {end} without any output"
    return (
        f"{file} {end} before its header was complete; an empty line must end it; "
        f"it began '{os.fsdecode(seen[:80])}'"
    )


def ending(usage: Usage) -> str:
    """Say in words how a program ended."""
    status = usage.status
    if usage.starved:
        end = f"was killed by signal {-status}" if status < 0 else f"exited with {status}"
        return f"{end} (it needed more memory than it may have, see the pool's memory)"
    if status < 0:
        return f"was killed by signal {-status}{_limit(-status)}"
    if status in (126, _NOT_FOUND):
        return f"exited with {status} (its interpreter found no program to run)"
    return f"exited with {status}"


# Signals that the pool's limits send.
_LIMITS: dict[int, str] = {
    signal.SIGXCPU: "its CPU time was up, see the pool's cpu",
    signal.SIGXFSZ: "a file grew too large, see the pool's file_size",
}


def _limit(number: int) -> str:
    known = _LIMITS.get(number)
    return f" ({known})" if known else ""
