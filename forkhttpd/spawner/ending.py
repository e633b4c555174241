"""How a script's life ends: as the interpreter ends it, without taking a whole interpreter apart.

Py_FinalizeEx destroys every object there is, most of which belong to the spawner and are shared
with it; to write to them all, in order to free them, costs more than all the rest (2 ms of 5).
What a script can tell of it is done here, in its order, and then the process ends:

    threads are joined, atexit functions run, standard streams are flushed, the script's own
    modules are let go, cycles collected, so that what it has left open is flushed and closed

Whatever is not plainly that goes the interpreter's way: an exception, a stream that cannot be
flushed (exit code 120), foreign machine code, which may have left something to the end of the
process (C's buffers).
"""

import gc
import os
import sys
from contextlib import suppress
from importlib.machinery import ExtensionFileLoader
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Tuple

# Calls any C function there is.
_FOREIGN = "_ctypes"

# From CPython 3.14 on, generations are something else.
_IS_INCREMENTAL = sys.version_info >= (3, 14)

Ending = Callable[[Optional[BaseException]], Optional[Callable[[], None]]]


# How many modules there are before a script runs, and which is the last.
Known = Tuple[int, str]


def known_modules() -> Known:
    """Return what tells, at a script's end, whether it has imported anything of its own."""
    return len(sys.modules), next(reversed(sys.modules))


def ending(ready: Dict[str, ModuleType], *, known: Known) -> Ending:
    """Return what is to be called at a script's end, with its exception, if any.

    ready: the modules that are not the script's own; known: of before it ran.  The result is None
    when the exception is to be raised again, else a function to call once nothing refers to the
    script's namespace.
    """

    def end(error: Optional[BaseException]) -> Optional[Callable[[], None]]:
        status = 0 if error is None else _status(error)
        if status is None or _has_foreign_code(_own_modules(ready, known)):
            if error is None:
                return _nothing
            _show(error)
            return None
        if error:
            error.__traceback__ = error.__context__ = error.__cause__ = None
        return lambda: _leave(status, ready, known)

    return end


def _own_modules(ready: Dict[str, ModuleType], known: Known) -> List[str]:
    """Return the script's own modules; to look at each costs a page, so only if some were added."""
    if known_modules() == known:
        return ["__main__"]
    return [name for name, module in sys.modules.items() if ready.get(name) is not module]


def _nothing() -> None:
    """Let the interpreter do it all."""


def _status(error: BaseException) -> Optional[int]:
    if type(error) is not SystemExit:
        return None
    code = error.code
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) and abs(code) < 1 << 31 else None


def _show(error: BaseException) -> None:
    """Take the frame that runs the script out of the traceback that is going to be shown.

    The interpreter puts it in again on the way out, so it is the hook that has to be told.
    """
    if isinstance(error, SystemExit):
        return
    hook, traceback = sys.excepthook, error.__traceback__
    shown = traceback.tb_next if traceback else None

    def show(kind: Any, value: BaseException, _traceback: Any) -> None:
        sys.excepthook = hook
        sys.last_traceback = shown
        hook(kind, value.with_traceback(shown), shown)

    sys.excepthook = show


def _has_foreign_code(own: List[str]) -> bool:
    return _FOREIGN in sys.modules or any(
        isinstance(getattr(sys.modules.get(name), "__loader__", None), ExtensionFileLoader)
        for name in own
    )


def _leave(status: int, ready: Dict[str, ModuleType], known: Known) -> None:
    """End the process; return if the interpreter has to do the rest."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    for module in {
        id(m): m for m in (sys.modules.get("atexit"), ready.get("atexit")) if m
    }.values():
        with suppress(BaseException):  # shown by now; CPython 3.9 tells the caller as well
            module._run_exitfuncs()
    if not _flush():
        return
    if gc.isenabled():
        _collect()  # puts what refers before what it refers to, a stream before its file
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    for name in _own_modules(ready, known):
        sys.modules.pop(name, None)
    _collect()
    if _flush():
        os._exit(status)


def _collect() -> None:
    """Collect all that is the script's: it is younger than what a fork begins with.

    Not all generations where the oldest is empty: that would also take all free lists apart, whose
    40 pages are the spawner's.
    """
    gc.collect(2 if _IS_INCREMENTAL or gc.get_objects(2) else 1)


def _flush() -> bool:
    """Flush the standard streams; on failure say nothing, as it fails, and is said, again."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
    except BaseException:
        return False
    return True
