"""The table: RFC 9110 and RFC 9112 section by section, what we do, and what holds us to it.

Each RFC is a TOML file, each section a table:

title   of the section
does    what we do, in words; "nothing: …" where nobody could see it
case    an exchange with the real daemon:
            ask     what the client sends; a line end here is CRLF on the wire
            answer  the answers in their order: status; method, when it is not GET; fields that are
                    there and absent ones that are not; body
            closes  whether the connection ends then; else the next request on it is answered
tests   other tests that hold it: FILE::NAME, `*` for all of a file
wire    cases of tests/wire that hold it

In fields and body, `…` stands for any text.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.daemon import Reply

RFCS = ("9110", "9112")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer has to be like."""

    status: int
    method: str
    fields: dict[str, str]
    absent: list[str]
    body: str | None

    def check(self, reply: Reply) -> None:
        assert reply.status == self.status, reply
        for name, pattern in self.fields.items():
            assert matches(pattern, reply.fields.get(name.lower(), "")), (name, reply.fields)
        for name in self.absent:
            assert name.lower() not in reply.fields
        assert self.body is None or matches(self.body, reply.body.decode("latin-1")), reply.body


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange."""

    name: str
    ask: bytes
    answers: list[Answer]
    closes: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A section of an RFC."""

    rfc: str
    number: str
    title: str
    does: str
    cases: list[Case]
    tests: list[str]
    wire: list[str]

    @property
    def name(self) -> str:
        return f"RFC {self.rfc} §{self.number}"


def load() -> list[Section]:
    """Return every section of the table.  Raises ValueError for what is not as said above."""
    sections = []
    for rfc in RFCS:
        text = Path(__file__).with_name(f"rfc{rfc}.toml").read_text()
        sections += [_section(rfc, *item) for item in tomllib.loads(text).items()]
    return sections


def matches(pattern: str, text: str) -> bool:
    """Whether a text is as the pattern has it, where `…` stands for any text."""
    expression = ".*".join(map(re.escape, pattern.split("…")))
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _section(rfc: str, number: str, said: dict[str, Any]) -> Section:
    _refuse_unknown(said, "title does case tests wire", f"{rfc} {number}")
    cases = [
        _case(f"{rfc} {number} ({count})", case) for count, case in enumerate(said.get("case", []))
    ]
    tests, wire = said.get("tests", []), said.get("wire", [])
    return Section(rfc, number, said["title"], said["does"], cases, tests, wire)


def _case(name: str, said: dict[str, Any]) -> Case:
    _refuse_unknown(said, "ask answer closes", name)
    answers = [_answer(name, each) for each in said["answer"]]
    return Case(name, _wire(said["ask"]).encode("latin-1"), answers, said.get("closes", False))


def _answer(name: str, said: dict[str, Any]) -> Answer:
    _refuse_unknown(said, "status method fields absent body", name)
    body = said.get("body")
    return Answer(
        status=said["status"],
        method=said.get("method", "GET"),
        fields=said.get("fields", {}),
        absent=said.get("absent", []),
        body=None if body is None else _wire(body),
    )


def _wire(text: str) -> str:
    return text.replace("\n", "\r\n")


def _refuse_unknown(said: dict[str, Any], known: str, place: str) -> None:
    if unknown := said.keys() - set(known.split()):
        raise ValueError(f"{place}: {unknown}")
