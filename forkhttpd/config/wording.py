"""pydantic's errors in words for people: what is wrong; what would be right.

pydantic finds every error of a document at once and says where; what it says is made for
programmers.  Here each type of error has one sentence, with a suggestion where there is a likely
one, and the errors that only follow from others are left out.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic_core import ErrorDetails

from forkhttpd.config.lines import Position
from forkhttpd.config.phrases import listed, meant, quoted
from forkhttpd.config.places import CHILDREN, HEADERS, default, keys, place
from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Listen, Mount, Pool, Site

_LISTS = (Listen, Site, Mount)  # tables that stand in arrays of tables

# Every table by its key, as it begins in the file.
_TABLES = {key: HEADERS[table] for inner in CHILDREN.values() for key, table in inner.items()}

# How to write what has to be there.
WANTED = {
    "address": 'address = "127.0.0.1:8000"',
    "listen": '[[listen]] with address = "127.0.0.1:8000"',
    "site": "[[site]] with a [[site.mount]]",
    "mount": '[[site.mount]] with docroot = "DIRECTORY" or cgi = "DIRECTORY or FILE"',
}

# How to write what is a table of texts.
_TABLES_OF_TEXTS = {
    "env": 'env = { NAME = "value" }',
    "headers": 'headers = { Cache-Control = "no-cache" }',
    "error_pages": 'error_pages = { 404 = "404.html" }',
    "types": 'types = { ".gmi" = "text/gemini" }',
}


def findings(errors: Iterable[ErrorDetails]) -> Iterator[Finding]:
    """Yield what a person has to know of pydantic's errors, in their order."""
    known = list(errors)
    unknown = {error["loc"] for error in known if error["type"] == "unexpected_keyword_argument"}
    for error in known:
        position = _position(error)
        if not _follows(error, unknown):
            yield position, _sentence(error, position)


def _position(error: ErrorDetails) -> Position:
    """Return the error's place; pydantic marks a dictionary's key with a step of its own."""
    return tuple(part for part in error["loc"] if part != "[key]")


def _follows(error: ErrorDetails, unknown: set[Position]) -> bool:
    """Whether an error only follows from another one.

    An item with an error in it is no item, so its list is "too short"; a misspelled key is both
    unknown and missing.
    """
    match error["type"]:
        case "too_short":
            return bool(error["input"])
        case "missing":
            *table, name = error["loc"]
            misspelled = [str(loc[-1]) for loc in unknown if loc[:-1] == tuple(table)]
            return any(meant(word, [str(name)]) for word in misspelled)
        case _:
            return False


def _sentence(error: ErrorDetails, position: Position) -> str:
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "unexpected_keyword_argument":
            return _unknown(position, value)
        case "missing" | "too_short":
            wrong = "missing" if error["type"] == "missing" else "empty"
            return f"{wrong}; write {WANTED[str(position[-1])]}"
        case "literal_error":
            return _other_word(position, value)
        case "string_type":
            return f"not a text; write it in quotes{_as_text(value)}"
        case "int_type":
            return f"not a whole number; write one like {_example(position)}"
        case "bool_type":
            return "not true or false; write one of them, without quotes"
        case "greater_than_equal":
            return f"too small; write at least {context['ge']}"
        case "less_than_equal":
            return f"too large; write at most {context['le']}"
        case "tuple_type" | "dict_type" | "dataclass_type":
            return _other_shape(position, value)
        case "value_error":
            return str(context["error"])
        case _:
            return error["msg"]


def _unknown(position: Position, value: object) -> str:
    """Say where an unknown key or table belongs, or what it may have been meant to be."""
    word, table = str(position[-1]), place(position).table
    homes = [header for other, header in HEADERS.items() if word in _own_keys(other)]
    if homes:
        return f"unknown key; it belongs to {listed(homes)}"
    if _is_table(value):
        close = difflib.get_close_matches(word, _TABLES, n=1)
        hint = (
            f"did you mean {_TABLES[close[0]]}?"
            if close
            else f"known: {', '.join(_TABLES.values())}"
        )
        return f"unknown table; {hint}"
    hint = meant(word, keys(table)) or f"; known here: {', '.join(keys(table))}"
    return f"unknown key{hint}"


def _own_keys(table: type) -> list[str]:
    """Return the keys of a table that are no tables themselves."""
    return [key for key in keys(table) if key not in CHILDREN.get(table, {})]


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def _other_word(position: Position, value: object) -> str:
    """Say which words a key knows."""
    where = place(position)
    words = list(filter(None, get_args(where.table.__annotations__[where.key])))
    is_word = isinstance(value, str) and re.search("[a-z]", value)
    close = meant(str(value), map(str, words)) if is_word else ""
    return f"{quoted(value)} is not known{close or f'; write {listed(map(quoted, words))}'}"


def _as_text(value: object) -> str:
    return f', as in "{value}"' if isinstance(value, int | float) else ""


def _example(position: Position) -> str:
    where = place(position)
    return f"{where.key} = {default(where.table, where.key)}"


def _other_shape(position: Position, value: object) -> str:
    """Say how to write what is not a list, not a table, or one of them in place of the other."""
    where = place(position)
    if where.key:
        return _other_list(where.key, value)
    header = HEADERS[where.table]
    if where.table is Pool and len(position) == 2 and position[1] in keys(Pool):
        return "a pool's keys stand under its name; write them below [pool.default]"
    if where.table in _LISTS and isinstance(value, dict):
        if list(value) == ["mount"]:  # [[site.mount]] alone makes such a table, too
            return f"there is none for the mounts below to be in; write {header} before them"
        return f"one table, where there can be more; write {header}"
    if isinstance(value, list):
        return f"a list of tables, where there can be only one; write {header}"
    return f"not a table; write {header}"


def _other_list(key: str, value: Any) -> str:
    if key in _TABLES_OF_TEXTS:
        return f"not a table; write {_TABLES_OF_TEXTS[key]}"
    if isinstance(value, str):
        return f"not a list; write {key} = [{quoted(value)}]"
    return f'not a list; write {key} = ["…"]'
