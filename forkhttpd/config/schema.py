"""What the tables are declared with: how the value of a key is written, and what the key is for.

The type of a key is one of Python's (str, bool, int, a Literal, a tuple, a dict) or another table,
Annotated with marks of this module where the file spells it in a way of its own.  `reading` goes by
them from a document to the tables, `dump` the other way.

They are so few that a library for it does not pay: pydantic, which was here before, took 75 of the
290 ms that all processes together need to start, and 11 of the 54 MiB that they hold when idle.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import Any

_DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Spelled:
    """A value that `read` makes of what TOML gives, or raises ValueError with words for people;
    `write` is the way back."""

    read: Callable[[object], object]
    write: Callable[[Any], object] = str


@dataclass(frozen=True, slots=True)
class Located:
    """The same for what may be relative to a directory, which `read` is told, too."""

    read: Callable[[object, Path], object]
    write: Callable[[Any], object] = str


@dataclass(frozen=True, slots=True)
class Checked:
    """A value that has to pass: `check` returns it, or another for it, or raises ValueError."""

    check: Callable[[Any], object]


def within(least: int, most: int) -> Checked:
    """Return the check of a number that has bounds."""

    def check(number: int) -> int:
        if number < least:
            raise ValueError(f"too small; write at least {least}")
        if number > most:
            raise ValueError(f"too large; write at most {most}")
        return number

    return Checked(check)


def option(default: Any, description: str) -> Any:
    """Return a field for a key that may be missing; a table of defaults is copied for each."""
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=described(description))
    return field(default=default, metadata=described(description))


def described(description: str) -> dict[str, str]:
    """Return the metadata of a field: what the key is for."""
    return {_DESCRIPTION: description}


def is_needed(one: Field[Any]) -> bool:
    """Whether the key has to be there, and not be empty if it is a list."""
    return one.default is MISSING and one.default_factory is MISSING


def default_of(one: Field[Any]) -> Any:
    """Return what a key is when it is missing; None if it has to be there."""
    if one.default_factory is not MISSING:
        return one.default_factory()
    return None if one.default is MISSING else one.default


def description_of(one: Field[Any]) -> str:
    """Return what a key is for."""
    return str(one.metadata[_DESCRIPTION])
