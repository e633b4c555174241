"""What ps and top show for this process.

The kernel reads a process's command line from the process's own memory, where exec put argv.
Writing there through /proc/self/mem needs no C.  It is a courtesy: where it fails, nothing is said.
"""

import contextlib
import os

_ARG_START = 48 - 3  # fields of /proc/PID/stat, proc(5), counted from the one after the name
_ARG_END = 49 - 3


def set_title(title: bytes) -> None:
    """Show `title` as this process's command line, and as much of it as fits as its name."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        _set_command_line(title)
    with contextlib.suppress(OSError), open("/proc/self/comm", "wb") as comm:
        comm.write(title[:15])


def _set_command_line(title: bytes) -> None:
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    room = end - start - 1  # the last byte stays NUL: without it the kernel reads on into environ
    if room <= 0:
        return
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(memory, title[:room].ljust(room + 1, b"\0"), start)
    finally:
        os.close(memory)
