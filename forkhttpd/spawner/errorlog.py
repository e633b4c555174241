"""Lines for the error log, which is the spawner's standard error, as forkhttpd.log writes them.

A pipe that nobody reads must not hold up the pool (M21): without room the line is lost.
"""

import os
import select
import time
from contextlib import suppress


def write(message: str, *, name: str) -> None:
    """Write one line; `name` is the pool's.  A log that cannot be written stops nothing."""
    text = message.encode("unicode_escape").decode("ascii")
    now = time.time()
    zone = time.strftime("%z", time.localtime(now))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
    milliseconds = int(now % 1 * 1000)
    when = f"{stamp}.{milliseconds:03d}{zone[:3]}:{zone[3:]}"
    room = select.poll()
    room.register(2, select.POLLOUT)
    with suppress(OSError):
        if room.poll(0):
            os.write(2, f"{when} error spawner {name}[{os.getpid()}]: {text}\n".encode())
