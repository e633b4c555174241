"""Every case of the corpus: whole, byte by byte, in two at every offset, and with a request behind.

Each of them with no memory of heads and with one that knows every head of the corpus.
"""

from typing import Any

import pytest

from forkhttpd.http1.memory import HeadMemory
from tests.http1.transcript import LIMITS, Received, Transcript, bytewise, transcribe
from tests.wire.corpus import Case, load

CASES = load()
SECOND = b"GET /second HTTP/1.1\r\nHost: second.example\r\n\r\n"


def _full_memory() -> HeadMemory:
    memory = HeadMemory(LIMITS)
    for case in CASES:
        transcribe([case.raw + SECOND], memory=memory)
    return memory


MEMORIES = {"no memory": None, "every head known": _full_memory()}


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture(params=MEMORIES)
def memory(request: pytest.FixtureRequest) -> HeadMemory | None:
    return MEMORIES[request.param]


def test_whole(case: Case, memory: HeadMemory | None) -> None:
    check(case, transcribe([case.raw], memory=memory))


def test_byte_by_byte(case: Case, memory: HeadMemory | None) -> None:
    check(case, transcribe(bytewise(case.raw), memory=memory))


def test_split_at_every_offset(case: Case, memory: HeadMemory | None) -> None:
    for offset in range(1, len(case.raw)):
        check(case, transcribe([case.raw[:offset], case.raw[offset:]], memory=memory))


def test_in_one_piece_with_a_second_request(case: Case, memory: HeadMemory | None) -> None:
    if not case.incomplete:
        check_second(case, transcribe([case.raw + SECOND], memory=memory))


def test_H4_a_second_request_is_parsed_after_a_good_one_only(
    case: Case, memory: HeadMemory | None
) -> None:
    if not case.incomplete:
        check_second(case, transcribe([case.raw, SECOND], memory=memory))
        check_second(case, transcribe([*bytewise(case.raw), SECOND], memory=memory))


def test_the_corpus_is_large_and_names_its_requirements() -> None:
    assert len(CASES) >= 150
    named = {case.name.split("_")[0] for case in CASES}
    assert {"H1", "H2", "H3", "H4", "H5", "H6", "H7", "H13", "H14"} <= named


def test_the_corpus_has_kept_its_line_ends() -> None:
    assert all(b"\r" in case.raw for case in CASES if case.goes_on)


def check(case: Case, transcript: Transcript) -> None:
    assert transcript.error == case.error
    assert [_only(seen, of=wanted) for seen, wanted in _pairs(case, transcript)] == case.requests
    assert all(request.whole for request in transcript.requests[:-1])
    if transcript.requests and case.goes_on:
        assert transcript.requests[-1].whole


def check_second(case: Case, transcript: Transcript) -> None:
    if not case.goes_on:
        check(case, transcript)
        return
    second = transcript.requests.pop()
    assert (second.line.target.path, second.section.host) == ("/second", "second.example")
    assert second.whole
    check(case, transcript)


def _pairs(case: Case, transcript: Transcript) -> list[tuple[Received, dict[str, Any]]]:
    assert len(transcript.requests) == len(case.requests)
    return list(zip(transcript.requests, case.requests, strict=True))


def _only(request: Received, *, of: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a request that the case names."""
    line, section = request.line, request.section
    seen = {
        "method": line.method,
        "path": line.target.path,
        "query": line.target.query,
        "version": int(line.version),
        "host": section.host,
        "length": section.length,
        "keep_alive": section.keep_alive,
        "expects_continue": section.expects_continue,
        "fields": [list(item) for item in section.fields],
        "body": None if request.body is None else request.body.decode("latin-1"),
    }
    return {name: seen[name] for name in of}
