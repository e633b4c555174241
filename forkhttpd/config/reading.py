"""From a document to tables: a value that can be trusted, or everything that is wrong with it.

It goes by the types of the tables (`schema`).  What is wrong comes in their order, with the place
where it stands and a sentence for people (`wording`); what only follows from something else that
is wrong is left out.
"""

from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from forkhttpd.config import wording
from forkhttpd.config.lines import Position
from forkhttpd.config.schema import Checked, Located, Spelled, is_needed
from forkhttpd.config.source import Finding


def read_value(kind: Any, value: object, directory: Path) -> tuple[Any, list[Finding]]:
    """Return what a value of a document means as one of type `kind`, and what is wrong with it.

    Relative paths start at the directory.  If anything is wrong, what it means is None.
    """
    reader = _Reader(directory)
    meant = reader.read(kind, value, ())
    return (None if reader.findings else meant), reader.findings


class _Reader:
    """Reads one document, and keeps what is wrong with it."""

    __slots__ = ("_directory", "findings")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.findings: list[Finding] = []

    def read(self, kind: Any, value: Any, position: Position) -> Any:
        """Return what the value means; nothing that may be used if that brings a new finding."""
        origin = get_origin(kind)
        if origin is Annotated:
            return self._marked(kind, value, position)
        if origin is Literal:
            return self._word(get_args(kind), value, position)
        if origin is tuple:
            return self._list(get_args(kind)[0], value, position)
        if origin is dict:
            return self._pairs(get_args(kind), value, position)
        if is_dataclass(kind):
            return self._table(kind, value, position)
        return self._plain(kind, value, position)

    def _marked(self, kind: Any, value: Any, position: Position) -> Any:
        inner, *marks = get_args(kind)
        before = len(self.findings)
        match marks[0]:
            case Spelled(read=read):
                value = self._attempt(read, value, position)
            case Located(read=read):
                value = self._attempt(lambda text: read(text, self._directory), value, position)
            case _:
                value = self.read(inner, value, position)
        for mark in marks:
            if isinstance(mark, Checked) and len(self.findings) == before:
                value = self._attempt(mark.check, value, position)
        return value

    def _word(self, words: tuple[object, ...], value: object, position: Position) -> object:
        if any(value == word and type(value) is type(word) for word in words):
            return value
        return self._refuse(position, wording.other_word(words, value))

    def _list(self, kind: Any, value: object, position: Position) -> object:
        if not isinstance(value, list):
            return self._refuse(position, wording.other_shape(position, value))
        return tuple(self.read(kind, item, (*position, n)) for n, item in enumerate(value))

    def _pairs(self, kinds: tuple[Any, Any], value: object, position: Position) -> object:
        if not isinstance(value, dict):
            return self._refuse(position, wording.other_shape(position, value))
        places = [(name, item, (*position, name)) for name, item in value.items()]
        of_name, of_item = kinds
        return {
            self.read(of_name, name, at): self.read(of_item, item, at) for name, item, at in places
        }

    def _plain(self, kind: type, value: object, position: Position) -> object:
        if type(value) is kind:
            return value
        return self._refuse(position, wording.other_type(kind, position, value))

    def _table(self, table: Any, value: object, position: Position) -> object:
        if not isinstance(value, dict):
            return self._refuse(position, wording.other_shape(position, value))
        before = len(self.findings)
        keys = {one.name: one for one in fields(table)}
        unknown = [name for name in value if name not in keys]
        meant = {}
        for name, one in keys.items():
            at = (*position, name)
            if name in value:
                meant[name] = self._key(one, value[name], at)
            elif is_needed(one) and not any(wording.meant(word, [name]) for word in unknown):
                self._refuse(at, wording.missing(name))
        for name in unknown:
            at = (*position, name)
            self._refuse(at, wording.unknown(at, value[name]))
        if len(self.findings) > before:
            return None
        return self._attempt(lambda values: table(**values), meant, position)

    def _key(self, one: Field[Any], value: object, position: Position) -> object:
        if value == [] and is_needed(one) and get_origin(one.type) is tuple:
            return self._refuse(position, wording.empty(one.name))
        return self.read(one.type, value, position)

    def _attempt(self, read: Callable[[Any], object], value: object, position: Position) -> object:
        try:
            return read(value)
        except ValueError as error:
            return self._refuse(position, str(error))

    def _refuse(self, position: Position, sentence: str) -> object:
        """Keep what is wrong; return what there is instead of a value."""
        self.findings.append((position, sentence))
        return None
