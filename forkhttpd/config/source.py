"""A configuration file as it was read: its document, and where in the file everything stands.

This is what turns a position and a sentence into the line that the operator reads:
`FILE:LINE: [table] key: what is wrong; what would be right`.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forkhttpd.config.lines import Position, find_lines
from forkhttpd.config.places import place
from forkhttpd.errors import ConfigError, describe

_LARGEST = 4 << 20  # bytes; reading that takes seconds already, and no site has so much to say

# What is wrong at a position, in words.
Finding = tuple[Position, str]

# The beginnings of tomllib's messages, and what they mean to somebody who never heard of it.
_SYNTAX = {
    "Expected '=' after a key": "no value; write KEY = VALUE",
    "Expected ']' at the end of a table": 'a table\'s header is not closed; write "]" after it',
    "Expected ']]' at the end": 'a table\'s header is not closed; write "]]" after it',
    "Expected newline or end of document": "something stands after the value; "
    "write one KEY = VALUE a line, and texts in quotes",
    "Cannot overwrite a value": "this key or table stands here twice; remove one",
    "Cannot declare": "this table stands here twice; join them, or write [[…]] for one more",
    "Cannot mutate": "this table was complete before; write its keys in one place",
    "Cannot redefine": "this table was complete before; write its keys in one place",
    "Duplicate inline table key": "this key stands here twice; remove one",
    "Invalid initial character for a key": "not a key; write KEY = VALUE or [TABLE]",
    "Invalid statement": "not a statement; write KEY = VALUE or [TABLE]",
    "Invalid value": "not a value; texts stand in quotes, true, false and numbers without",
    "Invalid date or datetime": "not a date; texts stand in quotes",
    "Unclosed array": 'a list is not closed; write "]" after its last value',
    "Unclosed inline table": 'a table is not closed; write "}" after it, on the same line',
    "Unterminated string": "a text is not closed; write a quote after it",
    "Expected \"'": "a text is not closed; write a quote after it",
    "Illegal character '\\n'": "a text is not closed; write a quote after it",
    "Illegal character": "a control character; remove it",
    "Unescaped '\\'": "a lone backslash in a text; write two, or the text in single quotes",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file, read once: everything that is said about it later is about this very text."""

    path: Path
    text: str
    document: dict[str, Any]
    lines: dict[Position, int]

    @property
    def directory(self) -> Path:
        """Where relative paths of the file start."""
        return self.path.absolute().parent

    def tell(self, findings: Iterable[Finding], *, kind: str = "") -> list[str]:
        """Return a line for each different finding, in the order of the file."""
        found = sorted(dict.fromkeys(findings), key=lambda finding: self._line(finding[0]))
        return [
            _printable(f"{self.path}:{self._line(position)}: {kind}{place(position)}{sentence}")
            for position, sentence in found
        ]

    def _line(self, position: Position) -> int:
        """Return the line of a position, or of the table where it is missing."""
        while position not in self.lines:
            position = position[:-1]
        return self.lines[position]


def read(path: Path) -> Source:
    """Return what stands in the file.  Raises ConfigError if it is no TOML document."""
    text = _read_text(path)
    try:
        return Source(path, text, tomllib.loads(text), find_lines(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_printable(f"{path}:{_in_words(str(error), text)}")]) from None
    except RecursionError:
        raise ConfigError(
            [f"{path}:1: lists or tables stand too deep in one another; no key needs that"]
        ) from None
    except ValueError:  # CPython converts no integer of more than 4300 digits
        raise ConfigError(
            [f"{path}:1: a number is too long to be read; write a shorter one"]
        ) from None


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot read it: {describe(error)}"]) from None
    if len(content) > _LARGEST:
        wrong = f"more than {_LARGEST >> 20} MiB, so this is no configuration; name another file"
        raise ConfigError([f"{path}: {wrong}"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([f"{path}:{line}: {wrong}"]) from None


def _in_words(message: str, text: str) -> str:
    """Return `LINE:COLUMN: sentence` for a message of tomllib."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.S)
    if match is None:
        return f"1: {message}"
    said, line, column = match.groups()
    if line is None:
        whole = text.rstrip("\r\n")
        line, column = whole.count("\n") + 1, len(whole) - whole.rfind("\n")
    beginnings = (words for start, words in _SYNTAX.items() if said.startswith(start))
    return f"{line}:{column}: {next(beginnings, said)}"


def _printable(text: str) -> str:
    """Escape what would break the line or the terminal."""
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
