"""The whole effective configuration as TOML (-T): every key with the value that is in force.

What it writes is a configuration file again, and reads back as the same Config from any directory.
"""

from collections.abc import Iterator
from dataclasses import fields
from json import dumps
from typing import Annotated, Any, get_args, get_origin

from forkhttpd.config.conflicts import KEYS_OF_OTHERS
from forkhttpd.config.places import CHILDREN
from forkhttpd.config.schema import Located, Spelled, description_of
from forkhttpd.config.tables import Config, Mount


def dump(config: Config, *, comments: bool = False) -> str:
    """Return the file; with `comments`, each key's description stands beside it."""
    return "\n".join(_table(config, (), comments=comments)) + "\n"


def _table(table: Any, path: tuple[str, ...], *, comments: bool) -> Iterator[str]:
    """Yield the lines of a table's keys, then those of the tables in it."""
    tables = CHILDREN.get(type(table), {})
    for field in fields(table):
        if field.name not in tables and _has_meaning(table, field.name):
            comment = f"  # {description_of(field)}" if comments else ""
            value = written(field.type, getattr(table, field.name))
            yield f"{field.name} = {spell(value)}{comment}"
    for key in tables:
        for header, name, inner in _children((*path, key), getattr(table, key)):
            yield ""
            yield header
            yield from _table(inner, name, comments=comments)


def _children(path: tuple[str, ...], value: Any) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield header, path and table of every table that stands under one key."""
    match value:
        case dict():
            for name, pool in value.items():
                yield f"[{'.'.join(path)}.{_key(name)}]", (*path, name), pool
        case tuple():
            for item in value:
                yield f"[[{'.'.join(path)}]]", path, item
        case _:
            yield f"[{'.'.join(path)}]", path, value


def _has_meaning(table: Any, key: str) -> bool:
    """Whether a key may be written: a mount of one kind has not the keys of the others."""
    if not isinstance(table, Mount):
        return True
    kind = next(kind for kind in KEYS_OF_OTHERS if getattr(table, kind))
    return key not in KEYS_OF_OTHERS[kind] and (key == kind or key not in KEYS_OF_OTHERS)


def written(kind: Any, value: Any) -> object:
    """Return what a document has for a value of one of the types of the tables."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner, mark, *_ = arguments
        is_spelled = isinstance(mark, Spelled | Located)
        return mark.write(value) if is_spelled else written(inner, value)
    if origin is tuple:
        return [written(arguments[0], item) for item in value]
    if origin is dict:
        return {name: written(arguments[1], item) for name, item in value.items()}
    return value


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
