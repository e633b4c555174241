"""How large files and functions get, how they are named, and that each says what it is for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import MODULES, ROOT, fail_for_each, tree, where

VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "tools", "util", "utils"}
LONGEST_FILE = 350
LONGEST_FUNCTION = 50


@pytest.mark.parametrize("module", MODULES)
def test_compiles_without_a_warning(module: str) -> None:
    # pytest runs with -W error: a SyntaxWarning of the compiler fails this.
    compile(MODULES[module].read_text(), str(MODULES[module]), "exec", dont_inherit=True)


def test_no_file_is_too_long() -> None:
    files = [*MODULES.values(), *(ROOT / "tests").rglob("*.py")]
    lengths = {file: len(file.read_text().splitlines()) for file in files}
    fail_for_each(
        [
            f"{file.relative_to(ROOT)}: {length} lines, at most {LONGEST_FILE}"
            for file, length in lengths.items()
            if length > LONGEST_FILE
        ]
    )


def test_no_function_is_too_long() -> None:
    fail_for_each(
        [
            f"{where(module, node.lineno)}: {node.name} has {length} lines"
            for module in MODULES
            for node in ast.walk(tree(module))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
        ]
    )


def test_every_module_says_first_what_it_is_for() -> None:
    fail_for_each([f"{module}: no docstring" for module in MODULES if not docstring(module)])


def test_every_package_says_which_modules_it_has() -> None:
    problems = []
    for module in filter(None, MODULES):
        package, _, name = module.rpartition(".")
        if not re.search(rf"(?<!\w){name}(?!\w)", docstring(package) or ""):
            problems.append(f"{MODULES[package].relative_to(ROOT)} does not name {name}")
    for package, file in MODULES.items():
        named = set(re.findall(r"(?<![\w/])\w+\.py\b", docstring(package) or ""))
        if file.name == "__init__.py":
            here = {path.name for path in file.parent.glob("*.py")}
            problems += [f"{package}: no {name}" for name in sorted(named - here)]
    fail_for_each(problems)


def docstring(module: str) -> str | None:
    return ast.get_docstring(tree(module))


def test_every_file_is_named_by_a_noun_that_says_something() -> None:
    parts = {part for module in MODULES for part in module.split(".")}
    assert not parts & VAGUE


# What the project is made of; generated and hidden directories stay out.
TEXTS = ("forkhttpd", "tests", "scripts", "etc", "systemd", ".ci")
SOMEBODYS_MACHINE = ("/" + "home/", "/" + "Users/", str(ROOT) + "/")


def project_files() -> Iterator[Path]:
    yield from (file for file in ROOT.glob("*.*") if file.is_file())
    for directory in TEXTS:
        files = (ROOT / directory).rglob("*")
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    # A checkout right below / proves nothing: /app/ may well be the path of a mount.
    places = SOMEBODYS_MACHINE if len(ROOT.parts) > 2 else SOMEBODYS_MACHINE[:2]
    fail_for_each(
        [
            f"{file.relative_to(ROOT)}: {place}"
            for file in project_files()
            for place in places
            if place.encode() in file.read_bytes()
        ]
    )
