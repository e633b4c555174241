"""What all runs of a script find, set in the spawner for the moment in which it forks them.

What is done here is done once for a burst (spares.py), in memory that the spawner writes to anyway;
in a script's own process it is done again each time, and each page that it writes to is copied.
"""

import _signal  # type: ignore[import-not-found]
import _warnings
import gc
import os
import signal
import sys
from importlib.machinery import SourceFileLoader
from os import putenv, unsetenv
from types import CodeType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from forkhttpd.spawner.ending import Ending, ending, known_modules
from forkhttpd.spawner.image import Command, Image, find
from forkhttpd.spawner.origin import Origin
from forkhttpd.spawner.scripts import Script
from forkhttpd.spawner.spares import Orders
from forkhttpd.spawner.stash import Stash
from forkhttpd.spawner.streams import Streams

Environment = Dict[bytes, bytes]

# CPython's own at start, Python/pylifecycle.c.
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)

# What os.environ keeps, and stays the same object.
_ENVIRONMENT: Dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]

# Variables that are the same in all requests for a script, and say nothing of a client.
_SAME = (
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


class Scene(NamedTuple):
    """What is the same in all runs of a script, and was made for them before they are forked.

    code: None where each compiles it; namespace: what __main__ begins with; ending: what is to be
    called in the end; renewed: modules that are to be renewed; coerced: see Origin; command: what
    is to be shown of it; image, streams: what shows it, and its standard streams.
    """

    file: str
    code: Optional[CodeType]
    namespace: Dict[str, Any]
    ending: Ending
    renewed: Tuple[str, ...]
    coerced: Tuple[Tuple[bytes, bytes], ...]
    command: Command
    image: Image
    streams: Streams


class Stage:
    """Makes the interpreter what a script finds, and the spawner's again."""

    __slots__ = ("_environment", "_handlers", "_image", "_origin", "_saved", "_stash", "_streams")

    def __init__(self, origin: Origin, stash: Stash) -> None:
        self._origin = origin
        self._image = find()
        self._stash = stash
        self._streams = Streams()
        self._handlers = _handlers_to_change()
        self._environment = dict(os.environb)
        self._saved: Tuple[Any, ...] = ()

    def set(self, script: Script, env: Environment, *, fed: bool) -> Scene:
        """Make the interpreter what it would be at the first line of the script, for `begin`.

        env: of a request; what is the same in all of them is set already; fed: whether stdin is a
        pipe.  Signals are blocked.
        """
        self._saved = (
            _signal.set_wakeup_fd(-1),
            script.file,
            list(sys.path),
            list(sys.argv),
            list(getattr(sys, "orig_argv", ())),
            sys.executable,
            sys._base_executable,  # type: ignore[attr-defined]
        )
        _restore(self._origin)
        same = {name: env[name] for name in _SAME if name in env}
        set_environment(same, self._origin.coerced)
        for number, _, handler in self._handlers:
            _signal.signal(number, handler)
        self._streams.put_in_place(fed=fed)
        _name_interpreter(script, self._origin)
        self._stash.open()
        sys.path.insert(0, script.directory)
        self._stash.bring(script.first)
        self._stash.look_again()
        sys.path_importer_cache[script.file] = None
        scene = self._scene(script)
        gc.freeze()
        return scene

    def _scene(self, script: Script) -> Scene:
        namespace = dict(self._origin.namespace)
        namespace["__file__"] = script.file
        namespace["__loader__"] = SourceFileLoader("__main__", script.file)
        return Scene(
            script.file,
            script.code,
            namespace,
            ending(self._stash.ready, known=known_modules()),
            tuple(self._stash.renewed),
            self._origin.coerced,
            self._image.command(command_of(script)),
            self._image,
            self._streams,
        )

    def orders(self, env: Environment) -> Orders:
        """Return what a spare is to be told for a request."""
        return env, self._image.environment(env)

    def strike(self) -> None:
        """Be the spawner again.  A SIGCHLD of meanwhile is lost: look for who has ended."""
        if not self._saved:
            return
        wakeup, file, sys.path[:], argv, orig_argv, sys.executable, base = self._saved
        sys._base_executable = base  # type: ignore[attr-defined]
        sys.argv[:] = argv
        if orig_argv:
            sys.orig_argv[:] = orig_argv
        self._stash.close()
        sys.path_importer_cache.pop(file, None)
        self._streams.put_back()
        for number, handler, _ in self._handlers:
            _signal.signal(number, handler)
        _signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        set_environment(self._environment, self._origin.coerced)
        self._saved = ()


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
    handlers.update((int(number), _signal.SIG_IGN) for number in IGNORED)
    ours = {number: _signal.getsignal(number) for number in handlers}
    return [(n, ours[n], handler) for n, handler in handlers.items() if ours[n] != handler]


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


def set_environment(env: Environment, coerced: Sequence[Tuple[bytes, bytes]]) -> None:
    """As os.environ does it, so that C sees it as well; without its codecs, which cost 60 µs.

    C keeps each string for ever (man 3 setenv), which costs two pages: only what is not as it was.
    """
    data = _ENVIRONMENT
    before = dict(data)
    data.clear()
    data.update(env)
    for name, value in coerced:
        data.setdefault(name, value)
    if data.items() == before.items():
        return
    for name in before.keys() - data.keys():
        unsetenv(name)
    for name, value in data.items() - before.items():
        putenv(name, value)


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
