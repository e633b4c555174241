"""A script's life in a fork of the spawner: it begins as if the interpreter had just started.

Whatever a script can tell is what it would be after exec.  The process leads its session already
(see warm.py) and all frames of the spawner are unwound when `begin` is called; when that returns,
one frame of ours is left, the file that the interpreter was started with, and runs the script.

Where anything speaks against it (the script does not compile, say), the process becomes the
program by execve after all: nobody words a SyntaxError as well as the interpreter itself.

What remains different, and why (tests/spawner/warm holds this list to be complete):

    sys._getframe(1)         one more frame below the script's, in inspect.stack() too: something
                             has to run the script
    hash seed, addresses     those of the spawner: sets of strings have the same order in each
                             run until the pool's next start
    gc.get_freeze_count()    not 0: what the spawner holds is off the collector
    /proc/self/environ       padded with NULs, and cut when longer than its place;
    /proc/self/cmdline       padded with NULs
    sys.path_importer_cache  may know directories of the interpreter already; it looks at their
                             times, as always
    object.__subclasses__()  knows classes of modules that others import
    CPU time                 less
    memory                   the spawner's, too: it counts as resident, and may hold remains of
                             former requests of the pool, for who reads /proc/self/mem
    traceback of a failure   of sys.excepthook itself: a line more
    objects' last words      a destructor that runs at the very end finds modules still there
    AttributeError           CPython 3.13 does not suggest to rename a module of the script's
    atexit, os.register_at_fork
                             functions of modules that others import are registered too
"""

import _warnings
import gc
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Dict, List, NamedTuple, NoReturn, Tuple

from forkhttpd.spawner.ending import Ending, ending
from forkhttpd.spawner.image import Image
from forkhttpd.spawner.origin import Origin
from forkhttpd.spawner.protocol import Start
from forkhttpd.spawner.scripts import Script
from forkhttpd.spawner.stash import RENEWED, Stash, renew
from forkhttpd.spawner.streams import Streams


def _can_close_ranges() -> bool:
    """Find out how long it takes to close what is not open: 1 µs, or 0.1 for each."""
    begin = time.perf_counter()
    os.closerange(1 << 20, (1 << 20) + 50_000)
    return time.perf_counter() - begin < 0.001


# What the file that runs the script gets: code, namespace, and what to call in the end.
Life = Tuple[CodeType, Dict[str, Any], Ending]

# CPython's own at start, Python/pylifecycle.c.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)

# Whether the interpreter has close_range(2) do it; else it would ask for each of a billion.
_CLOSES_RANGES = sys.version_info >= (3, 10) and _can_close_ranges()


class Birth(NamedTuple):
    """All that a life begins with."""

    start: Start
    script: Script
    origin: Origin
    stash: Stash
    image: Image
    streams: Streams


def begin(birth: Birth) -> Life:
    """Make this process what the interpreter would be that was asked to run the script."""
    try:
        return _begin(birth)
    except Exception:
        _execute(birth.start)


def _begin(birth: Birth) -> Life:
    origin, script = birth.origin, birth.script
    _close_all_but_standard()
    _restore(origin)
    env = dict(entry.split(b"=", 1) for entry in birth.start.env)
    _set_environment(env, origin)
    _name_interpreter(birth)
    birth.image.show(_command(script), birth.start.env, name=os.fsencode(script.file))
    birth.streams.put_in_place()
    for name in RENEWED & origin.modules.keys():
        renew(name, origin.modules[name], stderr=sys.stderr)
    code = script.code or _compile(script.file)
    birth.stash.open()
    gc.freeze()  # what is left of the spawner is neither to be seen nor to be collected
    namespace = _main(script.file, origin)
    sys.path.insert(0, script.directory)
    return code, namespace, ending(birth.stash.ready)


def _close_all_but_standard() -> None:
    if _CLOSES_RANGES:
        os.closerange(3, 1 << 30)
        return
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):  # the one that listed the directory
                os.close(int(name))


def _restore(origin: Origin) -> None:
    """Undo what has changed; as a rule, nothing has since the stash was filled.

    Every object that is touched is a page of memory copied (1 µs), so it is looked at first.
    """
    if len(sys.path_importer_cache) != len(origin.directories):
        sys.path_importer_cache.clear()
        sys.path_importer_cache.update(origin.directories)
    lists: Tuple[Tuple[Any, Any], ...] = (
        (sys.path, origin.path),
        (sys.meta_path, origin.finders),
        (sys.path_hooks, origin.hooks),
        (_warnings.filters, origin.warnings),
    )
    for now, then in lists:
        if now != then:
            now[:] = then


def _set_environment(env: Dict[bytes, bytes], origin: Origin) -> None:
    """As os.environ does it, so that C sees it as well; without its codecs, which cost 60 µs."""
    entries = {**dict(origin.coerced), **env} if origin.coerced else env
    data: Dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    for name in data.keys() - entries.keys():
        os.unsetenv(name)
    data.clear()
    for name in (*env, *(entries.keys() - env.keys())):
        data[name] = entries[name]
        os.putenv(name, entries[name])


def _name_interpreter(birth: Birth) -> None:
    path = birth.script.interpreter.path
    if birth.origin.base_executable == birth.origin.executable:
        sys._base_executable = path  # type: ignore[attr-defined]
    sys.executable = path
    sys.argv[:] = [birth.script.file]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = _command(birth.script)


def _command(script: Script) -> List[str]:
    return [script.interpreter.name, script.file]


def _compile(file: str) -> CodeType:
    with open(file, "rb") as source:
        code: CodeType = compile(source.read(), file, "exec", dont_inherit=True)
    return code


def _main(file: str, origin: Origin) -> Dict[str, Any]:
    """Return the namespace of a new __main__, its names in the order that scripts see."""
    module = ModuleType("__main__")
    names = vars(module)
    names.clear()
    names.update(origin.namespace)
    names["__file__"] = file
    names["__loader__"] = SourceFileLoader("__main__", file)
    sys.modules["__main__"] = module
    sys.path_importer_cache[file] = None
    return names


def _execute(start: Start) -> NoReturn:
    """Become the program by execve, which takes no ignored signal for an answer."""
    try:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_DFL)
        env = dict(entry.split(b"=", 1) for entry in start.env)
        os.execve(start.argv[0], start.argv, env)
    except OSError as error:
        os.write(2, f"{start.argv[0]!r}: {error.strerror}\n".encode())
    finally:
        os._exit(127)
