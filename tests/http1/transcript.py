"""What a parser makes of some input, as a value that can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.limits import ParserLimits
from forkhttpd.http1.memory import HeadMemory
from forkhttpd.http1.parser import Parser
from forkhttpd.http1.request import HeaderSection, RequestLine

LIMITS = ParserLimits(request_line=200, header=600, header_fields=12)


@dataclass
class Received:
    """One request; its body is None when it turned out to be malformed."""

    line: RequestLine
    section: HeaderSection
    body: bytes | None = b""
    whole: bool = False

    def view(self) -> tuple[object, ...]:
        section = self.section
        meaning = (section.host, section.length, section.keep_alive, section.expects_continue)
        return self.line, section.fields.items, meaning, self.body, self.whole


@dataclass
class Transcript:
    """All that was received, and the status of the error that ended it."""

    requests: list[Received] = field(default_factory=list)
    error: int | None = None

    def view(self) -> tuple[object, ...]:
        return [request.view() for request in self.requests], self.error


def transcribe(
    pieces: Iterable[bytes], *, limits: ParserLimits = LIMITS, memory: HeadMemory | None = None
) -> Transcript:
    """Feed pieces to a new parser, pulling after each of them all that there is."""
    parser = Parser(limits, memory)
    transcript = Transcript()
    for piece in pieces:
        parser.feed(piece)
        try:
            _pull(parser, transcript)
        except HTTPError as error:
            _note(error, transcript)
            assert not parser.buffered
            assert not parser.started
    return transcript


def _note(error: HTTPError, transcript: Transcript) -> None:
    assert error.close
    assert transcript.error in (None, error.status), "another error after the first one (H4)"
    if transcript.error is None and transcript.requests and not transcript.requests[-1].whole:
        transcript.requests[-1].body = None
    transcript.error = error.status


def _pull(parser: Parser, transcript: Transcript) -> None:
    while _body_is_whole(parser, transcript.requests):
        head = parser.next_request()
        if head is None:
            return
        assert transcript.error is None, "a request after an error (H4)"
        transcript.requests.append(Received(*head))


def _body_is_whole(parser: Parser, requests: list[Received]) -> bool:
    return not requests or requests[-1].whole or _pull_body(parser, requests[-1])


def _pull_body(parser: Parser, request: Received) -> bool:
    while (data := parser.next_data()) is not None:
        if not data:
            request.whole = True
            return True
        request.body = (request.body or b"") + data
    return False


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]
