"""What is wrong with a value, in words for people: what is wrong; what would be right.

Each kind of mistake has one sentence, with a suggestion where there is a likely one.
"""

import difflib
from collections.abc import Iterable
from json import dumps
from typing import Any

from forkhttpd.config.lines import Position
from forkhttpd.config.places import CHILDREN, HEADERS, default, keys, place
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


def quoted(text: object) -> str:
    """Return a text in the quotes that it has in the file."""
    return dumps(text, ensure_ascii=False, default=str)  # str: a date


def listed(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def meant(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean "WORD"?` if one of the words is close, else nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {quoted(close[0])}?" if close else ""


def unknown(position: Position, value: object) -> str:
    """Say where an unknown key or table belongs, or what it may have been meant to be."""
    word, table = str(position[-1]), place(position).table
    if _is_table(value):
        close = difflib.get_close_matches(word, _TABLES, n=1)
        hint = (
            f"did you mean {_TABLES[close[0]]}?"
            if close
            else f"known: {', '.join(_TABLES.values())}"
        )
        return f"unknown table; {hint}"
    homes = [header for other, header in HEADERS.items() if word in keys(other)]
    if homes:
        return f"unknown key; it belongs to {listed(homes)}"
    hint = meant(word, keys(table)) or f"; known here: {', '.join(keys(table))}"
    return f"unknown key{hint}"


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def missing(key: str) -> str:
    """Say how to write what has to be there."""
    return f"missing; write {WANTED[key]}"


def empty(key: str) -> str:
    """Say how to write the first item of a list that has to have one."""
    return f"empty; write {WANTED[key]}"


def other_word(words: Iterable[object], value: object) -> str:
    """Say which words a key knows."""
    known = list(filter(None, words))
    close = meant(value, map(str, known)) if isinstance(value, str) else ""
    return f"{quoted(value)} is not known{close or f'; write {listed(map(quoted, known))}'}"


def other_type(kind: type, position: Position, value: object) -> str:
    """Say how to write a text, a number or a flag."""
    if kind is str:
        hint = f', as in "{value}"' if isinstance(value, int | float) else ""
        return f"not a text; write it in quotes{hint}"
    if kind is bool:
        return "not true or false; write one of them, without quotes"
    where = place(position)
    example = f"{where.key} = {default(where.table, where.key)}"
    return f"not a whole number; write one like {example}"


def other_shape(position: Position, value: object) -> str:
    """Say how to write what is not a list, not a table, or one of them in place of the other."""
    where = place(position)
    if where.key:
        return _other_list(where.key, value)
    header = HEADERS[where.table]
    if where.table is Pool and len(position) == 2 and position[1] in keys(Pool):
        return "a pool's keys stand under its name; write them below [pool.default]"
    if where.table in _LISTS and isinstance(value, dict):
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
