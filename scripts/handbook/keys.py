"""The lists of keys in etc/man/forkhttpd.conf.5, written from the tables of the configuration.

The page is written by hand, in mdoc(7), but for the lists between these two lines:

    .\\" keys of [log], by scripts/manual
    .\\" end of keys

A table that has no such place yet gets a section of its own at the end of the tables, with the
first sentence of its docstring; write there what else people should know.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields
from typing import Any

from pydantic import TypeAdapter

from forkhttpd.config.conflicts import KEYS_OF_OTHERS
from forkhttpd.config.dump import spell
from forkhttpd.config.places import CHILDREN, HEADERS
from forkhttpd.config.schema import default_of, description_of, is_needed
from forkhttpd.config.tables import Config, Mount

_END = '.\\" end of keys'
_END_OF_TABLES = '.\\" end of tables'
_WIDTH = 78  # mandoc -T lint asks for less than 80

# Of a mount: which kinds have a key, and how a person says it.
_KINDS = {
    frozenset(KEYS_OF_OTHERS): "Every mount:",
    frozenset({"docroot"}): "With docroot, which serves files:",
    frozenset({"cgi"}): "With cgi, which runs programs:",
    frozenset({"docroot", "cgi"}): "With either of them:",
    frozenset({"redirect"}): "With redirect, which leads elsewhere:",
    frozenset({"show"}): "With show, which is the server itself:",
}


def update(page: str) -> str:
    """Return the page with the lists that the tables have now."""
    for table in (Config, *(inner for tables in CHILDREN.values() for inner in tables.values())):
        begin = f'.\\" keys of {header(table)}, by scripts/manual'
        if begin not in page:
            page = page.replace(
                _END_OF_TABLES, f"{_section(table)}{begin}\n{_END}\n{_END_OF_TABLES}"
            )
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(_END)
        page = "\n".join([before + begin, *_lists(table), _END + after])
    return page


def header(table: type) -> str:
    """Return how a table begins in the file; "the file" for its top."""
    return "the file" if table is Config else HEADERS[table]


def _section(table: type) -> str:
    said = (table.__doc__ or "").partition(": ")[2].strip()
    return f".Ss {header(table)}\\&\n{prose(said[:1].upper() + said[1:])}\n"


def _lists(table: type) -> Iterator[str]:
    own = [key for key in fields(table) if key.name not in CHILDREN.get(table, {})]
    if table is not Mount:
        yield from _list(own)
        return
    for kinds, words in _KINDS.items():
        yield ".Pp"
        yield words
        yield from _list(key for key in own if _kinds_of(key.name) == kinds)


def _kinds_of(key: str) -> frozenset[str]:
    if key in KEYS_OF_OTHERS:
        return frozenset({key})
    return frozenset(kind for kind, others in KEYS_OF_OTHERS.items() if key not in others)


def _list(keys: Iterable[Field[Any]]) -> Iterator[str]:
    yield ".Bl -tag -width Ds"
    for key in keys:
        yield f".It Ic {key.name} = {_default(key)}"
        description = description_of(key)
        yield prose(description[:1].upper() + description[1:] + ".")
    yield ".El"


def _default(key: Field[Any]) -> str:
    """Return a key's default as the file spells it; nothing but dots where it has none."""
    if is_needed(key):
        return "..."
    adapter: TypeAdapter[Any] = TypeAdapter(key.type)  # type: ignore[arg-type]
    text = spell(adapter.dump_python(default_of(key)))
    return escape("0" if text == '"0"' else text).replace('"', "\\(dq")  # a size of none


def prose(text: str) -> str:
    """Return text as lines of mdoc, that begin with no dot and are not too long."""
    lines = textwrap.wrap(escape(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(re.sub(r"^(?=[.'])", r"\\\\&", line) for line in lines)


def escape(text: str) -> str:
    """Return text that roff takes as it is."""
    text = text.replace("\\", "\\e").replace("`", "\\(ga").replace("~", "\\(ti")
    return "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
