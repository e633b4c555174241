"""Answers that are known beforehand: what was asked, byte for byte, and what was answered.

Of a request for a file hardly anything has to be found out twice.  So the two parts of a head are
remembered under their exact bytes, as the parser does (`http1/memory.py`, whose rules for what may
be remembered apart are these, too), and with them the answer.  Its proof is asked each time, so no
answer is older than the question (S9).

    head  = line CRLF rest           the rest is remembered with the version before it
    kinds[rest]                      a Kind: all rests that make no difference share their answers
    kinds[rest].answers[line]        the Answer

The whole head as one key would save 0.3 µs of 4.7, and know nothing of a thousand files that a
hundred browsers ask for.

To most files, all rests with the same host are alike.  A rest with a condition (If-None-Match,
Range …) has answers of its own.

What stays out: whatever is not answered by one file alone (`Router.proof`), and all that the
parser's memory leaves out.  Full means forgotten, here as there.
"""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from forkhttpd.http1.memory import stands_alone
from forkhttpd.http1.request import HeaderSection, Request, RequestLine
from forkhttpd.http1.response import Bytes, FileSlice, Proof, Rendered, Response

CRLF: Final = b"\r\n"
VERSION_BYTES: Final = len(b"HTTP/1.1")
_END: Final = b"\r\n\r\n"
_LINE_BYTES: Final = 512
_REST_BYTES: Final = 2048
_MOST_KINDS: Final = 1024
_MOST_BYTES: Final = 16 << 20
_OVERHEAD: Final = 1024  # bytes of memory of an answer besides its content and its line, about
_COPIES: Final = 2  # of the content: itself, and in the answer as it was last sent
_LINE_COPIES: Final = 6  # as asked, read, logged, and in parts: its target is nearly all of it


class Page(NamedTuple):
    """An answer as it was rendered for one id: what is between the ids, and behind the last one
    the content of the file, which is shared; told: of it in the access log.
    """

    rendered: Rendered
    pieces: list[bytes]
    content: bytes
    told: str


@dataclass(slots=True)
class Named:
    """An answer that has the request's id in it, so many times: as it is in this second, by the
    length of the id.
    """

    times: int
    date: str = ""
    pages: dict[int, Page] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """What was answered, and what proves that it still would be.

    told: of it in the access log, behind the time; variant: see `Rendered`; named: None but for a
    response that has the request's id in it; part: None but for one that is sent from a file, of
    which `response` is the head.
    """

    line: RequestLine
    response: Response
    proof: Proof
    told: str
    variant: int
    named: Named | None = None
    part: FileSlice | None = None


@dataclass(slots=True)
class Kind:
    """A header section, with the answers to all lines that came with it or with one like it.

    told: of the section in the access log, at the end of the line.
    """

    section: HeaderSection
    told: str
    answers: dict[bytes, Answer] = field(default_factory=dict)


@dataclass(slots=True)
class Unsent:
    """What is left of a file to be sent: `part` owns its descriptor; sent: bytes so far; received:
    monotonic seconds.
    """

    kind: Kind
    answer: Answer
    part: FileSlice
    sent: int
    received: float


class Answers:
    """The memory of one worker.  `kinds` is for looking up; who drains has none."""

    __slots__ = ("_alike", "_bytes", "_is_closed", "kinds")

    def __init__(self, *, is_closed: bool = False) -> None:
        self.kinds: dict[bytes, Kind] = {}
        self._alike: dict[tuple[str, bool], dict[bytes, Answer]] = {}
        self._bytes = 0
        self._is_closed = is_closed

    def keep(self, head: bytes, request: Request, answer: Answer, *, told: str) -> None:
        """Keep the answer to a head, if it is one; `told` is of its section in the access log."""
        line, section = request.line, request.section
        end = head.find(CRLF)
        rest = head[end - VERSION_BYTES :]
        if (
            self._is_closed
            or not VERSION_BYTES < end <= _LINE_BYTES  # 0: an empty line came first
            or len(rest) > _REST_BYTES
            or head.find(_END) != len(head) - len(_END)
            or not stands_alone(line, section)
        ):
            return
        answers = self._kind(rest, section, told).answers
        known = answers.get(head[:end])
        answers[head[:end]] = answer
        self._bytes += _weight(answer) - (0 if known is None else _weight(known))
        if self._bytes > _MOST_BYTES:
            self._forget()

    def close(self) -> None:
        """Forget all, and remember nothing any more."""
        self._is_closed = True
        self._forget()

    def _kind(self, rest: bytes, section: HeaderSection, told: str) -> Kind:
        kind = self.kinds.get(rest)
        if kind is None:
            if len(self.kinds) >= _MOST_KINDS:
                self._forget()
            kind = self.kinds[rest] = Kind(section, told)
            if not section.conditional:
                alike = (section.host, section.keep_alive)
                kind.answers = self._alike.setdefault(alike, kind.answers)
        return kind

    def _forget(self) -> None:
        self.kinds.clear()
        self._alike.clear()
        self._bytes = 0


def _weight(answer: Answer) -> int:
    body = answer.response.body
    content = len(body.data) if isinstance(body, Bytes) else 0
    return _OVERHEAD + _LINE_COPIES * len(answer.line.text) + _COPIES * content


def with_id(response: Response, id: str) -> Response:  # noqa: A002 - the field's term
    """Return a response that says what the request was called; who shares it does not see that."""
    others = tuple(item for item in response.fields if item[0].lower() != "x-request-id")
    return replace(response, fields=(*others, ("X-Request-ID", id)), rendered=None)
