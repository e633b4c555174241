"""A small site for tests over the wire: pages, a picture, and a program that echoes."""

import contextlib
from collections.abc import Iterator

from tests.http1.transcript import LIMITS
from tests.live.daemon import SITE, Daemon, daemon

PAGE = "<!DOCTYPE html><title>Hello</title><p>Hello.\n"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 16
ECHO = """\
#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "length $CONTENT_LENGTH"
cat
"""
STRICT = (
    SITE.replace("workers = 2", "workers = 1")
    + f"""
[limits]
request_line = {LIMITS.request_line}
header = {LIMITS.header}
header_fields = {LIMITS.header_fields}
body = "1K"
"""
)


def furnish(running: Daemon) -> Daemon:
    running.write("www/index.html", PAGE)
    running.write("www/test.png", PICTURE)
    running.write("www/large.bin", bytes(200_000))
    for number in range(10):
        running.write(f"www/{number}.txt", f"file {number}\n" * (number + 1))
    running.script("echo.sh", ECHO)
    return running


@contextlib.contextmanager
def strict_daemon() -> Iterator[Daemon]:
    """A daemon of one worker, with the limits of the wire corpus."""
    with daemon(STRICT) as running:
        running.write("www/index.html", PAGE)
        running.script("echo.sh", ECHO)
        yield running
