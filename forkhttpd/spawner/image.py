"""What ps, top and /proc show of this process: its command line, its environment and its name.

The kernel reads a process's command line and environment from the process's own memory, where exec
put argv and envp.  Writing there through /proc/self/mem needs no C.  It is a courtesy: where it
fails, nothing is said.
"""

import os
from contextlib import suppress
from os import open as _open
from os import pwrite
from typing import List, Mapping, NamedTuple, Sequence

_ARG_START = 48 - 3  # fields of /proc/PID/stat, proc(5), counted from the one after the name
_MARKER = b"UNIQUE_ID="
_LONGEST_TITLE = 256
_WRITING = os.O_WRONLY | os.O_CLOEXEC


class Command(NamedTuple):
    """What is to be shown in the place of a title: as long as the longest of these, at least."""

    words: bytes
    name: bytes


class Image(NamedTuple):
    """Where a process's words are; the same in its forks.  0 where that cannot be told."""

    arg_start: int
    arg_end: int
    env_start: int
    env_end: int

    def show_title(self, title: bytes) -> None:
        """Show what a spawner is called, and no environment."""
        words = title[:_LONGEST_TITLE].ljust(self.arg_end - self.arg_start, b"\0")
        self.show(Command(words, title[:15]), b"\0" * (self.env_end - self.env_start))

    def command(self, argv: Sequence[str]) -> Command:
        """Return how to show a command, whose last word gives the process its name."""
        words = b"\0".join(map(os.fsencode, argv)).ljust(_LONGEST_TITLE, b"\0")
        return Command(words, os.fsencode(argv[-1]).rpartition(b"/")[2][:15])

    def environment(self, env: Mapping[bytes, bytes]) -> bytes:
        """Return how to show an environment."""
        entries = list(map(b"=".join, env.items()))
        shown = b"\0".join(entries)
        if len(shown) < self.env_end - self.env_start:
            return shown
        return b"\0".join(self._that_fits(entries))

    def show(self, command: Command, entries: bytes) -> None:
        """Show a command and its environment, where a title has been shown.

        No more is written than is to be seen then: each page costs a copy.  The last byte of a
        place stays NUL: without it the kernel reads on in what follows.
        """
        arg_start, arg_end, env_start, env_end = self
        words, name = command
        room_for_command = arg_end - arg_start - 1
        room_for_environment = env_end - env_start - 1
        if room_for_command <= 0 or room_for_environment <= 0:
            return
        try:  # contextlib.suppress is of Python, and costs ten pages
            comm = _open("/proc/self/comm", _WRITING)
            os.write(comm, name)
            os.close(comm)
            memory = _open("/proc/self/mem", _WRITING)
            pwrite(memory, words[:room_for_command], arg_start)
            pwrite(memory, entries[:room_for_environment], env_start)
            os.close(memory)
        except OSError:
            pass

    def _that_fits(self, entries: Sequence[bytes]) -> List[bytes]:
        """Whole entries only; first the one that marks our descendants."""
        room = self.env_end - self.env_start - 1
        chosen: List[bytes] = []
        for entry in sorted(entries, key=lambda entry: not entry.startswith(_MARKER)):
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
