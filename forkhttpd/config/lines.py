"""On which line a key stands.

`tomllib` tells nothing about the lines of a document that it accepts, and a message without its
line sends the operator searching.  So this scanner walks over the text a second time and notes
where each key, table and array item begins.  It never judges: the text was accepted by `tomllib`
before, which is why the grammar here may be loose wherever no valid document can tell.
Tests hold it to `tomllib` over generated documents.
"""

import bisect
import re
import tomllib

# A place in the document, as in ("site", 0, "mount", 1, "path"); () is the whole document.
Position = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'  # up to two quotes may touch the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")  # a number, true, false, or a date (with a space in it)


def find_lines(text: str) -> dict[Position, int]:
    """Return the line, from 1, of every key, table and array item of a valid TOML document.

    A table that has no header of its own (`[a.b]` alone also makes `a`) is on the line that first
    names it.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.scan()
    return scanner.lines


class _Scanner:
    """A cursor over the text, and what it has found so far."""

    __slots__ = ("_counts", "_line_ends", "_offset", "_text", "lines")

    def __init__(self, text: str) -> None:
        self.lines: dict[Position, int] = {(): 1}
        self._text = text
        self._offset = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._counts: dict[Position, int] = {}  # of the tables in each array of tables so far

    def scan(self) -> None:
        table: Position = ()
        while self._skip(_FILLER) < len(self._text):
            if self._text[self._offset] == "[":
                table = self._header()
            else:
                self._key_and_value(table)

    def _header(self) -> Position:
        """Read `[table]` or `[[table]]`; return the position of the table that it opens."""
        brackets = 2 if self._text.startswith("[[", self._offset) else 1
        self._offset += brackets
        table = self._descend((), self._key())
        self._offset += brackets
        if brackets == 1:
            return table
        self._counts[table] = self._counts.get(table, 0) + 1
        return self._note(self._newest(table))

    def _key_and_value(self, table: Position) -> None:
        position = self._descend(table, self._key())
        self._offset += 1  # "="
        self._value(position)

    def _descend(self, position: Position, names: list[str]) -> Position:
        """Follow the parts of a dotted key, each noted on the way."""
        for name in names:
            position = self._note((*self._newest(position), name))
        return position

    def _newest(self, position: Position) -> Position:
        """Return the last table of an array of tables; any other position as it is."""
        count = self._counts.get(position)
        return position if count is None else (*position, count - 1)

    def _note(self, position: Position) -> Position:
        """Write down that `position` is on this line, unless an earlier line has named it."""
        self.lines.setdefault(position, bisect.bisect_left(self._line_ends, self._offset) + 1)
        return position

    def _key(self) -> list[str]:
        names = [self._name()]
        while self._text[self._skip(_BLANK)] == ".":
            self._offset += 1
            names.append(self._name())
        return names

    def _name(self) -> str:
        start = self._skip(_BLANK)
        if self._text[start] in "\"'":
            name: str = tomllib.loads(f"name = {self._take(_STRING)}")["name"]
            return name
        return self._take(_BARE_KEY)

    def _value(self, position: Position) -> None:
        match self._text[self._skip(_BLANK)]:
            case "[":
                self._array(position)
            case "{":
                self._inline_table(position)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_BARE_VALUE)

    def _array(self, position: Position) -> None:
        self._offset += 1
        index = 0
        while self._text[self._skip(_FILLER)] != "]":
            self._value(self._note((*position, index)))
            index += 1
            if self._text[self._skip(_FILLER)] == ",":
                self._offset += 1
        self._offset += 1

    def _inline_table(self, position: Position) -> None:
        self._offset += 1
        while self._text[self._skip(_FILLER)] != "}":
            self._key_and_value(position)
            if self._text[self._skip(_FILLER)] == ",":
                self._offset += 1
        self._offset += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """Step over what matches; return the new offset."""
        self._take(pattern)
        return self._offset

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._offset)
        if match is None:
            raise ValueError(f"no TOML at offset {self._offset}")
        self._offset = match.end()
        return match[0]
