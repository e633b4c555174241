"""What can stop the daemon, sorted by who has to act.

`ExitCode` is the whole list of exit statuses (sysexits.h numbers, so that a shell script or a unit
file can tell them apart).  Errors of a single request are not here: they carry an HTTP status and
live in `forkhttpd.http1.errors`.
"""

import errno
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

# What the system's words leave out: whose turn it is, and where.
_ADVICE: Final[Mapping[int | None, str]] = {
    errno.EMFILE: " (raise the limit: LimitNOFILE= of the unit, ulimit -n)",
    errno.EFBIG: " (raise the limit: LimitFSIZE= of the unit, ulimit -f)",
    errno.ENFILE: " (of the whole machine: raise fs.file-max)",
}


class ExitCode(IntEnum):
    """Exit statuses of the daemon and its command."""

    STOPPED = 0  # asked to stop, or the command did what it was told
    USAGE = 64  # the command line is wrong
    UNAVAILABLE = 69  # an address or the PID file is taken
    SOFTWARE = 70  # a bug of ours
    OSERR = 71  # a system call failed
    CONFIG = 78  # the configuration is wrong


class StartupError(Exception):
    """The daemon cannot start (or cannot take up a new configuration).

    The message is one line for the operator: who, what, which errno, and what to do.
    """

    def __init__(self, message: str, *, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ConfigError(StartupError):
    """The configuration is wrong: every problem of it, one line each, in the order of the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems), exit_code=ExitCode.CONFIG)
        self.problems = problems

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[str]]]:
        return ConfigError, (self.problems,)  # pickle would give it the message


def describe(error: OSError) -> str:
    """Say an OSError in words, without Python's decoration: `No such file or directory`."""
    return (error.strerror or str(error)) + _ADVICE.get(error.errno, "")
