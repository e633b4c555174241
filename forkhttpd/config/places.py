"""Which table of the schema a position lies in, and how an operator would write it.

`tables.py` says what each table holds; this says which table stands in which.
"""

import re
from dataclasses import dataclass, fields
from typing import Any

from forkhttpd.config.lines import Position
from forkhttpd.config.schema import default_of
from forkhttpd.config.tables import Config, Limits, Listen, Log, Mount, Pool, Site, Timeouts, Tls

# The tables inside a table, by key.
CHILDREN: dict[type, dict[str, type]] = {
    Config: {
        "listen": Listen,
        "tls": Tls,
        "log": Log,
        "timeouts": Timeouts,
        "limits": Limits,
        "pool": Pool,
        "site": Site,
    },
    Site: {"mount": Mount},
}

# How a table begins in the file.
HEADERS: dict[type, str] = {
    Config: "the top of the file, before the first [table]",
    Listen: "[[listen]]",
    Tls: "[tls]",
    Log: "[log]",
    Timeouts: "[timeouts]",
    Limits: "[limits]",
    Pool: "[pool.NAME]",
    Site: "[[site]]",
    Mount: "[[site.mount]]",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the words of the schema: `[header] key: `."""

    table: type
    header: str
    key: str

    def __str__(self) -> str:
        words = [f"[{self.header}]"] if self.header else []
        words += [self.key] if self.key else []
        return f"{' '.join(words)}: " if words else ""


def place(position: Position) -> Place:
    """Return the innermost table that holds a position, and the key in it ("" for the table)."""
    names = [name for name in position if isinstance(name, str)]
    table: type = Config
    header: list[str] = []
    while names and names[0] in CHILDREN.get(table, {}):
        table = CHILDREN[table][names[0]]
        count = 2 if table is Pool else 1  # a pool's header holds its name
        header += names[:count]
        names = names[count:]
    return Place(table, ".".join(header), ".".join(map(_spelled, names)))


def _spelled(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else f'"{name}"'


def keys(table: type) -> list[str]:
    """Return the keys that a table may have."""
    return [field.name for field in fields(table)]


def default(table: type, key: str) -> Any:
    """Return a key's default; None if it has none."""
    field = next(field for field in fields(table) if field.name == key)
    return default_of(field)
