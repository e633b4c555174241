"""What ps, top and /proc show of this process: its command line, its environment and its name.

The kernel reads a process's command line and environment from the process's own memory, where exec
put argv and envp.  Writing there through /proc/self/mem needs no C.  It is a courtesy: where it
fails, nothing is said.
"""

import os
from contextlib import suppress
from typing import List, NamedTuple, Sequence

_ARG_START = 48 - 3  # fields of /proc/PID/stat, proc(5), counted from the one after the name
_MARKER = b"UNIQUE_ID="


class Image(NamedTuple):
    """Where a process's words are; the same in its forks.  0 where that cannot be told."""

    arg_start: int
    arg_end: int
    env_start: int
    env_end: int

    def show(self, argv: Sequence[str], env: Sequence[bytes], *, name: bytes) -> None:
        """Show a command, its environment, and the last part of `name`."""
        self.show_command(b"\0".join(map(os.fsencode, argv)), name.rpartition(b"/")[2])
        with suppress(OSError):
            _write(self.env_start, self.env_end, b"\0".join(self._that_fits(env)))

    def show_command(self, words: bytes, name: bytes) -> None:
        """Show `words`, and as much of the name as the kernel keeps."""
        with suppress(OSError):
            _write(self.arg_start, self.arg_end, words)
        with suppress(OSError), open("/proc/self/comm", "wb") as comm:
            comm.write(name[:15])

    def _that_fits(self, env: Sequence[bytes]) -> List[bytes]:
        """Whole entries only; if not all fit, first the one that marks our descendants."""
        room = self.env_end - self.env_start - 1
        if sum(map(len, env)) + len(env) <= room:
            return list(env)
        chosen: List[bytes] = []
        for entry in sorted(env, key=lambda entry: not entry.startswith(_MARKER)):
            room -= len(entry) + 1
            if room < 0:
                return chosen
            chosen.append(entry)
        return chosen


def find() -> Image:
    """Find this process's words."""
    with suppress(OSError, ValueError, IndexError), open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
        return Image(*map(int, fields[_ARG_START : _ARG_START + 4]))
    return Image(0, 0, 0, 0)


def _write(start: int, end: int, words: bytes) -> None:
    """Fill the place; its last byte stays NUL: without it the kernel reads on in what follows."""
    room = end - start - 1
    if room <= 0:
        return
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(memory, words[:room].ljust(room + 1, b"\0"), start)
    finally:
        os.close(memory)
