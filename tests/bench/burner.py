"""A program that burns CPU time in processes of different fates, then tells how much that was.

`burner.py plain` lets children come and go; `burner.py orphans` lets grandchildren lose their
parent and be adopted; `burner.py ignored` has children that nobody waits for.  It says "ready",
waits for a line, burns, prints the seconds that its processes say they used (as each sees it in
times(2)), and waits for another line before it ends: so that a meter can be read before and after.
"""

import ctypes
import os
import signal
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36
_CHILDREN = 5
_SHARE = 0.05


def main() -> None:
    fate = {"plain": _burn, "orphans": _burn_as_orphan, "ignored": _burn}[sys.argv[1]]
    if sys.argv[1] == "orphans":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if sys.argv[1] == "ignored":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    sys.stdin.readline()
    read_end, write_end = os.pipe()
    for _ in range(_CHILDREN):
        if os.fork() == 0:
            fate(write_end)
            os._exit(0)
    os.close(write_end)
    with open(read_end) as used:
        seconds = sum(float(line) for line in used)  # until the last of them has gone
    _wait_for_all()
    print(seconds, flush=True)
    sys.stdin.readline()


def _burn(write_end: int) -> None:
    while time.process_time() < _SHARE:
        pass
    os.write(write_end, b"%f\n" % time.process_time())


def _burn_as_orphan(write_end: int) -> None:
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent:  # until it has been adopted
            pass
        _burn(write_end)
        os._exit(0)


def _wait_for_all() -> None:
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


main()
