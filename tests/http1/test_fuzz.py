"""Any input at all: what the wire corpus grows into, by hypothesis and by a coverage-guided fuzzer.

The latter is bounded by a number of inputs and begins with a seed of its own, so that a run is like
the one before it; to look further, give it more time by hand (see fuzz.py).
"""

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forkhttpd.http1.errors import HTTPError
from tests.http1.properties import check
from tests.http1.reader import read_all
from tests.http1.transcript import transcribe
from tests.wire import corpus

CASES = corpus.load()
INPUTS = 2000  # about 5 s
SECONDS = 12  # at most, on a busy machine

GET = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
FRAGMENTS = (
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"1",
    b"f",
    b"_",
    b"\xff",
    b"0\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: y\r\n",
    b"HTTP/1.0",
    b"http://y",
    GET,
)

# Where, how many bytes go, what comes in their place.
edits = st.tuples(st.integers(0, 10_000), st.integers(0, 4), st.sampled_from(FRAGMENTS))


@given(st.sampled_from(CASES), st.sampled_from(CASES), st.lists(edits, max_size=4), st.booleans())
def test_H4_whatever_the_corpus_grows_into(
    first: corpus.Case, second: corpus.Case, changes: list[tuple[int, int, bytes]], joined: bool
) -> None:
    data = first.raw + (second.raw if joined else GET)
    for place, gone, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + gone :]
    check(data)


@given(st.lists(st.sampled_from([GET, *(case.raw for case in CASES)]), max_size=4).map(b"".join))
@example(GET * 3)
def test_what_two_readers_accept_means_the_same_to_both(data: bytes) -> None:
    check(data)


def test_the_strict_reader_accepts_what_is_good() -> None:
    """Or else the two would agree about nothing."""
    for case in CASES:
        if case.name.startswith("good_"):
            readings = read_all(case.raw)
            assert [reading.method.decode() for reading in readings] == [
                request["method"] for request in case.requests
            ], case.name
            assert [reading.body.decode("latin-1") for reading in readings] == [
                request["body"] for request in case.requests
            ], case.name


def test_the_properties_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes a length for another one is found out."""
    monkeypatch.setattr("tests.http1.properties.read_all", lambda data: read_all(data[:-1]))
    with pytest.raises(AssertionError):
        check(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
    monkeypatch.undo()
    monkeypatch.setattr("tests.http1.properties.transcribe", _leaky)
    with pytest.raises(HTTPError):
        check(b"nonsense\r\n")


def _leaky(pieces: list[bytes], **_: object) -> object:
    transcript = transcribe(pieces)
    if transcript.error:
        raise HTTPError(transcript.error)
    return transcript


def test_H4_nothing_that_coverage_leads_to(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        message = "pip install atheris, where there is one for this machine"
        expected = platform.machine() == "x86_64" and sys.version_info < (3, 14)
        if os.environ.get("CI") and expected:
            pytest.fail(message)
        pytest.skip(message)
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for file in Path(corpus.__file__).parent.glob("*.http"):
        shutil.copy(file, seeds)
    limits = (f"-runs={INPUTS}", f"-max_total_time={SECONDS}", "-max_len=800", "-seed=1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.http1.fuzz", str(seeds), *limits],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}"
    assert "Done " in done.stderr
