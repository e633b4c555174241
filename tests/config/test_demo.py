"""`etc/forkhttpd.conf` is the manual of the configuration, so it says all, and the truth (O2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from forkhttpd.config import Config
from forkhttpd.config.check import check
from forkhttpd.config.load import load, parse
from forkhttpd.config.places import CHILDREN, HEADERS
from forkhttpd.config.schema import description_of
from forkhttpd.config.source import read
from tests.config.files import write

FILE = Path(__file__).parents[2] / "etc/forkhttpd.conf"
TABLES: dict[str, type] = {header: table for table, header in HEADERS.items()}


@dataclass(frozen=True)
class Entry:
    """One line of the file that sets, or could set, a key."""

    table: type
    key: str
    comment: str
    is_default: bool


def entries() -> list[Entry]:
    """Return the keys of the file, the commented ones too."""
    return list(_entries(FILE.read_text()))


def _entries(text: str) -> Iterator[Entry]:
    table: type = Config
    for line in text.splitlines():
        header = line.replace("[pool.default]", "[pool.NAME]")
        table = TABLES.get(header, table)
        match = re.fullmatch(r"(#?)([a-z_]+) *= (?:.*?)(?:  +# (.*))?", line)
        if match:
            mark, key, comment = match.groups()
            yield Entry(table, key, comment or "", bool(mark))


KEYS = [
    (table, field.name)
    for table in (Config, *(child for inner in CHILDREN.values() for child in inner.values()))
    for field in fields(table)
    if field.name not in CHILDREN.get(table, {})
]


@pytest.mark.parametrize(("table", "key"), KEYS, ids=lambda item: getattr(item, "__name__", item))
def test_O2_every_key_stands_in_the_file_with_its_explanation(table: type, key: str) -> None:
    field = next(field for field in fields(table) if field.name == key)
    description = description_of(field)
    found = [entry for entry in entries() if (entry.table, entry.key) == (table, key)]
    assert description
    assert found, f"{key} is missing"
    assert description in [entry.comment for entry in found]


def test_the_file_explains_no_key_that_is_not_there() -> None:
    assert {(entry.table, entry.key) for entry in entries()} == set(KEYS)


def test_O2_what_is_commented_out_is_the_default(tmp_path: Path) -> None:
    text = FILE.read_text()
    all_set = re.sub(r"(?m)^#(?=[a-z_]+ *= )", "", text)
    assert len(re.findall(r"(?m)^[a-z_]+ *= ", all_set)) == len(entries())
    assert sum(entry.is_default for entry in entries()) > 40
    assert load(write(tmp_path, all_set)) == load(write(tmp_path, text))


def test_the_examples_at_its_end_are_right(tmp_path: Path) -> None:
    text = FILE.read_text()
    examples = text[text.index("# Two mounts") :]
    config = load(write(tmp_path, text + re.sub(r"(?m)^#     ", "", examples)))
    assert len(config.site[0].mount) == len(load(FILE).site[0].mount) + 2


def test_O2_the_demonstration_has_no_problem_and_no_warning() -> None:
    source = read(FILE)
    config = parse(source)
    report = check(config, source, uid=4711, allow_root=False)
    assert (report.problems, report.warnings) == ([], [])
    assert all(listen.address.is_loopback for listen in config.listen)
    assert [mount.path for mount in config.site[0].mount] == [
        "/",
        "/cgi-bin/",
        "/htbin/",
        "/files/",
        "/pub/",
        "/status/",
    ]
