"""A request's body in a file, for a program that must be told its length before it starts.

CGI has no way to say "until the end" (RFC 3875 §4.1.2: CONTENT_LENGTH counts), so a chunked body
is collected first: in memory, and past MEMORY_LIMIT in a file without a name, which is gone when
its descriptor is.  Where no such file can be made, memory has to do.
"""

import os
import tempfile

from forkhttpd.http1.request import RequestBody

MEMORY_LIMIT = 1 << 20  # bytes


async def spool(body: RequestBody) -> tuple[int, int]:
    """Return a descriptor at the body's beginning, and the body's length; the caller closes.

    Raises what `body.read` raises, and OSError when there is no room left.
    """
    fd, length, in_memory = os.memfd_create("forkhttpd-spool"), 0, True
    try:
        while piece := await body.read():
            length += len(piece)
            if in_memory and length > MEMORY_LIMIT:
                fd, in_memory = _moved_to_disk(fd), False
            _write(fd, piece)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd, length


def _moved_to_disk(fd: int) -> int:
    """Return a file on disk with what is in `fd`, or `fd` where there is none to be had."""
    flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
    try:
        file = os.open(tempfile.gettempdir(), flags, 0o600)
    except OSError:  # read-only, full, or a file system without O_TMPFILE
        return fd
    try:
        offset = 0
        while sent := os.sendfile(file, fd, offset, 1 << 30):
            offset += sent
    except OSError:
        os.close(file)
        return fd
    os.close(fd)
    return file


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
