"""The package's source as a tree of syntax: its modules, and what each of them imports."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "forkhttpd"


@dataclass(frozen=True)
class Import:
    """One imported module.  `target` is dotted and absolute; `inside` names a function or ""."""

    target: str
    line: int
    inside: str


def name_of(file: Path) -> str:
    """Return a module's dotted name below the package: "worker.router", "" for the package."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(), str(MODULES[module]))


def imports(module: str) -> list[Import]:
    return list(_imports(tree(module), ""))


def _imports(node: ast.AST, inside: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (Import(alias.name, child.lineno, inside) for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                base = "." * level + (source or "")
                yield from (_one(base, alias.name, child.lineno, inside) for alias in names)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _imports(child, name)
            case _:
                yield from _imports(child, inside)


def _one(base: str, name: str, line: int, inside: str) -> Import:
    """Tell `from package import module` from `from module import name`."""
    whole = f"{base}.{name}"
    is_module = whole.removeprefix("forkhttpd.") in MODULES
    return Import(whole if is_module else base, line, inside)


def ours(module: str) -> Iterator[tuple[str, int]]:
    """Yield the modules of the package that a module imports, by their short names."""
    for found in imports(module):
        head, _, rest = found.target.partition(".")
        if head == "forkhttpd":
            yield rest, found.line


def foreign(module: str) -> Iterator[tuple[str, int]]:
    """Yield the top-level names of everything else that a module imports."""
    for found in imports(module):
        head = found.target.partition(".")[0]
        if head != "forkhttpd":
            yield head, found.line


def belongs(module: str, part: str) -> bool:
    return module == part or (part != "" and module.startswith(part + "."))


def where(module: str, line: int) -> str:
    return f"{MODULES[module].relative_to(ROOT)}:{line}"


def fail_for_each(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(dict.fromkeys(problems))
