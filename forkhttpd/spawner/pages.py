"""What a fork takes along without a fault.

A fork copies the page tables of memory that has been written to.  Those of a file that is only
read, the code of the interpreter above all, it leaves out: the child finds each page again, 16 at a
time, in 40 faults, a tenth of what a short script costs (0.13 ms of 1.0).  One page that was
written to makes the kernel copy the tables of the whole mapping.
"""

import os
from contextlib import suppress

_SMALLEST = 1 << 16  # a smaller one is found by one fault


def take_code_along() -> None:
    """Write a byte of each mapping of code over itself; through /proc, which may where we may not.

    Where it fails, forks go on as they did.
    """
    with suppress(OSError, ValueError), open("/proc/self/maps") as file:
        lines = file.read().splitlines()
        memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            for line in lines:
                _touch(memory, *line.split(None, 5))
        finally:
            os.close(memory)


def _touch(memory: int, places: str, mode: str, *rest: str) -> None:
    begin, _, end = places.partition("-")
    if mode not in ("r-xp", "r--p") or not rest[-1].startswith("/"):
        return
    start = int(begin, 16)
    if int(end, 16) - start >= _SMALLEST:
        os.pwrite(memory, os.pread(memory, 1, start), start)
