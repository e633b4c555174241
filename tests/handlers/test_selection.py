"""What of a file is sent: S6, by what the client has already; S5, by the part it asks for."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forkhttpd.http1.dates import format_date, parse_date
from forkhttpd.http1.response import Empty, FileSlice
from tests.handlers.driver import (
    Serve,
    ask,
    at,
    content_of,
    field,
    get,
    open_fds,
    refusal_of,
    run,
    status_of,
)

LARGE = bytes(range(256)) * 600  # 153 600 bytes: beyond MEDIUM


def test_S6_304_has_the_etag_and_no_more(serve: Serve, page: Path) -> None:
    static = serve()
    etag = field(ask(static, "/page.html"), "ETag")
    assert etag is not None
    for method in ("GET", "HEAD"):
        response = ask(static, "/page.html", method, if_none_match=etag)
        assert response.status == 304
        assert response.fields == (("ETag", etag),)
        assert isinstance(response.body, Empty)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": 'W/"other", {etag}'}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_modified_since": "Tue, 14 Nov 2023 22:13:20 GMT"}, 304),
        ({"if_modified_since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        (
            {"if_none_match": '"other"', "if_modified_since": "Tue, 14 Nov 2023 22:13:20 GMT"},
            200,
        ),
        ({"if_match": "{etag}"}, 200),
        ({"if_match": "W/{etag}"}, 412),
        ({"if_match": '"other"'}, 412),
        ({"if_unmodified_since": "Tue, 14 Nov 2023 22:13:20 GMT"}, 200),
        ({"if_unmodified_since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 412),
        ({"if_match": '"other"', "if_none_match": "{etag}"}, 412),
        ({"if_none_match": "{etag}", "range": "bytes=0-1"}, 304),
        ({"if_match": '"other"', "range": "bytes=0-1"}, 412),
    ],
)
@pytest.mark.parametrize("name", ["page.html", "large.bin"])
def test_S6_conditions_in_their_order(
    serve: Serve, root: Path, name: str, fields: dict[str, str], status: int
) -> None:
    (root / name).write_bytes(LARGE if name == "large.bin" else b"0123456789")
    os.utime(root / name, (1_700_000_000, 1_700_000_000))
    static = serve(clock=lambda: time.time() + 60)
    whole = ask(static, f"/{name}")
    etag = field(whole, "ETag") or ""
    run(whole.close())
    sent = {key: value.replace("{etag}", etag) for key, value in fields.items()}
    before = open_fds()
    assert status_of(static, f"/{name}", **sent) == status
    assert open_fds() == before


def test_S6_the_etag_says_nothing_of_inode_or_device(serve: Serve, root: Path) -> None:
    for name in ("one", "two"):
        (root / name).write_text("same")
        os.utime(root / name, ns=(1, 1_700_000_000_000_000_001))
    static = serve()
    one, two = (field(ask(static, f"/{name}"), "ETag") for name in ("one", "two"))
    assert one == two
    assert one is not None
    assert one.startswith('"')  # strong
    os.utime(root / "two", ns=(1, 1_700_000_000_000_000_002))
    assert field(ask(static, "/two"), "ETag") != one


def test_S6_last_modified_is_never_in_the_future(serve: Serve, page: Path) -> None:
    os.utime(page, (1, time.time() + 86400))
    response = ask(serve(), "/page.html")
    told = parse_date(field(response, "Last-Modified") or "")
    assert told is not None
    assert told <= time.time()
    assert status_of(serve(), "/page.html", if_none_match=field(response, "ETag") or "") == 304


@pytest.mark.parametrize("seconds", [-(2**40), -1, 0, 2**33])
def test_times_that_no_calendar_has(serve: Serve, page: Path, seconds: int) -> None:
    try:
        os.utime(page, (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("the file system does not hold this time")
    assert status_of(serve(), "/page.html") == 200


WHOLE = (200, b"0123456789")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", (206, b"0", "bytes 0-0/10")),
        ("bytes=0-3", (206, b"0123", "bytes 0-3/10")),
        ("bytes=5-", (206, b"56789", "bytes 5-9/10")),
        ("bytes=-3", (206, b"789", "bytes 7-9/10")),
        ("bytes=-100", (206, b"0123456789", "bytes 0-9/10")),
        ("bytes=9-100", (206, b"9", "bytes 9-9/10")),
        ("BYTES=1-2", (206, b"12", "bytes 1-2/10")),
        ("bytes=0-1,3-4", (206, b"01234", "bytes 0-4/10")),
        ("bytes=0-,0-,0-", (206, b"0123456789", "bytes 0-9/10")),
        ("bytes=3-1", (*WHOLE, None)),
        ("bytes=a-b", (*WHOLE, None)),
        ("lines=0-1", (*WHOLE, None)),
        ("bytes=", (*WHOLE, None)),
        ("", (*WHOLE, None)),
    ],
)
def test_S5_ranges(
    serve: Serve, page: Path, value: str, expected: tuple[int, bytes, str | None]
) -> None:
    assert page.read_bytes() == WHOLE[1]
    static = serve()
    for _ in range(2):  # the second time from the cache
        response = ask(static, "/page.html", range=value)
        said = field(response, "Content-Range")
        assert (response.status, content_of(response), said) == expected


@pytest.mark.parametrize(("name", "size"), [("page.html", 10), ("large.bin", 153_600)])
def test_S5_beyond_the_end_is_416_with_the_size(
    serve: Serve, page: Path, name: str, size: int
) -> None:
    page.with_name("large.bin").write_bytes(LARGE)
    static = serve()
    before = open_fds()
    for value in (f"bytes={size}-", f"bytes={size + 1}-{size + 5}", "bytes=-0"):
        error = refusal_of(static, f"/{name}", range=value)
        assert error.status == 416
        assert error.fields == (("Content-Range", f"bytes */{size}"),)
    assert open_fds() == before


@pytest.mark.parametrize(
    ("value", "start", "length"),
    [("bytes=0-0", 0, 1), ("bytes=153599-", 153599, 1), ("bytes=-5000", 148600, 5000)],
)
def test_S5_single_ranges_of_a_large_file_are_slices_of_it(
    serve: Serve, root: Path, value: str, start: int, length: int
) -> None:
    (root / "file").write_bytes(LARGE)
    response = ask(serve(), "/file", range=value)
    assert response.status == 206
    assert isinstance(response.body, FileSlice)
    assert (response.body.start, response.body.length) == (start, length)
    assert content_of(response) == LARGE[start : start + length]


def test_S5_of_an_empty_file(serve: Serve, root: Path) -> None:
    (root / "file").write_bytes(b"")
    assert status_of(serve(), "/file", range="bytes=0-") == 416


def test_S5_head_knows_no_ranges(serve: Serve, page: Path) -> None:
    assert status_of(serve(), "/page.html", "HEAD", range="bytes=0-1") == 200


def test_S5_if_range(serve: Serve, page: Path) -> None:
    static = serve()
    etag = field(ask(static, "/page.html"), "ETag") or ""
    wanted = {"range": "bytes=0-1"}
    assert status_of(static, "/page.html", **wanted, if_range=etag) == 206
    assert status_of(static, "/page.html", **wanted, if_range=f"W/{etag}") == 200
    assert status_of(static, "/page.html", **wanted, if_range='"other"') == 200
    assert status_of(static, "/page.html", **wanted, if_range=format_date(1.7e9)) == 206
    assert status_of(static, "/page.html", **wanted, if_range=format_date(1.7e9 + 1)) == 200


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.one_of(st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True), st.text()))
def test_S5_an_answer_is_always_a_part_of_the_file(root: Path, value: str) -> None:
    (root / "file").write_bytes(LARGE[:300])
    static = at("/", root)
    status = status_of(static, "/file", range=value)
    assert status in (200, 206, 416)
    if status != 416:
        assert get(static, "/file", range=value) in LARGE[:300]
