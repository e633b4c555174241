"""Drive a handler without a loop: files are never waited for, so one `send` is the whole run."""

import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from forkhttpd.config import Mount
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.static import Static
from forkhttpd.http1 import target
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Endpoint, HeaderSection, Hop, Request, RequestLine, Version
from forkhttpd.http1.response import Bytes, FileParts, FileSlice, Response
from tests.config.files import table

MEDIA_TYPES = MediaTypes()

Serve = Callable[..., Static]
"""The fixture `serve`: make a handler by options of its mount and of its own."""

T = TypeVar("T")

DEADLINE = 60.0


def at(path: str, directory: Path) -> Static:
    """Make a handler that is mounted at a path, with all defaults."""
    mount = table(Mount, {"path": path, "docroot": str(directory)})
    return Static(mount, media_types=MEDIA_TYPES)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("the handler waits")


def request_for(meant: target.Target, method: str = "GET", **fields: str) -> Request:
    """Make a request; `if_range="x"` is the field `if-range: x`."""
    items = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return Request(
        RequestLine(method, meant, Version.HTTP_1_1, f"{method} {meant.raw} HTTP/1.1"),
        HeaderSection(Fields((("host", "localhost"), *items)), "localhost", 0, True, False),
        hop=Hop(Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2), "http", "test"),
        number=1,
        received=0.0,
    )


def ask(static: Static, raw: str, method: str = "GET", **fields: str) -> Response:
    """Send a target as a client spells it to a handler that is mounted at "/"."""
    request = request_for(target.parse(raw, method), method, **fields)
    return run(static(request, request.path))


def status_of(static: Static, raw: str, method: str = "GET", **fields: str) -> int:
    """Return the status alone, of a response or of an error."""
    try:
        response = ask(static, raw, method, **fields)
    except HTTPError as error:
        return error.status
    run(response.close())
    return response.status


def content_of(response: Response) -> bytes:
    """Return a file's body as it would go out, and close the response."""
    try:
        match response.body:
            case Bytes(data=data):
                return data
            case FileSlice(fd=fd, start=start, length=length):
                return os.pread(fd, length, start)
            case FileParts(fd=fd, parts=parts, end=end):
                pieces = (before + os.pread(fd, length, start) for before, start, length in parts)
                return b"".join(pieces) + end
            case _:
                return b""
    finally:
        run(response.close())


def get(static: Static, raw: str, **fields: str) -> bytes:
    """Return the content behind a target."""
    return content_of(ask(static, raw, **fields))


def field(response: Response, name: str) -> str | None:
    """Return a field's only value."""
    values = [value for key, value in response.fields if key.lower() == name.lower()]
    assert len(values) < 2, f"{name} comes {len(values)} times"
    return values[0] if values else None


def refusal_of(static: Static, raw: str, method: str = "GET", **fields: str) -> HTTPError:
    """Return the error that a request is refused with."""
    try:
        response = ask(static, raw, method, **fields)
    except HTTPError as error:
        return error
    run(response.close())
    raise AssertionError(f"{method} {raw} was answered with {response.status}")


def wait_for_tick(path: Path) -> None:
    """Return when a change of the file from now on gets another timestamp than its last one."""
    last = path.stat().st_ctime_ns
    scratch = path.with_name(f".{path.name}.tick")
    deadline = time.monotonic() + DEADLINE
    while True:
        scratch.write_bytes(b"")
        if scratch.stat().st_ctime_ns > last:
            break
        assert time.monotonic() < deadline, "the file system's clock stands still"
    scratch.unlink()


def open_fds() -> set[str]:
    """Return the descriptors of this process, with what they point to."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue  # the listing's own
    return found
