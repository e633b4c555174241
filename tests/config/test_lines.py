"""Every key path of a document has a line, and that line holds the key.

The generated documents mix every way in which TOML can spell a table.  Each leaf carries a number
of its own (`leaf 1000`), so that "the line holds the key" can be told without a second scanner.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.config.lines import Position, find_lines

NAMES = st.sampled_from(
    ["a", "b", "long-key_1", "42", "sp ace", "do.t", 'q"uote', "'", "#", "[x]", "=", "é", "\n", ""]
)
COMMENTS = st.sampled_from(["", "", " # no", ' # "]]', " # [a]\n# b = 'x"])
BLANKS = st.sampled_from(["", " ", "\t "])


class Leaves:
    """Numbers the leaves of one document."""

    def __init__(self) -> None:
        self.count = 1000

    def __call__(self) -> str:
        self.count += 1
        return f"leaf {self.count}"


def basic(text: str) -> str:
    """Spell a string as a basic one, with escapes."""
    plain = text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
    return f'"{text}"' if plain else '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


@st.composite
def keys(draw: st.DrawFn) -> tuple[str, str]:
    """Return a key and one of its spellings."""
    name = draw(NAMES)
    spellings = [basic(name)]
    if name and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_"):
        spellings.append(name)
    if name.isprintable() and "'" not in name:
        spellings.append(f"'{name}'")
    return name, draw(st.sampled_from(spellings))


@st.composite
def values(draw: st.DrawFn, leaf: Leaves, depth: int = 0) -> str:
    """Return the text of a value, with a number of its own in each leaf."""
    kinds = ["string", "literal", "lines", "literal lines", "integer"]
    if depth < 3:
        kinds += ["array", "table"]
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "string":
            return f'"{leaf()} \\" # ] }} = \\\\"'
        case "literal":
            return f"'{leaf()} \" # \\'"
        case "lines":
            end = draw(st.sampled_from(["", '"', '""']))
            return f'"""{leaf()}\n[not]\na = "x" \\""" \\\n# no{end}"""'
        case "literal lines":
            return f"'''{leaf()} ''\n[[not]]\nb = [\n''' "
        case "integer":
            return leaf().removeprefix("leaf ")
        case "array":
            return draw(arrays(leaf, depth + 1))
        case _:
            return draw(inline_tables(leaf, depth + 1))


@st.composite
def arrays(draw: st.DrawFn, leaf: Leaves, depth: int) -> str:
    filler = st.sampled_from(["", " ", "\n", "\n  # ], [\n", " # x\n\n"])
    items = [draw(values(leaf, depth)) for _ in range(draw(st.integers(0, 3)))]
    text = ",".join(f"{draw(filler)}{item}{draw(filler)}" for item in items)
    comma = draw(st.sampled_from(["", ","])) if items else ""
    return f"[{text}{comma}{draw(filler)}]"


@st.composite
def inline_tables(draw: st.DrawFn, leaf: Leaves, depth: int) -> str:
    spelled = draw(st.lists(keys(), max_size=3, unique_by=lambda key: key[0]))
    pairs = [
        f"{draw(BLANKS)}{key} ={draw(BLANKS)}{draw(values(leaf, depth))}" for _, key in spelled
    ]
    return "{" + ",".join(pairs) + " }"


@st.composite
def statements(draw: st.DrawFn, leaf: Leaves, taken: set[str]) -> str:
    """Return one table's body: pairs whose keys are plain or dotted."""
    lines = []
    for name, key in draw(st.lists(keys(), max_size=4)):
        if name in taken:
            continue
        taken.add(name)
        for _, inner in draw(st.lists(keys(), max_size=2, unique_by=lambda key: key[0])) or [
            ("", "")
        ]:
            dotted = f"{key}{draw(BLANKS)}.{draw(BLANKS)}{inner}" if inner else key
            lines.append(f"{draw(BLANKS)}{dotted} = {draw(values(leaf))}{draw(COMMENTS)}\n")
    return "".join(lines)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Return a valid document."""
    leaf = Leaves()
    taken: set[str] = set()
    parts = [draw(COMMENTS) + "\n", draw(statements(leaf, taken))]
    for name, key in draw(st.lists(keys(), max_size=4)):
        if name in taken:
            continue
        taken.add(name)
        match draw(st.sampled_from(["table", "deep", "array"])):
            case "table":
                parts += [f"[ {key}\t]{draw(COMMENTS)}\n", draw(statements(leaf, set()))]
            case "deep":
                parts += [f"[{key} . x.'y y']\n", draw(statements(leaf, set()))]
            case "array":
                for _ in range(draw(st.integers(1, 3))):
                    parts += [f"[[{key}]]{draw(COMMENTS)}\n", draw(statements(leaf, {"in", "s"}))]
                    parts += [f"[{key}.s]\n", draw(statements(leaf, set()))]
                    for _ in range(draw(st.integers(0, 2))):
                        parts += [f"  [[ {key}.in ]]\n", draw(statements(leaf, set()))]
    return "".join(parts)


def positions(value: object, position: Position = ()) -> Iterator[tuple[Position, Any]]:
    """Yield every place of a parsed document with what stands there."""
    yield position, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from positions(item, (*position, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from positions(item, (*position, index))


@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_O2_every_key_of_any_document_has_its_line(text: str, newline: str) -> None:
    document = tomllib.loads(text)
    lines = find_lines(text.replace("\n", newline))
    assert set(lines) == {position for position, _ in positions(document)}
    source = text.split("\n")
    for position, value in positions(document):
        match value:
            case str():
                assert value[: len("leaf 1000")] in source[lines[position] - 1]
            case int():
                assert str(value) in source[lines[position] - 1]


@given(documents())
def test_O2_a_table_is_not_after_what_it_holds(text: str) -> None:
    lines = find_lines(text)
    assert all(lines[position[:-1]] <= line for position, line in lines.items() if position)


@pytest.mark.parametrize(
    ("text", "position", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("\n\n[a]\n\nb = 1", ("a", "b"), 5),
        ("[a.b]\n[a]\nc = 1", ("a",), 1),
        ("[a.b]\n[a]\nc = 1", ("a", "c"), 3),
        ("[[a]]\nb = 1\n[[a]]\nb = 2", ("a", 1, "b"), 4),
        ("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\nc = 1\n[[a.b]]", ("a", 1, "b", 1), 6),
        ("[[a]]\n[a.b]\n[a.b.c]\nd = 1", ("a", 0, "b", "c", "d"), 4),
        ("a = [\n 1,\n # 2\n 3\n]", ("a", 1), 4),
        ("a = [ { b = [\n 1 ], c = 2 } ]", ("a", 0, "c"), 2),
        ("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), 4),
        ("a = 1979-05-27 07:32:00\nb = 2", ("b",), 2),
        ("a = -1.5e+3 # x\nb = inf", ("b",), 2),
        ('"a\\tb" = 1', ("a\tb",), 1),
        ("", (), 1),
    ],
)
def test_O2_lines_of_known_documents(text: str, position: Position, line: int) -> None:
    tomllib.loads(text)
    assert find_lines(text)[position] == line
