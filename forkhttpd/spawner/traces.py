"""What an import leaves behind besides modules: how to tell that it acts."""

import _locale
import _warnings
import gc
import os
import signal
import sys
import time
from typing import Any, Callable, Dict, List, Tuple

# What a module may not keep: it is another in each process, or at each moment.
_MOMENTARY = ((os, "urandom"), (os, "getpid"), (os, "getcwd"), (time, "time"), (time, "time_ns"))

# It keeps the time, which is renewed (see stash.py).
_RENEWED = frozenset({"logging"})


class Traces:
    """Watches this process; `found` tells what has come since the last time it was asked."""

    def __init__(self, written: int, *, known: Callable[[bytes], bool]) -> None:
        """`written`: the file that descriptors 1 and 2 are; `known`: variables that may be read."""
        self._written = written
        self._asked: List[str] = []
        self._known = known
        self._watch_functions()
        self._watch_environment()
        self._before = self._look()

    def found(self) -> str:
        """Say what an import has done, "" for nothing."""
        now = self._look()
        differences = [words for words, value in now.items() if value != self._before[words]]
        self._before = now
        differences += dict.fromkeys(self._asked)
        self._asked = []
        return ", ".join(differences)

    def _look(self) -> Dict[str, Any]:
        sys.stdout.flush()
        return {
            "starts a thread": len(os.listdir("/proc/self/task")),
            "leaves a file open": sorted(os.listdir("/proc/self/fd")),
            "writes": os.fstat(self._written).st_size,
            "starts a process": _has_children(),
            "changes the directory": os.readlink("/proc/self/cwd"),
            "changes the environment": dict(os.environ._data),  # type: ignore[attr-defined]
            "changes how signals are taken": _dispositions(),
            "changes the locale": _locale.setlocale(_locale.LC_ALL),
            "changes the path": list(sys.path),
            "changes how modules are found": (list(sys.meta_path), list(sys.path_hooks)),
            "changes the warnings": list(_warnings.filters),
            "changes hooks": (sys.excepthook, sys.displayhook, sys.unraisablehook, sys.gettrace()),
            "keeps a standard stream": _references(sys.stdin, sys.stdout, sys.stderr),
            "changes the collector": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
            "changes limits": (sys.getrecursionlimit(), sys.getswitchinterval()),
        }

    def _watch_functions(self) -> None:
        for module, name in _MOMENTARY:
            setattr(module, name, self._watched(name, getattr(module, name)))

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            if sys._getframe(1).f_globals.get("__name__") not in _RENEWED:
                self._asked.append(f"asks for {name}")
            return function(*arguments)

        return watched

    def _watch_environment(self) -> None:
        """Note who reads a variable that a request may set."""
        kind: Any = type(os.environ)
        get, iterate = kind.__getitem__, kind.__iter__

        def watched_get(environ: Any, name: Any) -> Any:
            if not self._known(os.fsencode(name)):
                self._asked.append(f"reads {name} of the environment")
            return get(environ, name)

        def watched_iterate(environ: Any) -> Any:
            self._asked.append("reads the environment")
            return iterate(environ)

        kind.__getitem__, kind.__iter__ = watched_get, watched_iterate


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _dispositions() -> Tuple[Any, ...]:
    return tuple(signal.getsignal(number) for number in sorted(signal.valid_signals()))


def _references(*streams: Any) -> List[int]:
    return [sys.getrefcount(stream) for stream in streams] + [
        sys.getrefcount(stream.buffer) for stream in streams
    ]
