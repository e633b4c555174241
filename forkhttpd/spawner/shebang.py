"""Which interpreter a program asks for in its first line, as execve(2) and env(1) understand it."""

import os
from typing import NamedTuple, Optional

# linux/binfmts.h BINPRM_BUF_SIZE: what the kernel looks at.
FIRST_LINE = 256

_ENV = ("/usr/bin/env", "/bin/env")


class Interpreter(NamedTuple):
    """name: as the interpreter is told how it was called (argv[0]); path: where it is."""

    name: str
    path: str


def interpreter_of(head: bytes, search_path: str) -> Optional[Interpreter]:
    """Return the interpreter that a file with this beginning asks for.

    None when it asks for none, or for anything more than an interpreter: an option changes how
    it starts, and that is not for us to imitate.
    """
    line, newline, _ = head[:FIRST_LINE].partition(b"\n")
    if not newline or not line.startswith(b"#!"):
        return None
    words = os.fsdecode(line[2:]).strip(" \t").split()
    if len(words) == 1 and line.rstrip(b" \t").endswith(os.fsencode(words[0])):
        return Interpreter(words[0], words[0]) if words[0].startswith("/") else None
    if len(words) == 2 and words[0] in _ENV and "\r" not in os.fsdecode(line):
        path = _search(words[1], search_path)
        return Interpreter(words[1], path) if path else None
    return None


def _search(name: str, search_path: str) -> Optional[str]:
    if name.startswith("-") or "=" in name or "/" in name:
        return None
    for directory in search_path.split(":"):
        path = os.path.join(directory, name)
        if directory.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def is_same(path: str, other: str) -> bool:
    """Whether two paths lead to one interpreter that starts in one way.

    The same file is not enough: that of a virtual environment is most often a link to another,
    and it is the place of the link that decides about its packages.
    """
    here, there = os.path.split(path), os.path.split(other)
    return os.path.realpath(here[0]) == os.path.realpath(there[0]) and (
        here[1] == there[1] or os.path.realpath(path) == os.path.realpath(other)
    )
