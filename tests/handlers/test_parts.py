"""S5: several parts of a file in one answer."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forkhttpd.handlers.files import MEDIUM
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.response import Bytes, FileParts, FileSlice, Response
from tests.handlers.driver import Serve, ask, at, content_of, field, open_fds, refusal_of, run

LARGE = os.urandom(3 * MEDIUM)


def parts_of(response: Response) -> list[tuple[str, bytes]]:
    """Return Content-Range and content of each part of an answer, taken apart strictly."""
    boundary = re.fullmatch(
        r"multipart/byteranges; boundary=([0-9a-f]{24})", field(response, "Content-Type") or ""
    )
    assert boundary
    assert field(response, "Content-Range") is None
    opening, *parts, end = content_of(response).split(f"\r\n--{boundary[1]}".encode())
    assert (opening, end) == (b"", b"--\r\n")
    found = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        match = re.fullmatch(
            rb"\r\nContent-Type: application/octet-stream\r\nContent-Range: (bytes \d+-\d+/\d+)",
            head,
        )
        assert match
        found.append((match[1].decode(), content))
    return found


@pytest.mark.parametrize("size", [MEDIUM, MEDIUM + 1, len(LARGE)])
def test_S5_several_parts_of_a_file(serve: Serve, root: Path, size: int) -> None:
    (root / "file").write_bytes(LARGE[:size])
    static = serve()
    for _ in range(2):  # the second time from the cache
        response = ask(static, "/file", range="bytes=10-19, -5, 1000-1999")
        assert response.status == 206
        assert isinstance(response.body, Bytes if size <= MEDIUM else FileParts)
        assert field(response, "ETag")
        assert parts_of(response) == [
            (f"bytes 10-19/{size}", LARGE[10:20]),
            (f"bytes {size - 5}-{size - 1}/{size}", LARGE[size - 5 : size]),
            (f"bytes 1000-1999/{size}", LARGE[1000:2000]),
        ]


def test_S5_a_boundary_is_used_once(serve: Serve, root: Path) -> None:
    (root / "file").write_bytes(LARGE)
    static = serve()
    types = set()
    for _ in range(5):
        response = ask(static, "/file", range="bytes=0-0,1000-1000")
        types.add(field(response, "Content-Type"))
        run(response.close())
    assert len(types) == 5


def test_S5_parts_that_are_no_less_than_the_file_are_the_file(serve: Serve, page: Path) -> None:
    page.write_bytes(LARGE[:1500])
    response = ask(serve(), "/page.html", range="bytes=0-700,900-")
    assert (response.status, content_of(response)) == (200, LARGE[:1500])


def test_S5_sixteen_parts_and_no_more(serve: Serve, root: Path) -> None:
    (root / "file").write_bytes(LARGE)
    wanted = [f"{start}-{start}" for start in range(0, 17_000, 1000)]
    assert len(parts_of(ask(serve(), "/file", range="bytes=" + ",".join(wanted[:16])))) == 16
    response = ask(serve(), "/file", range="bytes=" + ",".join(wanted))
    assert response.status == 200
    run(response.close())


def test_S5_of_several_ranges_those_that_there_are(serve: Serve, root: Path) -> None:
    (root / "file").write_bytes(LARGE)
    response = ask(serve(), "/file", range=f"bytes={len(LARGE)}-, 0-0, {len(LARGE) + 7}-")
    assert field(response, "Content-Range") == f"bytes 0-0/{len(LARGE)}"
    assert content_of(response) == LARGE[:1]
    error = refusal_of(serve(), "/file", range=f"bytes={len(LARGE)}-,{len(LARGE)}-")
    assert error.fields == (("Content-Range", f"bytes */{len(LARGE)}"),)


def test_S5_nothing_stays_open_and_a_part_owns_its_file(serve: Serve, root: Path) -> None:
    (root / "file").write_bytes(LARGE)
    static = serve()
    before = open_fds()
    response = ask(static, "/file", range="bytes=0-0,1000-1000")
    assert len(open_fds()) == len(before) + 1
    run(response.close())
    run(response.close())
    assert open_fds() == before


spec = st.tuples(st.integers(0, len(LARGE)), st.integers(0, len(LARGE))).map(
    lambda pair: f"{min(pair)}-{max(pair)}"
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(specs=st.lists(spec, min_size=1, max_size=16), size=st.sampled_from([900, len(LARGE)]))
def test_S5_no_answer_is_longer_than_the_file(root: Path, specs: list[str], size: int) -> None:
    (root / "file").write_bytes(LARGE[:size])
    static = at("/", root)
    try:
        response = ask(static, "/file", range="bytes=" + ",".join(specs))
    except HTTPError as error:
        if error.status != 416:
            raise
        return
    match response.body:
        case Bytes(data=data):
            length = len(data)
        case FileSlice() | FileParts() as body:
            length = body.length
        case _:
            raise AssertionError(response.body)
    assert length <= size
    run(response.close())
