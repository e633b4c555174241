"""What knows the schema beside the tables themselves: a key that is added has to be known there."""

import re
from dataclasses import fields
from typing import get_type_hints

import pytest

from forkhttpd.config.conflicts import KEYS_OF_OTHERS
from forkhttpd.config.lines import Position
from forkhttpd.config.places import CHILDREN, HEADERS, default, keys, place
from forkhttpd.config.schema import is_needed
from forkhttpd.config.tables import Config, Limits, Mount, Pool
from forkhttpd.config.wording import WANTED


@pytest.mark.parametrize("table", HEADERS)
def test_every_table_in_a_table_has_its_header(table: type) -> None:
    for key, kind in get_type_hints(table, include_extras=True).items():
        tables = [other for other in HEADERS if other.__name__ in re.split(r"\W", str(kind))]
        assert tables == ([CHILDREN[table][key]] if key in CHILDREN.get(table, {}) else [])


@pytest.mark.parametrize("table", HEADERS)
def test_every_key_that_has_to_be_there_has_an_example(table: type) -> None:
    required = [field.name for field in fields(table) if is_needed(field)]
    assert set(required) <= set(WANTED)


def test_every_key_of_a_mount_is_for_files_for_programs_or_for_both() -> None:
    for_one_kind = {key for others in KEYS_OF_OTHERS.values() for key in others}
    for_all = {"path", "index", "allow", "deny", "password_file", "realm", "users"}
    assert for_one_kind | for_all | set(KEYS_OF_OTHERS) == set(keys(Mount))


@pytest.mark.parametrize(
    ("position", "table", "words"),
    [
        ((), Config, ""),
        (("workers",), Config, "workers: "),
        (("limits",), Limits, "[limits]: "),
        (("limits", "body"), Limits, "[limits] body: "),
        (("pool", "a", "umask"), Pool, "[pool.a] umask: "),
        (("site", 1, "mount", 0, "index", 2), Mount, "[site.mount] index: "),
        (("site", 1, "mount", 0, "env", "A"), Mount, "[site.mount] env.A: "),
        (("nobody", "knows"), Config, "nobody.knows: "),
    ],
)
def test_O2_a_position_in_words(position: Position, table: type, words: str) -> None:
    assert place(position).table is table
    assert str(place(position)) == words


def test_defaults() -> None:
    assert default(Pool, "processes") == 32
    assert default(Config, "workers") == "auto"
