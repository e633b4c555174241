"""A script's life in a fork of the spawner: it begins as if the interpreter had just started.

Whatever a script can tell is what it would be after exec.  What all runs of a script have in common
is set before it is forked (Stage), the rest in its own process (begin).  When that returns, one
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

import _signal  # type: ignore[import-not-found]
import _warnings
import gc
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Dict, Iterator, List, NamedTuple, NoReturn, Sequence, Tuple

from forkhttpd.spawner.ending import Ending, ending, known_modules
from forkhttpd.spawner.image import Command, Image
from forkhttpd.spawner.origin import Origin
from forkhttpd.spawner.scripts import Script
from forkhttpd.spawner.spares import Environment, await_orders
from forkhttpd.spawner.stash import Stash, renew, replace
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

# Variables that are the same in all requests for a script, and say nothing of a client.
_SAME = tuple(
    name + b"="
    for name in (
        b"DOCUMENT_ROOT",
        b"GATEWAY_INTERFACE",
        b"HTTPS",
        b"PATH",
        b"REDIRECT_STATUS",
        b"REQUEST_SCHEME",
        b"SCRIPT_FILENAME",
        b"SCRIPT_NAME",
        b"SERVER_ADDR",
        b"SERVER_PORT",
        b"SERVER_PROTOCOL",
        b"SERVER_SOFTWARE",
    )
)

# Whether the interpreter has close_range(2) do it; else it would ask for each of a billion.
_CLOSES_RANGES = sys.version_info >= (3, 10) and _can_close_ranges()


class Scene(NamedTuple):
    """What was made for all runs of a script: the loader of its __main__, what is to be called in
    the end, and which modules have to be renewed in each process."""

    loader: SourceFileLoader
    ending: Ending
    renewed: Tuple[str, ...]


class Stage:
    """What all runs of a script find, set in the spawner for the moment in which it forks.

    What is done here is done once for a burst, in memory that the spawner writes to anyway.
    """

    __slots__ = ("_environment", "_handlers", "_origin", "_saved", "_stash", "_streams")

    def __init__(self, origin: Origin, stash: Stash, streams: Streams) -> None:
        self._origin = origin
        self._stash = stash
        self._streams = streams
        self._handlers = _handlers_to_change()
        self._environment = list(os.environb), list(os.environb.values())
        self._saved: Tuple[Any, ...] = ()

    def set(self, script: Script, env: Sequence[bytes], *, fed: bool) -> Scene:
        """Make the interpreter what it would be at the first line of the script.

        env: of a request; what is the same in all of them is set already; fed: whether stdin is a
        pipe.  Signals are blocked.
        """
        self._saved = (
            _signal.set_wakeup_fd(-1),
            dict(sys.modules),
            list(sys.path),
            list(sys.argv),
            list(getattr(sys, "orig_argv", ())),
            sys.executable,
            sys._base_executable,  # type: ignore[attr-defined]
        )
        _restore(self._origin)
        _set_environment(_same_in_all(env), self._origin)
        for number, _, handler in self._handlers:
            _signal.signal(number, handler)
        self._streams.put_in_place(fed=fed)
        _name_interpreter(script, self._origin)
        self._stash.open()
        sys.path.insert(0, script.directory)
        self._stash.bring(script.first)
        scene = Scene(
            SourceFileLoader("__main__", script.file),
            ending(self._stash.ready, known=known_modules()),
            tuple(self._stash.renewed),
        )
        gc.freeze()
        return scene

    def strike(self) -> None:
        """Be the spawner again.  A SIGCHLD of meanwhile is lost: look for who has ended."""
        if not self._saved:
            return
        wakeup, modules, sys.path[:], argv, orig_argv, sys.executable, base = self._saved
        sys._base_executable = base  # type: ignore[attr-defined]
        sys.argv[:] = argv
        if orig_argv:
            sys.orig_argv[:] = orig_argv
        self._stash.close()
        replace(sys.modules, modules)
        self._streams.put_back()
        for number, handler, _ in self._handlers:
            _signal.signal(number, handler)
        _signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        _set_environment(self._environment, self._origin)
        self._saved = ()


class Birth(NamedTuple):
    """All that a life begins with; stdio and orders are descriptors, stdin a file if `has_file`."""

    script: Script
    scene: Scene
    argv: Tuple[bytes, ...]
    command: Command
    stdio: List[int]
    has_file: bool
    orders: int
    origin: Origin
    stash: Stash
    image: Image
    streams: Streams


def begin(birth: Birth) -> Life:
    """Be a spare, and then what the interpreter would be that was asked to run the script.

    Signals are blocked when this begins, so that none is taken as the spawner's.
    """
    try:
        _be_born(birth)
        env = await_orders(birth.orders)
    except BaseException:
        os._exit(127)
    try:
        return _begin(birth, env)
    except Exception:
        _execute(birth.argv, env)


def _be_born(birth: Birth) -> None:
    """Become the leader of a session, which a program is from its first instruction."""
    os.setsid()
    for number, fd in enumerate(birth.stdio):
        os.dup2(fd, number)
    _close_all_but(birth.orders)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def take_signals() -> None:
    """Take signals as CPython does that starts afresh."""
    _signal.set_wakeup_fd(-1)
    for number, _, handler in _handlers_to_change():
        _signal.signal(number, handler)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def _handlers_to_change() -> List[Tuple[int, Any, Any]]:
    """Return the signals that CPython takes in another way than we do: how we do, and how it does.

    With the functions of C, here and there: those of the module signal make enums of everything,
    which copies a hundred pages of memory.
    """
    changeable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    handlers: Dict[int, Any] = {int(number): _signal.SIG_DFL for number in changeable}
    handlers[signal.SIGINT] = _signal.default_int_handler
    handlers.update((int(number), _signal.SIG_IGN) for number in _IGNORED)
    ours = {number: _signal.getsignal(number) for number in handlers}
    return [(n, ours[n], handler) for n, handler in handlers.items() if ours[n] != handler]


def _begin(birth: Birth, env: Environment) -> Life:
    _set_environment(env, birth.origin)
    birth.image.show(birth.command, [b"%b=%b" % entry for entry in _entries(env)])
    if birth.has_file:
        birth.streams.renew_stdin()
    for name in birth.scene.renewed:
        renew(name, sys.modules[name], stderr=sys.stderr)
    birth.stash.look_again()
    code = birth.script.code or _compile(birth.script.file)
    gc.freeze()  # what is the spawner's is neither to be seen nor to be collected
    names = _main(birth.script.file, birth.scene.loader, birth.origin)
    return code, names, birth.scene.ending


def _close_all_but(orders: int) -> None:
    if _CLOSES_RANGES:
        os.closerange(3, orders)
        os.closerange(orders + 1, 1 << 30)
        return
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != orders:
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


def _set_environment(env: Environment, origin: Origin) -> None:
    """As os.environ does it, so that C sees it as well; without its codecs, which cost 60 µs.

    C keeps each string for ever (man 3 setenv), which costs two pages: only what is not as it was.
    """
    data: Dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    before = dict(data)
    data.clear()
    data.update(_entries(env))
    for name, value in origin.coerced:
        data.setdefault(name, value)
    if data.items() == before.items():
        return
    for name in before.keys() - data.keys():
        os.unsetenv(name)
    for name, value in data.items() - before.items():
        os.putenv(name, value)


def _entries(env: Environment) -> Iterator[Tuple[bytes, bytes]]:
    return zip(*env)  # noqa: B905 - which only CPython 3.10 knows


def _same_in_all(env: Sequence[bytes]) -> Environment:
    pairs = [entry.split(b"=", 1) for entry in env if entry.startswith(_SAME)]
    return [name for name, _ in pairs], [value for _, value in pairs]


def _name_interpreter(script: Script, origin: Origin) -> None:
    path = script.interpreter.path
    if origin.base_executable == origin.executable:
        sys._base_executable = path  # type: ignore[attr-defined]
    sys.executable = path
    sys.argv[:] = [script.file]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = command_of(script)


def command_of(script: Script) -> List[str]:
    """Return the words that the interpreter was, as it were, started with."""
    return [script.interpreter.name, script.file]


def _compile(file: str) -> CodeType:
    with open(file, "rb") as source:
        code: CodeType = compile(source.read(), file, "exec", dont_inherit=True)
    return code


def _main(file: str, loader: SourceFileLoader, origin: Origin) -> Dict[str, Any]:
    """Return the namespace of a new __main__, its names in the order that scripts see."""
    module = ModuleType("__main__")
    names = vars(module)
    names.clear()
    names.update(origin.namespace)
    names["__file__"] = file
    names["__loader__"] = loader
    sys.modules["__main__"] = module
    sys.path_importer_cache[file] = None
    return names


def _execute(argv: Sequence[bytes], env: Environment) -> NoReturn:
    """Become the program by execve, which takes no ignored signal for an answer."""
    try:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.execve(argv[0], list(argv), dict(_entries(env)))
    except OSError as error:
        os.write(2, f"{argv[0]!r}: {error.strerror}\n".encode())
    finally:
        os._exit(127)
