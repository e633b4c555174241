"""What processes hold in memory, together: the proportional set size, from smaps_rollup (proc(5)).

It counts a page that several share once, in equal parts.  Pages that are shared with a stranger,
the C library's, count by the part, too: so servers are weighed one at a time.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_KIB = 1024


def proportional_bytes(pids: Iterable[int]) -> int | None:
    """The processes' proportional set size; None where the kernel does not let us see it."""
    total = 0
    try:
        for pid in pids:
            with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
                total += parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except PermissionError:
        return None
    return total


def parse_rollup(text: str) -> int:
    """Bytes in the Pss line of an smaps_rollup; 0 for a process that has no memory any more."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * _KIB
    return 0
