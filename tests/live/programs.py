"""Programs for tests of CGI, and how to see them run."""

import contextlib
import os

from tests.live.daemon import SITE, Daemon
from tests.live.scene import processes_with

ENVIRONMENT = """\
#!/usr/bin/env python3
import os, sys
print("Content-Type: text/plain\\n")
for name in sorted(os.environ):
    print(f"{name}={os.environ[name]!r}")
print("argv", sys.argv)
print("cwd", os.getcwd())
print("stdin", repr(sys.stdin.buffer.read()))
"""


def programs_with(marker: str) -> int:
    """Return how many programs these are: each has a session of its own."""
    sessions = set()
    for pid in processes_with(marker):
        with contextlib.suppress(ProcessLookupError):
            sessions.add(os.getsid(pid))
    return len(sessions)


def mounted(keys: str) -> str:
    """Return the configuration with these keys in the mount of the programs."""
    return SITE.replace('cgi = "cgi-bin"', f'cgi = "cgi-bin"\n{keys}')


def running_in(running: Daemon) -> list[int]:
    return processes_with(f"SCRIPT_FILENAME={running.directory}")
