"""Modules that are imported ahead, for scripts that will import them.

They are in no script's sys.modules until it says `import`: then the import system looks for a
finder, and ours, first in the row, hands out the module that is ready instead of one that would
have to be read and run.  So a script that does not import a module cannot tell that it is there,
and one that has a module of that name in its own directory, or elsewhere on its path, gets its own.

    what is handed out   the module, and all that its import would have imported, at once
    when                 nothing on sys.path that was not there at the start has one of the names,
                         and none of them is in sys.modules already as something else
    how often            once: who deletes a module to import it afresh gets it afresh

Otherwise the import system does what it always does.  The modules were imported for this, in a
sys.modules of their own: the spawner has never used, or changed, any of them.
"""

import builtins
import gc
import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from time import time, time_ns  # not as time.time(), which a scout watches: see traces.py
from types import ModuleType
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from forkhttpd.spawner.origin import Origin

Key = Tuple[int, ...]

RENEWED = frozenset({"logging", "threading"})


class Stash:
    """Modules by full name, and what the import of each brings along.

    ready: these, and those that are always there.  From now on sys.modules has only the latter: it
    is what a script finds.  The spawner's own stay alive for as long as the stash.
    """

    def __init__(self, origin: Origin) -> None:
        self.modules: Dict[str, ModuleType] = {}
        self.ready: Dict[str, ModuleType] = dict(origin.modules)
        self._spawners = dict(sys.modules)
        self._origin = origin
        self._brings: Dict[str, Set[str]] = {}  # by name; what its own code imports
        self._needs: Dict[str, FrozenSet[str]] = {}  # all that its import brings along
        self._detached: Set[str] = set()  # submodules that their packages do not have now
        self._sources: Dict[str, Key] = {}  # by name; what the file was, if not the library's
        self._given: Set[str] = set()
        self._checked_path: Optional[List[str]] = None
        self._shadowed: FrozenSet[str] = frozenset()
        self._strays: Tuple[str, ...] = ()  # in sys.modules besides
        self._aside: Dict[str, ModuleType] = {}  # the strays, while modules are handed out
        self._restore()

    def __contains__(self, name: str) -> bool:
        return name in self.modules

    @property
    def renewed(self) -> FrozenSet[str]:
        """What is there already, and to be renewed in the process of a script."""
        return RENEWED & sys.modules.keys()

    # Filling it.

    def load(self, name: str) -> None:
        """Import a module ahead.  Raises whatever its import raises; then nothing has changed."""
        importing = builtins.__import__
        replace(sys.modules, self._origin.modules)
        sys.meta_path.insert(0, self)
        builtins.__import__ = self._recorder(importing)
        self._given.clear()
        try:
            import_module(name)
            self._take(name)
        finally:
            builtins.__import__ = importing
            sys.meta_path.remove(self)
            self._restore()

    def _note_strays(self) -> None:
        """Note what C has imported meanwhile for itself: an encoding, or resource for wait4.

        It stays, or would be imported again and again; a script's process takes it out.
        """
        if len(sys.modules) != len(self._origin.modules) + len(self._strays):
            self._detach(sys.modules)
            self._strays = tuple(sys.modules.keys() - self._origin.modules.keys())

    def _restore(self) -> None:
        self._detach(sys.modules)
        self._strays = ()
        replace(sys.modules, self._origin.modules)
        sys.path_importer_cache.clear()
        sys.path_importer_cache.update(self._origin.directories)

    def _take(self, root: str) -> None:
        new = [name for name in sys.modules if name not in self._origin.modules]
        for name in new:
            self._note_source(name, sys.modules[name])
        for name in new:
            self.modules.setdefault(name, sys.modules[name])
        self._brings.setdefault(root, set()).update(new)
        self._needs = {name: self._closure(name) for name in self.modules}
        self.ready.update(self.modules)

    def _recorder(self, importing: Any) -> Any:
        """Return an __import__ that notes who imports what."""

        def record(
            name: str,
            globals: Optional[Dict[str, Any]] = None,  # noqa: A002
            locals: Any = None,  # noqa: A002
            fromlist: Sequence[str] = (),
            level: int = 0,
        ) -> Any:
            found = importing(name, globals, locals, fromlist, level)
            if globals and "__name__" in globals:
                full = _absolute(name, globals, level)
                wanted = [full, *(f"{full}.{item}" for item in fromlist or ())]
                self._brings.setdefault(globals["__name__"], set()).update(wanted)
            return found

        return record

    def _closure(self, name: str) -> FrozenSet[str]:
        found: Set[str] = set()
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if name in found or name not in self.modules:
                continue
            found.add(name)
            waiting += self._brings.get(name, ())
            waiting += [name[:end] for end, letter in enumerate(name) if letter == "."]
        return frozenset(found)

    def _note_source(self, name: str, module: ModuleType) -> None:
        """Remember the file of a module that may be changed without the interpreter being so.

        Raises OSError: a module of an archive has none.
        """
        if module is self._origin.modules.get("__main__"):
            return  # ours, by the name __mp_main__ of multiprocessing: no file to look at
        file = getattr(module, "__file__", None)
        if file and not _is_library(file, self._origin.library):
            self._sources[name] = key_of(os.stat(file))

    def _detach(self, modules: Dict[str, ModuleType]) -> None:
        """Take submodules off their packages: an import binds them, and not each script's does."""
        for name in modules.keys() - self._origin.modules.keys():
            renew(name, modules[name], stderr=None)
            package, _, last = name.rpartition(".")
            owner = self.ready.get(package)
            if owner is not None and vars(owner).get(last) is modules[name]:
                delattr(owner, last)
                self._detached.add(name)

    # Handing out.

    def open(self) -> None:
        """Begin to hand out, before a script's process is forked."""
        self._note_strays()
        self._aside = {name: sys.modules.pop(name) for name in self._strays}
        self._given.clear()
        self.look_again()
        sys.meta_path.insert(0, self)

    def look_again(self) -> None:
        """Believe no longer what was found on the path."""
        self._checked_path = None

    def close(self) -> None:
        """Hand out no more, and take back what has been, in the spawner."""
        if self not in sys.meta_path:
            return
        sys.meta_path.remove(self)
        while len(sys.modules) > len(self._origin.modules):
            sys.modules.popitem()  # the last that came; to write them all anew copies 100 pages
        sys.modules.update(self._aside)
        for name in self._given & self._detached:
            package, _, last = name.rpartition(".")
            delattr(self.ready[package], last)
        self._given.clear()

    def bring(self, names: Sequence[str]) -> None:
        """Hand out ahead what a script imports before it does anything else.

        Up to the first that is not of the standard library, and at hand: that one may look around.
        """
        for name in names:
            if name in sys.modules:
                continue
            if name not in self.modules or not self._needs[name].isdisjoint(self._sources):
                return
            if not self._may_give(self._needs[name]):
                return
            self.give(name)

    def find_spec(
        self, fullname: str, _path: object = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """Return where `fullname` comes from, if it is here and the script's path agrees."""
        if target is not None or fullname in self._given or fullname not in self.modules:
            return None
        if not self._may_give(self._needs[fullname]):
            return None
        module = self.modules[fullname]
        spec = ModuleSpec(
            fullname,
            Ready(self, module),  # type: ignore[arg-type]
            origin=getattr(module.__spec__, "origin", None),
            is_package=hasattr(module, "__path__"),
        )
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations[:] = module.__path__
        return spec

    def give(self, name: str) -> None:
        """Put a module and all that comes with it into sys.modules."""
        needs = self._needs[name]
        for needed in needs:
            sys.modules.setdefault(needed, self.modules[needed])
        for submodule in needs & self._detached:
            package, _, last = submodule.rpartition(".")
            setattr(self.ready[package], last, self.modules[submodule])
        for needed in needs - self._given:
            renew(needed, self.modules[needed], stderr=sys.stderr)
        self._given |= needs

    def _may_give(self, needs: FrozenSet[str]) -> bool:
        if any(
            sys.modules.get(name, self.modules[name]) is not self.modules[name] for name in needs
        ):
            return False
        if any(name in self._given and name not in sys.modules for name in needs):
            return False  # the script has deleted it, and may have changed it
        if sys.path != self._checked_path:
            self._check_path()
        if self._shadowed and any(name.partition(".")[0] in self._shadowed for name in needs):
            return False
        return not any(
            _has_changed(self.modules[name], key) for name, key in self._changeable(needs)
        )

    def _changeable(self, needs: FrozenSet[str]) -> Iterator[Tuple[str, Key]]:
        return ((name, key) for name, key in self._sources.items() if name in needs)

    def _check_path(self) -> None:
        """Find the names that the script's path offers before, or besides, ours."""
        ours = [entry for entry in self._origin.path if entry in sys.path]
        inherited = [entry for entry in sys.path if entry in self._origin.path]
        names = {name.partition(".")[0] for name in self.modules}
        if ours != inherited or len(ours) < len(self._origin.path):
            self._shadowed = frozenset(names)
        else:
            others = [entry for entry in sys.path if entry not in self._origin.path]
            self._shadowed = frozenset(
                name for entry in others for name in names & offered(entry, names)
            )
        self._checked_path = list(sys.path)


class Ready:
    """The loader of a module that is ready; in all else, the loader that it was loaded by."""

    def __init__(self, stash: Stash, module: ModuleType) -> None:
        self._stash = stash
        self._module = module
        self._spec = module.__spec__

    def create_module(self, _spec: object) -> ModuleType:
        """Return the module."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Give it out; it has been run."""
        module.__spec__ = self._spec
        self._stash.give(module.__name__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module.__loader__, name)


def offered(entry: str, names: Set[str]) -> Set[str]:
    """Return which of the names could be imported from an entry of sys.path; all if in doubt."""
    try:
        return names & {file.partition(".")[0] for file in os.listdir(entry or ".")}
    except FileNotFoundError:
        return set()
    except OSError:  # an archive
        return names


def freeze() -> None:
    """Keep the collector off all that there is, so that its memory stays shared after a fork."""
    gc.collect()
    gc.freeze()


def key_of(status: os.stat_result) -> Key:
    """Return what changes when a file does."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _has_changed(module: ModuleType, key: Key) -> bool:
    try:
        return key_of(os.stat(str(module.__file__))) != key
    except OSError:
        return True


def _is_library(file: str, library: str) -> bool:
    rest = file[len(library) :]
    return file.startswith(library) and not rest.startswith(("site-packages/", "dist-packages/"))


def renew(name: str, module: Any, *, stderr: Any) -> None:
    """Set what a module keeps of the process and the moment that it was imported in."""
    if name == "logging":
        whole = isinstance(module._startTime, int)
        module._startTime = time_ns() if whole else time()
    elif name == "threading":
        module._main_thread._stderr = stderr
        module._main_thread._set_native_id()


def _absolute(name: str, globals: Dict[str, Any], level: int) -> str:  # noqa: A002
    if not level:
        return name
    package = globals.get("__package__") or globals["__name__"]
    base: str = package.rsplit(".", level - 1)[0]
    return f"{base}.{name}" if name else base


def replace(modules: Dict[str, ModuleType], others: Dict[str, ModuleType]) -> None:
    """Change what is in sys.modules; the dictionary itself is known to the interpreter."""
    modules.clear()
    modules.update(others)
