"""Turns a child of the master into a spawner: the spawner as one text, and the exec that runs it.

The interpreter of a pool is not ours: another version, somebody's virtual environment, run as the
pool's user.  So it gets no path to our package, but one source text in a memory file, and it is
started with -I -S: no site-packages, no .pth file, no PYTHON* variable has a say before we have
become the pool's user, or after.

The files are read when the master starts, so that a spawner that is respawned after the package
on disk was replaced still speaks the protocol of its workers.

To compile them is a quarter of a spawner's start.  So behind the text comes what the master's
own interpreter has compiled: a pool's is mostly of the same kind, and then need only load it.
"""

import ctypes
import marshal
import math
import os
import signal
from collections.abc import Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import NoReturn

from forkhttpd import cgroups, privileges
from forkhttpd.config import Config, Pool
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.inheritance import Inheritance

_PACKAGE = Path(__file__).parent
_BOOT = (_PACKAGE / "spawner" / "boot.py").read_text()
_ENTRY = "forkhttpd.spawner.main"

_PR_SET_CHILD_SUBREAPER = 36
_COMMON = ("LANG", "LANGUAGE", "TZ", "HOME", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED")

# What an interpreter gets to run: Python of any age reads this much and can tell if it is too old.
_FIRST_WORDS = """\
if sys.version_info < (3, 9):
    message = "[pool.%s] python: %s is Python %s; CPython 3.9 or newer is needed\\n"
    version = ".".join([str(part) for part in sys.version_info[:3]])
    os.write(2, (message % (sys.argv[2], sys.executable, version)).encode())
    os._exit(78)
with os.fdopen(int(sys.argv[1]), "rb") as file:
    text, _, code = file.read().partition(b"\\0")
space = {"__name__": "forkhttpd.spawner.boot", "notes": notes, "code": code}
text, code = compile(text, "<forkhttpd>", "exec"), None
exec(text, space)
"""

_FIRST_WORDS_COLD = f"import os, sys\nnotes = None\n{_FIRST_WORDS}"

# The same as a file, for an interpreter that is started as it is for a script; and what is left of
# us in the process of a script: the frame that runs it.
_FIRST_WORDS_WARM = f"""\
namespace = dict(globals())
import os, sys
del sys.path[0]
os.close(int(os.path.basename(__file__)))
notes = (namespace, dict(sys.modules), dict(sys.path_importer_cache))
{_FIRST_WORDS}
code, names, end = space.pop("script")
try:
    exec(code, names)
    leave = end(None)
except BaseException as error:
    leave = end(error)
    if not leave:
        raise
code = names = None
leave()
"""

# Room in the memory where exec puts argv and envp: /proc shows from there what a script is called
# and what it was given.
_ROOM_FOR_COMMAND = 4096
_ROOM_FOR_ENVIRONMENT = 16384


def _find_modules() -> dict[str, Path]:
    """Return the full names and files of the modules that a spawner consists of."""
    shared = (_PACKAGE / "channel.py", _PACKAGE / "scoreboard.py")
    files = (*shared, *sorted((_PACKAGE / "spawner").glob("[!_]*.py")))
    relative = {path.relative_to(_PACKAGE.parent).with_suffix(""): path for path in files}
    return {".".join(place.parts): path for place, path in relative.items()}


def _read_modules() -> dict[str, str]:
    """Return full names and sources of what a spawner consists of; a package's source is ""."""
    packages = {"forkhttpd": "", "forkhttpd.spawner": ""}
    return packages | {name: path.read_text() for name, path in _find_modules().items()}


@cache
def compiled() -> bytes:
    """Return the code of the modules as `boot.load` reads it.

    For a master, before it forks: it takes 4.5 ms where __pycache__ has it, else 24.
    """
    code = {}
    for name, path in _find_modules().items():
        found = SourceFileLoader(name, str(path)).get_code(name)
        if found is not None:  # as bytes at once: all of it as objects left a master 1 MiB larger
            code[name] = marshal.dumps(_renamed(found, f"<{name}>"))
    return MAGIC_NUMBER + marshal.dumps(code)


def _renamed(code: CodeType, file: str) -> CodeType:
    """Let code be from `file`: a script's traceback does not show where we are installed."""
    constants = [
        _renamed(one, file) if isinstance(one, CodeType) else one for one in code.co_consts
    ]
    return code.replace(co_filename=file, co_consts=tuple(constants))


_MODULES = _read_modules()


def source(values: Mapping[str, str | int | float]) -> bytes:
    """Return the whole spawner as one Python text; `values` are the Settings of spawner.settings.

    It needs nothing but a standard library.  What it needs to know of the interpreter's start, if
    scripts are to run in forks of it, is in its global `notes`; only such a fork comes to its end,
    with `script` to be run.
    """
    given = "globals().get('notes'), code=globals().pop('code', b'')"
    start = f"run({_MODULES!r}, {_ENTRY!r}, {dict(values)!r}, {given})"
    return f"{_BOOT}\nscript = {start}\n".encode()


def exec_spawner(inheritance: Inheritance) -> NoReturn:
    """Become the spawner of the pool `inheritance.name`; the Program of Role.SPAWNER.

    Raises StartupError when that is not possible: the master says so, and why.
    """
    try:
        _exec_spawner(inheritance)
    except StartupError as error:
        words = f"[pool.{inheritance.name}] {error}"
        raise StartupError(words, exit_code=error.exit_code) from error
    except OSError as error:
        words = f"[pool.{inheritance.name}] spawner: {error}"
        raise StartupError(words, exit_code=ExitCode.OSERR) from error


def _exec_spawner(inheritance: Inheritance) -> NoReturn:
    config = inheritance.config
    pool = config.pool[inheritance.name]
    # Whatever comes from now on waits until the spawner listens: the mask survives exec.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _take_standard_streams(inheritance.error_log)
    _become_subreaper()
    user, group = (pool.user, pool.group) if pool.user else (config.user, config.group)
    group = pool.group or group
    part = _claim_cgroups(pool, inheritance.name, user, group)
    privileges.become(user, group, no_new_privileges=pool.no_new_privileges)
    text = _memory_file(source(_settings(inheritance, pool, part)) + b"\0" + compiled())
    _inherit_only(text, *_descriptors(inheritance).values())
    _exec(pool, config, inheritance.name, text)


def _claim_cgroups(pool: Pool, name: str, user: str, group: str) -> cgroups.Part:
    """Get the pool its part of the cgroups while we still may."""
    identity = privileges.look_up(user, group) if os.geteuid() == 0 else None
    owner = (identity.uid, identity.gid) if identity else (os.geteuid(), os.getegid())
    return cgroups.claim_for(pool, name, owner=owner)


def _descriptors(inheritance: Inheritance) -> dict[str, int]:
    return {
        "scoreboard": inheritance.scoreboard.fd,
        "door": inheritance.doors[inheritance.name].inside.fileno(),
        "lifeline": inheritance.lifeline,
        "bell": inheritance.bell,
        "control": inheritance.control.fileno(),
    }


def _settings(
    inheritance: Inheritance, pool: Pool, part: cgroups.Part
) -> dict[str, str | int | float]:
    return {
        "name": inheritance.name,
        "generation": inheritance.generation,
        "slot": inheritance.slot.index,
        "processes": pool.processes,
        "queue": pool.queue,
        "queue_wait": pool.queue_wait,
        "kill_grace": pool.kill_grace,
        "graceful": inheritance.config.timeouts.graceful,
        "umask": int(pool.umask, 8),
        "preload": " ".join(pool.preload),
        "nice": pool.nice,
        "address_space": pool.address_space,
        "cpu": math.ceil(pool.cpu),
        "open_files": pool.open_files,
        "user_processes": pool.user_processes,
        "file_size": pool.file_size,
        "core": pool.core,
        "cgroup": part.directory,
        "problem": part.problem,
        "memory": pool.memory if "memory" in part.controllers else 0,
        "tasks": pool.tasks if "pids" in part.controllers else 0,
        **_descriptors(inheritance),
    }


def _take_standard_streams(error_log: int) -> None:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null if error_log < 0 else error_log, 1)
    os.dup2(1, 2)


def _become_subreaper() -> None:
    """Make the kernel give us the orphans among our descendants; survives exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"PR_SET_CHILD_SUBREAPER: {os.strerror(number)}")


def _memory_file(text: bytes) -> int:
    fd = os.memfd_create("forkhttpd-spawner", os.MFD_CLOEXEC)
    with os.fdopen(fd, "wb", closefd=False) as file:
        file.write(text)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _inherit_only(*fds: int) -> None:
    """Decide for every descriptor, also for those that whoever started the master left open."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            os.set_inheritable(fd, fd <= 2 or fd in fds)
        except OSError:  # the one that listed the directory
            continue


def _exec(pool: Pool, config: Config, name: str, text: int) -> NoReturn:
    """Run the interpreter.  Its environment is no program's: that comes with each Start.

    A warm one is started as for a script, by now as the pool's user: with the site-packages of
    that interpreter, and with what the programs' environments have in common.
    """
    argv, env = _warm(pool, config, name, text) if pool.warm else _cold(pool, name, text)
    try:
        os.execvpe(pool.python, argv, env)
    except OSError as error:
        raise StartupError(
            f'python: cannot run "{pool.python}" (search_path "{pool.search_path}"): '
            f"{describe(error)}",
            exit_code=ExitCode.CONFIG,
        ) from None


def _cold(pool: Pool, name: str, text: int) -> tuple[list[str], dict[str, str]]:
    argv = [pool.python, "-I", "-S", "-B", "-c", _FIRST_WORDS_COLD, str(text), name]
    return argv, {"PATH": pool.search_path, "LANG": "C.UTF-8"}


def _warm(pool: Pool, config: Config, name: str, text: int) -> tuple[list[str], dict[str, str]]:
    words = _memory_file(_FIRST_WORDS_WARM.encode())
    os.set_inheritable(words, True)
    argv = [pool.python, f"/proc/self/fd/{words}", str(text), name, " " * _ROOM_FOR_COMMAND]
    env = {"PATH": pool.search_path, **_common_environment(config, name)}
    return argv, env | {"FORKHTTPD_ROOM": " " * _ROOM_FOR_ENVIRONMENT}


def _common_environment(config: Config, name: str) -> dict[str, str]:
    """Return what all mounts of a pool set alike, of what a Python takes in at its start.

    Only what cannot make it run other code than its own: the rest makes a script run cold.
    """
    mounts = [mount.env for _, mount in config.mounts() if mount.cgi and mount.pool == name]
    shared = set.intersection(*(set(env.items()) for env in mounts)) if mounts else set()
    return {key: value for key, value in shared if key in _COMMON or key.startswith("LC_")}
