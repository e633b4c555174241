"""What the tables are declared with: how the value of a key is written, and what the key is for.

The tables are plain dataclasses, and pydantic reads them by their types and by these marks in
`Annotated`: each tells it a schema when it asks (`__get_pydantic_core_schema__`).  Nobody needs it
for less, so it stays out of whoever only has a Config: its import is 95 of the 410 ms that a start
takes, and 9 of the 57 MiB that master, spawner and two workers would hold.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import Any

# What pydantic knows a table by: no key but those that it has.
CLOSED = {"extra": "forbid"}

_DESCRIPTION = "description"

_Schema = dict[str, Any]
_Handler = Callable[[Any], _Schema]


@dataclass(frozen=True, slots=True)
class Spelled:
    """A value that `read` makes of what TOML gives, or raises ValueError with words for people;
    `write` is the way back."""

    read: Callable[[object], object]
    write: Callable[[Any], object] = str

    def __get_pydantic_core_schema__(self, _kind: object, _handler: _Handler) -> _Schema:
        return {
            "type": "function-plain",
            "function": {"type": "no-info", "function": self.read},
            "serialization": {"type": "function-plain", "function": self.write},
        }


@dataclass(frozen=True, slots=True)
class Located:
    """The same for what may be relative to a directory, which `read` is told, too."""

    read: Callable[[object, Path], object]
    write: Callable[[Any], object] = str

    def __get_pydantic_core_schema__(self, _kind: object, _handler: _Handler) -> _Schema:
        return {
            "type": "function-plain",
            "function": {"type": "with-info", "function": self._read},
            "serialization": {"type": "function-plain", "function": self.write},
        }

    def _read(self, text: object, info: Any) -> object:
        return self.read(text, info.context["directory"])


@dataclass(frozen=True, slots=True)
class Checked:
    """A value that has to pass: `check` returns it, or another for it, or raises ValueError."""

    check: Callable[[Any], object]

    def __get_pydantic_core_schema__(self, kind: object, handler: _Handler) -> _Schema:
        function = {"type": "no-info", "function": self.check}
        return {"type": "function-after", "function": function, "schema": handler(kind)}


@dataclass(frozen=True, slots=True)
class Strict:
    """A value of the very type, and with these bounds: 1 is not true, and "1" is no number."""

    bounds: tuple[tuple[str, int], ...] = ()

    def __get_pydantic_core_schema__(self, kind: object, handler: _Handler) -> _Schema:
        return {**handler(kind), "strict": True, **dict(self.bounds)}


def within(least: int, most: int) -> Strict:
    """Return the mark of a number that has bounds."""
    return Strict((("ge", least), ("le", most)))


@dataclass(frozen=True, slots=True)
class Filled:
    """A list that has to have an item."""

    def __get_pydantic_core_schema__(self, kind: object, handler: _Handler) -> _Schema:
        return {**handler(kind), "min_length": 1}


def option(default: Any, description: str) -> Any:
    """Return a field for a key that may be missing; a table of defaults is copied for each."""
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=described(description))
    return field(default=default, metadata=described(description))


def described(description: str) -> dict[str, str]:
    """Return the metadata of a field: what the key is for."""
    return {_DESCRIPTION: description}


def is_needed(one: Field[Any]) -> bool:
    """Whether the key has to be there."""
    return one.default is MISSING and one.default_factory is MISSING


def default_of(one: Field[Any]) -> Any:
    """Return what a key is when it is missing; None if it has to be there."""
    if one.default_factory is not MISSING:
        return one.default_factory()
    return None if one.default is MISSING else one.default


def description_of(one: Field[Any]) -> str:
    """Return what a key is for."""
    return str(one.metadata[_DESCRIPTION])
