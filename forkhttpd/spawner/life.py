"""A script's life in a fork of the spawner: it begins as if the interpreter had just started.

Whatever a script can tell is what it would be after exec.  What all runs of a script have in common
is set before it is forked (stage.py), the rest in its own process (begin).  When that returns, one
frame of ours is left, the file that the interpreter was started with, and runs the script.

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
    starting time            of the process: up to a second before the request (see spares.py)
    memory                   the spawner's, too: it counts as resident, and may hold remains of
                             former requests of the pool, for who reads /proc/self/mem
    traceback of a failure   of sys.excepthook itself: a line more
    objects' last words      a destructor that runs at the very end finds modules still there
    AttributeError           CPython 3.13 does not suggest to rename a module of the script's
    atexit, os.register_at_fork
                             functions of modules that others import are registered too
"""

import gc
import os
import signal
import sys
import time
from _signal import SIG_SETMASK, pthread_sigmask  # type: ignore[import-not-found]
from contextlib import suppress
from os import closerange, dup2, setsid
from types import CodeType, ModuleType
from typing import Any, Dict, List, NamedTuple, NoReturn, Sequence, Tuple

from forkhttpd.spawner.ending import Ending
from forkhttpd.spawner.spares import await_orders
from forkhttpd.spawner.stage import IGNORED, Environment, Scene, set_environment
from forkhttpd.spawner.stash import renew


def _can_close_ranges() -> bool:
    """Find out how long it takes to close what is not open: 1 µs, or 0.1 for each."""
    begin = time.perf_counter()
    os.closerange(1 << 20, (1 << 20) + 50_000)
    return time.perf_counter() - begin < 0.001


# What the file that runs the script gets: code, namespace, and what to call in the end.
Life = Tuple[CodeType, Dict[str, Any], Ending]

# Whether the interpreter has close_range(2) do it; else it would ask for each of a billion.
_CLOSES_RANGES = sys.version_info >= (3, 10) and _can_close_ranges()


class Birth(NamedTuple):
    """All that a life begins with; stdio and orders are descriptors, stdin a file if `has_file`."""

    scene: Scene
    argv: Tuple[bytes, ...]
    stdio: List[int]
    has_file: bool
    orders: int


def begin(birth: Birth) -> Life:
    """Be a spare, and then what the interpreter would be that was asked to run the script.

    Signals are blocked when this begins, so that none is taken as the spawner's.
    """
    scene, argv, stdio, has_file, orders = birth
    try:
        _be_born(stdio, orders)
        env, shown = await_orders(orders)
    except BaseException:
        os._exit(127)
    try:
        return _begin(scene, env, shown, has_file)
    except Exception:
        _execute(argv, env)


def _be_born(stdio: Sequence[int], orders: int) -> None:
    """Become the leader of a session, which a program is from its first instruction."""
    setsid()
    for number, fd in enumerate(stdio):
        dup2(fd, number)
    _close_all_but(orders)
    pthread_sigmask(SIG_SETMASK, ())


def _begin(scene: Scene, env: Environment, shown: bytes, has_file: bool) -> Life:
    """Live on, with all unpacked, here and above, and functions of C imported by their names.

    To look up an attribute that the spawner has not looked up lately copies three pages: of the
    type cache, of the name, and of what is found.
    """
    file, code, namespace, end, renewed, coerced, command, image, streams = scene
    set_environment(env, coerced)
    image.show(command, shown)
    if has_file:
        streams.renew_stdin()
    for name in renewed:
        renew(name, sys.modules[name], stderr=sys.stderr)
    code = code or _compile(file)
    gc.freeze()  # what is the spawner's is neither to be seen nor to be collected
    return code, _main(namespace), end


def _close_all_but(orders: int) -> None:
    if _CLOSES_RANGES:
        closerange(3, orders)
        closerange(orders + 1, 1 << 30)
        return
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != orders:
            with suppress(OSError):  # the one that listed the directory
                os.close(int(name))


def _compile(file: str) -> CodeType:
    with open(file, "rb") as source:
        code: CodeType = compile(source.read(), file, "exec", dont_inherit=True)
    return code


def _main(namespace: Dict[str, Any]) -> Dict[str, Any]:
    """Return the namespace of a new __main__, its names in the order that scripts see.

    Made by each process after its gc.freeze, or the collector would not find what refers to it.
    """
    module = ModuleType("__main__")
    names = vars(module)
    names.clear()
    names.update(namespace)
    sys.modules["__main__"] = module
    return names


def _execute(argv: Sequence[bytes], env: Environment) -> NoReturn:
    """Become the program by execve, which takes no ignored signal for an answer."""
    try:
        for number in IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.execve(argv[0], list(argv), env)
    except OSError as error:
        os.write(2, f"{argv[0]!r}: {error.strerror}\n".encode())
    finally:
        os._exit(127)
