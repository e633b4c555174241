"""What must be true of the parser for any input."""

import functools
import random
from itertools import pairwise

from forkhttpd.http1.memory import HeadMemory
from tests.http1.reader import Reading, read_all
from tests.http1.transcript import LIMITS, Received, Transcript, bytewise, transcribe
from tests.wire import corpus


def check(data: bytes) -> None:
    """Fail unless all is true of some input.

    Nothing but HTTPError is raised, and no request comes after one (`transcribe` sees to that).
    It means the same whole, byte by byte, in pieces, and to a parser that knows every head of the
    corpus; and whatever is read as a request is read as the same one by the strict reader.
    """
    whole = transcribe([data])
    chance = random.Random(data)
    for pieces in (bytewise(data), _pieces(data, chance)):
        assert _agree(transcribe(pieces), whole)
    assert _agree(transcribe([data], memory=_memory()), whole)
    ours = [_reading(request) for request in whole.requests if request.whole]
    theirs = read_all(data)[: len(ours)]
    assert ours == [_without_underscores(reading) for reading in theirs]


def _agree(one: Transcript, other: Transcript) -> bool:
    """Whether both are the same, but for which of two mistakes in a chunked body comes first.

    What is malformed and beyond the limit is 400 when both are read at once, and 431 when the
    limit is: it counts what has been read so far.
    """
    errors = {one.error, other.error}
    return one.view()[0] == other.view()[0] and (len(errors) == 1 or errors == {400, 431})


@functools.cache
def _memory() -> HeadMemory:
    memory = HeadMemory(LIMITS)
    for case in corpus.load():
        transcribe([case.raw], memory=memory)
    return memory


def _pieces(data: bytes, chance: random.Random) -> list[bytes]:
    bounds = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
    return [data[start:end] for start, end in pairwise([0, *bounds, len(data)])]


def _reading(request: Received) -> Reading:
    """Return what the parser made of a request, in the strict reader's words."""
    line, section = request.line, request.section
    fields = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in section.fields)
    return Reading(
        method=line.method.encode(),
        target=line.target.raw.encode("latin-1"),
        minor=int(line.version) % 10,
        fields=tuple(item for item in fields if item[0] != b"host"),
        body=request.body or b"",
        stays=section.keep_alive,
    )


def _without_underscores(reading: Reading) -> Reading:
    """H13; and Host may have been replaced by the target's authority (RFC 9112 §3.2.2)."""
    fields = (item for item in reading.fields if b"_" not in item[0] and item[0] != b"host")
    return Reading(
        reading.method, reading.target, reading.minor, tuple(fields), reading.body, reading.stays
    )
