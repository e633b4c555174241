"""Looks at a script, and at the modules that it imports, in a process that is thrown away.

Compiling can exhaust memory or take its time, and an import can do anything.  So neither happens
in the spawner before it has gone well in a scout: a fork of the spawner that tries it, watches
what it leaves behind, reports and is gone.  One that hangs is ended by its own alarm.

The report is a memory file of the marshal format: both are the same interpreter.
"""

import marshal
import os
import signal
import sys
import warnings
from collections import deque
from contextlib import suppress
from importlib.util import find_spec
from types import CodeType
from typing import Any, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Set, Tuple

from forkhttpd.spawner.origin import Origin, starting_entries
from forkhttpd.spawner.stash import Key, Stash, key_of, offered
from forkhttpd.spawner.traces import Traces

TIMEOUT = 20  # seconds, also for the slowest disk

_LONGEST_SOURCE = 1 << 20

# ast.PyCF_ONLY_AST: the compiler makes the tree.  The modules ast and, in main.py, traceback took
# 6 of the 62 ms of a spawner's start, and 0.4 of its 8.2 MiB.
_ONLY_AST = 0x400
_MOST_FILES = 32  # of the script's own directory, that are read for what they import

# They do something to whoever imports them that leaves no trace we look for, or are no use here.
_ACTING = frozenset(
    {"antigravity", "this", "tkinter", "turtle", "turtledemo", "idlelib", "readline"}
)

# Functions of the library that serve its own tests, or who runs it as a command.
_NEVER_CALLED = ("_test", "test", "main", "_main")


class Task(NamedTuple):
    """A script to look at, or (file "") modules that were asked for by name.

    known: what need not be tried, because it is ready, or was found to act.
    """

    file: str
    key: Key
    modules: Tuple[str, ...]
    read_imports: bool
    known: Tuple[str, ...]


class Report(NamedTuple):
    """What a scout has found.

    code: None when it cannot be kept; first: what it imports before anything else;
    modules: those that can be imported, in this order; failed: why others are not, "" for a reason
    that is nobody's fault; more: look again, as the last that failed has spoilt the scout.
    """

    code: Optional[CodeType]
    first: List[str]
    modules: List[str]
    failed: Dict[str, str]
    more: bool


def run(task: Task, origin: Origin, stash: Stash, report: int) -> NoReturn:
    """Be a scout: write a Report to the descriptor `report` and end."""
    code = 1
    try:
        signal.alarm(TIMEOUT)
        written = _settle_in(report)
        data = marshal.dumps(tuple(_look(task, origin, stash, written)))
        os.write(report, data)
        code = 0
    finally:
        os._exit(code)


def read(report: int) -> Optional[Report]:
    """Return what a scout has written; None if it came to nothing."""
    with suppress(ValueError, EOFError, TypeError):
        size = os.fstat(report).st_size
        return Report(*marshal.loads(os.pread(report, size, 0)))  # noqa: S302
    return None


def _settle_in(report: int) -> int:
    """Keep no descriptor of the spawner's but ours; return the file that takes what is written."""
    written = os.memfd_create("forkhttpd-scout")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(written, 1)
    os.dup2(written, 2)
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in (report, written):
            with suppress(OSError):
                os.close(fd)
    return written


def _look(task: Task, origin: Origin, stash: Stash, written: int) -> Report:
    code, first, imports = _read_script(task) if task.file else (None, [], [])
    wanted = [*task.modules, *(_with_later(imports, origin) if task.read_imports else ())]
    traces = Traces(written, known=lambda name: bool(starting_entries({name: b""})))
    modules: List[str] = []
    failed: Dict[str, str] = {}
    for name in wanted:
        if name in task.known or name in failed or name in modules or name in stash:
            continue
        reason = _try(name, stash, traces)
        if reason is None:
            modules.append(name)
            continue
        failed[name] = reason
        return Report(code, first, modules, failed, more=True)
    return Report(code, first, modules, failed, more=False)


def _try(name: str, stash: Stash, traces: Traces) -> Optional[str]:
    """Import a module; return what speaks against it."""
    if name.partition(".")[0] in _ACTING:
        return ""
    try:
        stash.load(name)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    found = traces.found()
    if not found and any(acting in stash for acting in _ACTING):
        return ""
    return f"its import {found}" if found else None


# The script.


def _read_script(task: Task) -> Tuple[Optional[CodeType], List[str], List[str]]:
    """Return its code, if it is as good as what the interpreter would compile, and its imports.

    Those that come before anything else first, and then all.
    """
    source = _read(task.file)
    if source is None or key_of(os.stat(task.file)) != task.key:
        return None, [], []
    sys.modules["warnings"] = warnings  # where the compiler looks for what to do with them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # which each run of the script is to tell
            code: Optional[CodeType] = compile(source, task.file, "exec", dont_inherit=True)
    except Exception:
        code = None
    imports = list(_imports_of_program(source, os.path.realpath(task.file)))
    return code, list(_first_imports(source)), imports


def _read(file: str) -> Optional[bytes]:
    try:
        with open(file, "rb") as source:
            text = source.read(_LONGEST_SOURCE + 1)
    except OSError:
        return None
    return text if len(text) <= _LONGEST_SOURCE else None


def _imports_of_program(source: bytes, file: str) -> Iterator[str]:
    """Yield what a script imports, and what the files beside it import that it imports."""
    directory = os.path.dirname(file)
    seen: Set[str] = set()
    waiting = [source]
    while waiting and len(seen) < 4096:
        for name in _imports(waiting.pop()):
            if name in seen:
                continue
            seen.add(name)
            beside = _beside(directory, name)
            if beside is None:
                yield name
            elif len(seen) <= _MOST_FILES:
                waiting.append(beside)


def _beside(directory: str, name: str) -> Optional[bytes]:
    """Return the source of a module of the script's own; b"" if it has none to read."""
    first = name.partition(".")[0]
    if not offered(directory, {first}):
        return None
    return _read(os.path.join(directory, first + ".py")) or b""


def _imports(source: bytes) -> Iterator[str]:
    """Yield the full names in the import statements, wherever they stand."""
    with suppress(Exception):
        for node in _walk(_parse(source)):
            yield from _names(node)


def _first_imports(source: bytes) -> Iterator[str]:
    """Yield the names of modules in the import statements that a script begins with."""
    with suppress(Exception):
        for node in _parse(source).body:
            if _kind(node) == "Expr" and _kind(node.value) == "Constant":
                continue
            if _kind(node) not in ("Import", "ImportFrom"):
                return
            names = list(_names(node))
            yield from names if _kind(node) == "Import" else names[:1]


def _parse(source: bytes) -> Any:
    return compile(source, "<script>", "exec", _ONLY_AST, dont_inherit=True)


def _walk(root: Any) -> Iterator[Any]:
    """Yield a node of a syntax tree and all below it, a level after the other."""
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        yield node
        for value in vars(node).values():
            below = value if isinstance(value, list) else [value]
            waiting.extend(each for each in below if hasattr(each, "_fields"))


def _kind(node: Any) -> str:
    return type(node).__name__


def _names(node: Any) -> Iterator[str]:
    """Yield what an import statement names.

    `from a import b` yields a and, as b may be a module, a.b.
    """
    if _kind(node) == "Import":
        yield from (alias.name for alias in node.names)
    elif _kind(node) == "ImportFrom" and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _library(names: List[str], origin: Origin) -> Iterator[str]:
    """Yield those that are modules of the standard library."""
    sys.path[:] = origin.path
    for name in names:
        with suppress(ImportError, ValueError, AttributeError):
            if _is_of_library(name, origin):
                yield name


def _with_later(names: List[str], origin: Origin) -> Iterator[str]:
    """Yield modules of the standard library, and what functions of theirs import when called.

    Without these a script that writes a mail reads email.policy each time, 5 ms.
    """
    library = list(_library(names, origin))
    yield from library
    for name in library:
        with suppress(ImportError, ValueError, AttributeError):
            spec = find_spec(name)
            if spec and spec.has_location and str(spec.origin).endswith(".py"):
                source = _read(str(spec.origin)) or b""
                yield from _library(list(_imports_of_functions(source)), origin)


def _imports_of_functions(source: bytes) -> Iterator[str]:
    """Yield the full names in the import statements that are run by a call."""
    with suppress(Exception):
        for node in _walk(_parse(source)):
            if _kind(node) == "FunctionDef" and not node.name.startswith(_NEVER_CALLED):
                for inside in _walk(node):
                    yield from _names(inside)


def _is_of_library(name: str, origin: Origin) -> bool:
    """Tell by where the first part would be found; the rest only if there is such a file."""
    first, _, rest = name.partition(".")
    if first in origin.modules and not rest:
        return False  # always there
    spec = find_spec(first)
    if spec is None:
        return False
    if spec.origin in ("built-in", "frozen"):
        return not rest
    directory, _, file = str(spec.origin).rpartition("/")
    if f"{directory}/".partition(origin.library)[0] or "-packages/" in f"{directory}/":
        return False
    if not rest:
        return True
    inside = os.path.join(directory, *rest.split("."))
    return file == "__init__.py" and (os.path.isfile(inside + ".py") or os.path.isdir(inside))
