"""Output that waits: in order, whole, and bounded, with and without a disk (C20)."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.handlers.cgi.spill import MEMORY_LIMIT, Spill
from tests.handlers.driver import open_fds

PIECE = 1 << 16
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([1, 100, PIECE, 3 * PIECE, MEMORY_LIMIT])),
        st.tuples(st.just("take"), st.just(1)),
        st.tuples(st.just("take"), st.just(20)),
    ),
    max_size=40,
)


@pytest.fixture(params=["disk", "no disk"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Where temporary files go; and a place where none can be made."""
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path if request.param == "disk" else tmp_path / "none")
    yield
    tempfile.tempdir = before


def content(serial: int, length: int) -> bytes:
    """Return bytes that are like no others nearby."""
    seed = b"%06d" % serial
    return (seed * (length // len(seed) + 1))[:length]


@pytest.mark.usefixtures("directory")
@given(steps=STEPS)
def test_what_comes_out_is_what_went_in(steps: list[tuple[str, int]]) -> None:
    model = bytearray()
    kept = Spill(1 << 30)
    try:
        for serial, (step, size) in enumerate(steps):
            if step == "put":
                kept.put(content(serial, size))
                model += content(serial, size)
            else:
                _take(kept, model, size)
            assert kept.size == len(model)
        _take(kept, model, 1 << 20)
        assert (kept.take(), kept.size, kept.is_full) == (b"", 0, False)
    finally:
        kept.close()


def _take(kept: Spill, model: bytearray, times: int) -> None:
    for _ in range(times):
        piece = kept.take()
        assert piece == model[: len(piece)]
        assert bool(piece) == bool(model)
        del model[: len(piece)]
        if not model:
            return


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("limit", [0, 1, PIECE, 1 << 20])
def test_it_is_full_at_its_limit_and_takes_one_piece_always(limit: int) -> None:
    kept = Spill(limit)
    try:
        taken = 0
        while not kept.is_full:
            kept.put(bytes(PIECE))
            taken += PIECE
            assert taken <= max(limit, 1) + PIECE
        assert taken > 0
        while kept.take():
            pass
        assert not kept.is_full
    finally:
        kept.close()


def test_without_a_disk_memory_is_bounded(tmp_path: Path) -> None:
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path / "none")
    kept = Spill(1 << 30)
    try:
        pieces = 0
        while not kept.is_full:
            kept.put(bytes(PIECE))
            pieces += 1
            assert pieces * PIECE <= MEMORY_LIMIT + PIECE
    finally:
        kept.close()
        tempfile.tempdir = before


@pytest.mark.usefixtures("directory")
def test_a_disk_that_is_lost_on_the_way_changes_no_order(tmp_path: Path) -> None:
    """What is in the file comes back into memory, before what came later."""
    kept, model = Spill(1 << 30), bytearray()
    try:
        for serial in range(12):
            kept.put(content(serial, PIECE))
            model += content(serial, PIECE)
        _take(kept, model, 6)
        if kept._fd >= 0:
            read_only = os.open(f"/proc/self/fd/{kept._fd}", os.O_RDONLY)
            os.dup2(read_only, kept._fd, inheritable=False)  # writing fails from now on: EBADF
            os.close(read_only)
        for serial in range(12, 15):
            kept.put(content(serial, PIECE))
            model += content(serial, PIECE)
        _take(kept, model, 1000)
        assert kept.take() == b""
    finally:
        kept.close()


@pytest.mark.usefixtures("directory")
def test_closing_leaves_nothing_open() -> None:
    before = open_fds()
    kept = Spill(1 << 30)
    for _ in range(10):
        kept.put(bytes(PIECE))
    kept.close()
    kept.close()
    assert open_fds() == before
    assert kept.size == 0
    assert kept.take() == b""


def test_the_file_does_not_grow_with_what_has_been_taken(tmp_path: Path) -> None:
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path)
    kept = Spill(1 << 30)
    try:
        for _ in range(5):
            for _ in range(20):
                kept.put(bytes(PIECE))
            while kept.take():
                pass
            assert os.fstat(kept._fd).st_size == 0
    finally:
        kept.close()
        tempfile.tempdir = before
