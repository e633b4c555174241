"""The whole effective configuration as TOML (-T): every key with the value that is in force.

What it writes is a configuration file again, and reads back as the same Config from any directory.
"""

from collections.abc import Iterator
from dataclasses import fields
from json import dumps
from typing import Any

from pydantic import TypeAdapter

from forkhttpd.config.conflicts import KEYS_OF_OTHERS
from forkhttpd.config.places import CHILDREN
from forkhttpd.config.schema import description_of
from forkhttpd.config.tables import Config, Mount, Pool

_config = TypeAdapter[Config](Config)


def dump(config: Config, *, comments: bool = False) -> str:
    """Return the file; with `comments`, each key's description stands beside it."""
    values = _config.dump_python(config)
    return "\n".join(_table(Config, (), values, comments=comments)) + "\n"


def _table(
    table: type, path: tuple[str, ...], values: dict[str, Any], *, comments: bool
) -> Iterator[str]:
    """Yield the lines of a table's keys, then those of the tables in it."""
    tables = CHILDREN.get(table, {})
    for field in fields(table):
        if field.name not in tables and _has_meaning(table, field.name, values):
            comment = f"  # {description_of(field)}" if comments else ""
            yield f"{field.name} = {spell(values[field.name])}{comment}"
    for key, child in tables.items():
        for header, name, inner in _children(child, (*path, key), values[key]):
            yield ""
            yield header
            yield from _table(child, name, inner, comments=comments)


def _children(
    table: type, path: tuple[str, ...], value: Any
) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Yield header, path and content of every table that stands under one key."""
    if table is Pool:
        for name, pool in value.items():
            yield f"[{'.'.join(path)}.{_key(name)}]", (*path, name), pool
    elif isinstance(value, dict):
        yield f"[{'.'.join(path)}]", path, value
    else:
        for item in value:
            yield f"[[{'.'.join(path)}]]", path, item


def _has_meaning(table: type, key: str, values: dict[str, Any]) -> bool:
    """Whether a key may be written: a mount of one kind has not the keys of the others."""
    if table is not Mount:
        return True
    kind = next(kind for kind in KEYS_OF_OTHERS if values[kind])
    return key not in KEYS_OF_OTHERS[kind] and (key == kind or key not in KEYS_OF_OTHERS)


def spell(value: object) -> str:
    """Return a value as TOML spells it."""
    match value:
        case str():
            # JSON's strings are TOML's, but for DEL, which JSON leaves as it is.
            return dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            pairs = ", ".join(f"{_key(key)} = {spell(item)}" for key, item in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return f"[{', '.join(map(spell, value))}]"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else spell(name)
