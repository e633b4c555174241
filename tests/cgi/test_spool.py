"""A chunked body in one piece, with a true length (C3)."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.handlers.cgi.spool import MEMORY_LIMIT, spool
from forkhttpd.http1.errors import HTTPError
from tests.handlers.driver import open_fds, run


class Pieces:
    """A body of these pieces, and perhaps a failure behind them."""

    length = None
    is_read = False
    can_be_discarded = True

    def __init__(self, *pieces: bytes, failure: Exception | None = None) -> None:
        self._pieces = iter(pieces)
        self._failure = failure

    async def discard(self) -> bool:
        return True

    async def invite(self) -> None:
        pass

    async def read(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece and self._failure is not None:
            raise self._failure
        return piece


@pytest.fixture(params=["disk", "no disk"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path if request.param == "disk" else tmp_path / "none")
    yield request.param
    tempfile.tempdir = before


def read(fd: int) -> bytes:
    """Read from where a program would begin, and close."""
    with os.fdopen(fd, "rb") as file:
        return file.read()


@pytest.mark.usefixtures("directory")
@given(sizes=st.lists(st.sampled_from([1, 1000, 65536, MEMORY_LIMIT]), max_size=8))
def test_it_holds_all_and_says_how_much(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes, 65)]
    fd, length = run(spool(Pieces(*pieces)))
    assert length == sum(sizes)
    assert read(fd) == b"".join(pieces)


@pytest.mark.parametrize("size", [0, MEMORY_LIMIT, MEMORY_LIMIT + 1])
def test_what_is_large_goes_to_a_file_without_a_name(directory: str, size: int) -> None:
    fd, _ = run(spool(Pieces(bytes(size // 2), bytes(size - size // 2))))
    try:
        status = os.fstat(fd)
        in_memory = "memfd:" in os.readlink(f"/proc/self/fd/{fd}")
        assert in_memory == (size <= MEMORY_LIMIT or directory == "no disk")
        assert stat.S_ISREG(status.st_mode)
        assert status.st_nlink == 0
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("size", [10, MEMORY_LIMIT + 10])
def test_a_body_that_breaks_off_leaves_nothing_open(size: int) -> None:
    before = open_fds()
    with pytest.raises(HTTPError):
        run(spool(Pieces(bytes(size), failure=HTTPError(408))))
    assert open_fds() == before
