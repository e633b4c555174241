"""The drawing of the package, kept by a machine: who may import whom.

Every import statement counts, wherever it stands.  The table is the whole rule: what is not in it
is forbidden.  CONTRIBUTING.md explains it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.source import (
    MODULES,
    ROOT,
    belongs,
    fail_for_each,
    foreign,
    imports,
    ours,
    tree,
    where,
)

# part: what it may import of ours, besides itself.  Of several parts that fit a module the longest
# name decides, on either side of the arrow.  "" is the package itself: its version.
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),
    "__main__": {"cli", "commandline", "config", "errors"},
    "cli": {
        "bundle",
        "cgroups",
        "commandline",
        "config",
        "errors",
        "explain",
        "handlers.cgi.lint",
        "handlers.mediatypes",
        "inheritance",
        "inquiry",
        "log",
        "master",
        "quick",
        "reach",
        "status",
        "worker",
    },
    "commandline": {"", "errors"},
    "explain": {
        "commandline",
        "config",
        "errors",
        "handlers.cgi",
        "http1",
        "loop",
        "privileges",
        "worker",
    },
    "reach": {"config", "errors", "privileges"},
    "status": {"commandline", "config", "errors", "inquiry", "statustable"},
    "statustable": set(),
    "inquiry": {"errors"},
    "quick": {"config", "errors"},
    "testing": set(),  # what test suites of others import: light, and nothing of the daemon
    "errors": set(),
    "channel": set(),
    "scoreboard": set(),
    "chronicle": {"scoreboard"},
    "overview": {"", "chronicle", "scoreboard"},
    "privileges": {"errors"},
    "signals": set(),
    "config": {"errors", "signals"},
    "outlet": set(),
    "log": {"errors", "outlet"},
    "hosts": set(),
    "tls": {"config", "errors", "hosts"},
    "kerneltls": {"errors"},
    "inheritance": {"census", "config", "scoreboard"},
    "cgroups": {"config", "errors"},
    "bundle": {
        "cgroups",
        "config",
        "errors",
        "inheritance",
        "privileges",
    },
    "http1": set(),
    "loop": set(),
    "access": {"config", "http1"},
    "census": {"scoreboard"},
    "spawner": {"channel", "scoreboard"},
    "handlers": {"config", "hosts", "http1"},
    "handlers.cgi": {
        "config",
        "handlers.cache",
        "handlers.docroot",
        "handlers.files",
        "handlers.locality",
        "handlers.redirect",
        "handlers.selection",
        "http1",
        "loop",
    },
    "handlers.show": {"chronicle", "handlers.locality", "http1", "loop", "overview"},
    "worker": {
        "access",
        "census",
        "channel",
        "chronicle",
        "config",
        "errors",
        "hosts",
        "http1",
        "inheritance",
        "kerneltls",
        "log",
        "loop",
        "outlet",
        "overview",
        "privileges",
        "scoreboard",
        "signals",
    },
    "master": {
        "",
        "census",
        "channel",
        "config",
        "errors",
        "inheritance",
        "kerneltls",
        "log",
        "privileges",
        "scoreboard",
        "signals",
        "tls",
    },
}
OF_THE_PACKAGE = "the version"  # "" in CONTRIBUTING.md, which says all of these in prose:
IN_PROSE = {"cli", "handlers.cgi", "worker"}
# Single modules that may do more than their part.
MAY_ALSO_IMPORT: dict[str, set[str]] = {
    "worker.router": {"handlers", "handlers.cgi", "handlers.show"},
    "worker.launcher": {"spawner.protocol"},
}
# What is imported when it is called, for what it costs: pydantic takes 95 ms and 9 MiB, which only
# who reads a file has to spend, and the rest of the daemon as many, while a reader has begun.
LATE = {
    ("__main__", "cli"),
    ("cli", "config.check"),
    ("cli", "config.dump"),
    ("cli", "config.examination"),
    ("cli", "config.htaccess"),
    ("cli", "config.load"),
    ("config.examination", "config.load"),
    ("config.reader", "config.examination"),
    ("explain", "config.load"),
}
# The spawner's bundle: runs alone, under whatever interpreter a pool names.
BUNDLE = {"channel", "scoreboard", "spawner"}
OLDEST_GRAMMAR = (3, 9)

NEVER = {"asyncio", "concurrent", "multiprocessing", "threading", "_thread"}


def part_of(module: str) -> str:
    """Return the part of the table that a module belongs to: the longest that fits."""
    fitting = [part for part in MAY_IMPORT if belongs(module, part)]
    assert fitting, f"forkhttpd.{module} is in no part of the table"
    return max(fitting, key=len)


def may_import(module: str, target: str) -> bool:
    here, there = part_of(module), part_of(target)
    allowed = MAY_IMPORT[here] | MAY_ALSO_IMPORT.get(module, set())
    return here == there or there in allowed or any(target == name for name in allowed)


def test_every_import_is_in_the_table() -> None:
    fail_for_each(
        [
            f"{where(module, line)}: {part_of(module) or 'forkhttpd'} must not import {target}"
            for module in MODULES
            for target, line in ours(module)
            if not may_import(module, target)
        ]
    )


def test_router_alone_names_handlers_and_launcher_alone_the_spawners_protocol() -> None:
    doors = {"handlers": "worker.router", "spawner.protocol": "worker.launcher"}
    fail_for_each(
        [
            f"{where(module, line)}: only {door} names {part}"
            for part, door in doors.items()
            for module in MODULES
            for target, line in ours(module)
            if belongs(target, part) and module != door and part_of(module) == "worker"
        ]
    )


def test_the_table_names_only_what_there_is() -> None:
    named = {*MAY_IMPORT, *MAY_ALSO_IMPORT}.union(*MAY_IMPORT.values(), *MAY_ALSO_IMPORT.values())
    assert not named - set(MODULES)


def test_the_table_allows_only_what_is_needed() -> None:
    needed = {(part_of(module), target) for module in MODULES for target, _ in ours(module)}
    fail_for_each(
        [
            f"{part} does not import {allowed or 'forkhttpd'} any more"
            for part, targets in MAY_IMPORT.items()
            for allowed in targets
            if not any(here == part and belongs(target, allowed) for here, target in needed)
        ]
    )


def test_contributing_has_the_same_table() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `([\w./]+?)/?` \| .* \| (.*) \|$", text, re.MULTILINE)
    said = {part.replace("/", "."): names.replace("`", "") for part, names in rows}
    assert said.keys() >= MAY_IMPORT.keys() - {""}
    for part in MAY_IMPORT.keys() - IN_PROSE - {""}:
        names = {"" if name == OF_THE_PACKAGE else name for name in said[part].split(", ")}
        assert names - {"nothing"} == MAY_IMPORT[part], part


def test_no_import_cycles() -> None:
    graph = {module: {target for target, _ in ours(module)} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_no_relative_imports() -> None:
    fail_for_each(
        [
            f"{where(module, found.line)}: write the whole name"
            for module in MODULES
            for found in imports(module)
            if found.target.startswith(".")
        ]
    )


def test_no_imports_inside_functions_but_the_late_ones() -> None:
    late = {
        (module, found.target.removeprefix("forkhttpd.")): where(module, found.line)
        for module in MODULES
        for found in imports(module)
        if found.inside
    }
    fail_for_each([f"{late[pair]}: {' imports '.join(pair)} late" for pair in late.keys() - LATE])
    assert not LATE - late.keys()


@cache
def at_once(module: str) -> frozenset[str]:
    """Return all that the import of a module imports, ours and the top-level names of others."""
    found = [one.target for one in imports(module) if not one.inside]
    ours = {name.removeprefix("forkhttpd.") for name in found if name.startswith("forkhttpd.")}
    others = {name.partition(".")[0] for name in found if not name.startswith("forkhttpd")}
    return frozenset(others).union(ours, *map(at_once, ours))


def test_who_serves_does_not_import_pydantic() -> None:
    assert "pydantic" in at_once("config.load")
    assert not at_once("config.examination") & {"pydantic", "pydantic_core"}
    assert "pydantic" in at_once("config.dump")
    assert not at_once("cli") & {"pydantic", "pydantic_core"}
    assert not at_once("__main__") & {"pydantic", "pydantic_core"}


def test_no_event_loop_and_no_threads_of_others() -> None:
    fail_for_each(
        [
            f"{where(module, line)}: {name}"
            for module in MODULES
            for name, line in foreign(module)
            if name in NEVER
        ]
    )


def bundled() -> list[str]:
    return [module for module in MODULES if part_of(module) in BUNDLE]


def test_the_spawners_bundle_imports_the_standard_library_alone() -> None:
    fail_for_each(
        [
            f"{where(module, line)}: {name} is not in the standard library"
            for module in bundled()
            for name, line in foreign(module)
            if name not in sys.stdlib_module_names
        ]
    )


def test_the_spawners_bundle_keeps_to_the_grammar_of_python_3_9() -> None:
    for module in bundled():
        ast.parse(MODULES[module].read_text(), module, feature_version=OLDEST_GRAMMAR)


def test_the_spawners_bundle_writes_no_union_with_a_bar() -> None:
    """`int | None` parses under 3.9 and raises TypeError there, where the annotation is made."""
    fail_for_each(
        [
            f"{where(module, annotation.lineno)}: write Optional or Union"
            for module in bundled()
            for annotation in annotations(tree(module))
            if any(isinstance(node, ast.BitOr) for node in ast.walk(annotation))
        ]
    )


def annotations(module: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(module):
        match node:
            case ast.arg(annotation=ast.expr() as annotation):
                yield annotation
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.FunctionDef(returns=ast.expr() as annotation):
                yield annotation
