"""The messages of the error log at warning and above, read from the source and from the manual.

A message is compared by what is always the same in it; whatever differs from line to line is "*".
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "forkhttpd"

_LOUD = {"warning", "error", "exception", "critical"}
_QUIET = {"DEBUG", "INFO"}
# What takes the level first, and what is an error by its name.
_LEVELLED = {"log", "_log", "Log"}
_SPAWNERS = {"errorlog.write", "self._log", "self._say"}


def of_the_source() -> dict[str, str]:
    """Return every message and where it is written."""
    found: dict[str, str] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for line, message in _messages(file):
            if re.search("[a-z]", message):
                found[message] = f"forkhttpd/{file.relative_to(PACKAGE)}:{line}"
    return found


def of_the_manual(page: str) -> set[str]:
    """Return the heads of the lists of diagnostics; all italics are "*"."""
    lists = re.findall(r"^\.Bl -diag$(.*?)^\.El$", page, re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^\.It (.+)$", "\n".join(lists), re.MULTILINE)
    return {_joined(re.sub(r"\\fI.*?\\fP", "*", head).replace("\\(dq", '"')) for head in heads}


def spelled(message: str) -> str:
    """Return a message as the manual has it, with WORD for what differs."""
    return message.replace('"', "\\(dq").replace("*", "\\fIWORD\\fP")


def _messages(file: Path) -> Iterator[tuple[int, str]]:
    for function in ast.walk(ast.parse(file.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            texts = dict(_texts(function))
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and (said := _said(node, file)) is not None:
                    yield node.lineno, texts.get(ast.unparse(said)) or _joined(_fixed(said))


def _texts(function: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield names that a function gives to texts: `words = f"no room for {x}"`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            text = _joined(_fixed(node.value))
            yield from ((ast.unparse(target), text) for target in node.targets if text != "*")


def _said(call: ast.Call, file: Path) -> ast.expr | None:
    """Return the message of a call that logs, and loudly; None for every other call."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if file.parent.name == "spawner":
        return call.args[0] if name in _SPAWNERS else None
    if last in _LOUD and "log" in name.lower():
        return call.args[0]
    is_loud = last in _LEVELLED and len(call.args) > 1 and _level(call) not in _QUIET
    return call.args[1] if is_loud else None


def _level(call: ast.Call) -> str:
    return ast.unparse(call.args[0]).removeprefix("logging.")


def _fixed(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return re.sub(r"%[-0-9.]*[a-z]", "*", text)
        case ast.JoinedStr(values=values):
            return "".join(map(_fixed, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _fixed(left) + _fixed(right)
        case _:
            return "*"


def _joined(message: str) -> str:
    """Two values side by side are one to the reader."""
    return re.sub(r"\*( \*|\*)*", "*", message)
