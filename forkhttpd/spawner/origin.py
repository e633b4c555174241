"""How the pool's interpreter found the world when it started, which is how a script finds it.

A warm spawner is started as the interpreter would be started for a script: a file, no options, the
environment that the pool's programs have in common.  `bundle.FIRST_WORDS` notes the state before
anything of ours is imported; a script's process is put back to it.
"""

import _warnings
import os
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

# What takes effect when an interpreter or its C library starts, and never again.  A program that
# is to have another value than its spawner had cannot run in a fork of it.  (The last is Debian's:
# sysconfig reads it as it is imported, and zoneinfo and pydoc import sysconfig.)
_PREFIXES = (b"PYTHON", b"_PYTHON", b"LC_", b"LD_", b"MALLOC_", b"GLIBC_", b"OPENSSL_", b"SSL_")
_NAMES = frozenset(
    (b"LANG", b"LANGUAGE", b"TZ", b"TZDIR", b"LOCPATH", b"HOME", b"DEB_PYTHON_INSTALL_LAYOUT")
)

# Takes no part in anything: holds the place where /proc shows a program's environment.
ROOM = "FORKHTTPD_ROOM"


class Origin(NamedTuple):
    """The state of the interpreter at the first line of a file that it runs.

    namespace: of __main__; starting: the environment's entries that matter to the start;
    coerced: what the interpreter itself has added to the environment (PEP 538).
    """

    namespace: Dict[str, Any]
    modules: Dict[str, ModuleType]
    path: List[str]
    finders: List[Any]
    hooks: List[Any]
    directories: Dict[str, Any]
    warnings: List[Any]
    starting: Dict[bytes, bytes]
    coerced: Tuple[Tuple[bytes, bytes], ...]
    executable: str
    base_executable: str

    @property
    def library(self) -> str:
        """The directory of the standard library, with a slash at its end."""
        return os.path.dirname(str(self.modules["os"].__file__)) + "/"


def note(
    namespace: Dict[str, Any], modules: Dict[str, ModuleType], directories: Dict[str, Any]
) -> Origin:
    """Add what the import of our own modules has not changed."""
    given = _given_environment()
    os.environb.pop(ROOM.encode(), None)
    return Origin(
        namespace=namespace,
        modules=modules,
        path=list(sys.path),
        finders=list(sys.meta_path),
        hooks=list(sys.path_hooks),
        directories={
            name: finder for name, finder in directories.items() if name != namespace["__file__"]
        },
        warnings=list(_warnings.filters),
        starting=starting_entries(given),
        coerced=tuple((name, os.environb[name]) for name in os.environb if name not in given),
        executable=sys.executable,
        base_executable=sys._base_executable,  # type: ignore[attr-defined]
    )


def starting_entries(env: Mapping[bytes, bytes]) -> Dict[bytes, bytes]:
    """Return the entries that take effect at the start only."""
    return {name: env[name] for name in env if name in _NAMES or name.startswith(_PREFIXES)}


def _given_environment() -> Dict[bytes, bytes]:
    """Return what execve was given; os.environ has what was added since."""
    with suppress(OSError), open("/proc/self/environ", "rb") as file:
        entries = [entry.partition(b"=") for entry in file.read().split(b"\0") if entry]
        return {name: value for name, _, value in entries}
    return dict(os.environb)
