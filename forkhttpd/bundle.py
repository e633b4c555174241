"""Turns a child of the master into a spawner: the spawner as one text, and the exec that runs it.

The interpreter of a pool is not ours: another version, somebody's virtual environment, run as the
pool's user.  So it gets no path to our package, but one source text in a memory file, and it is
started with -I -S: no site-packages, no .pth file, no PYTHON* variable has a say before we have
become the pool's user, or after.

The files are read when the master starts, so that a spawner that is respawned after the package
on disk was replaced still speaks the protocol of its workers.
"""

import ctypes
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from forkhttpd import privileges
from forkhttpd.config import Pool
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.inheritance import Inheritance

_PACKAGE = Path(__file__).parent
_BOOT = (_PACKAGE / "spawner" / "boot.py").read_text()
_ENTRY = "forkhttpd.spawner.main"

_PR_SET_CHILD_SUBREAPER = 36

# What `python -c` gets: Python of any age reads this much and can tell that it is too old.
_FIRST_WORDS = """\
import os, sys
if sys.version_info < (3, 9):
    message = "[pool.%s] python: %s is Python %s; CPython 3.9 or newer is needed\\n"
    version = ".".join([str(part) for part in sys.version_info[:3]])
    os.write(2, (message % (sys.argv[2], sys.executable, version)).encode())
    os._exit(78)
with os.fdopen(int(sys.argv[1]), "rb") as file:
    text = file.read()
exec(compile(text, "<forkhttpd>", "exec"), {"__name__": "forkhttpd.spawner.boot"})
"""


def _read_modules() -> dict[str, str]:
    """Return full names and sources of what a spawner consists of; a package's source is ""."""
    modules = {"forkhttpd": "", "forkhttpd.spawner": ""}
    shared = (_PACKAGE / "channel.py", _PACKAGE / "scoreboard.py")
    for path in (*shared, *sorted((_PACKAGE / "spawner").glob("[!_]*.py"))):
        name = ".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts)
        modules[name] = path.read_text()
    return modules


_MODULES = _read_modules()


def source(values: Mapping[str, str | int | float]) -> bytes:
    """Return the whole spawner as one Python text; `values` are the Settings of spawner.settings.

    It needs nothing but a standard library, and does not return.
    """
    return f"{_BOOT}\nrun({_MODULES!r}, {_ENTRY!r}, {dict(values)!r})\n".encode()


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
    privileges.become(user, pool.group or group, no_new_privileges=pool.no_new_privileges)
    text = _memory_file(source(_settings(inheritance, pool)))
    _inherit_only(text, *_descriptors(inheritance).values())
    _exec(pool, inheritance.name, text)


def _descriptors(inheritance: Inheritance) -> dict[str, int]:
    return {
        "scoreboard": inheritance.scoreboard.fd,
        "door": inheritance.doors[inheritance.name].inside.fileno(),
        "lifeline": inheritance.lifeline,
        "bell": inheritance.bell,
        "control": inheritance.control.fileno(),
    }


def _settings(inheritance: Inheritance, pool: Pool) -> dict[str, str | int | float]:
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


def _exec(pool: Pool, name: str, text: int) -> NoReturn:
    """Run the interpreter.  Its environment is no program's: that comes with each Start."""
    env = {"PATH": pool.search_path, "LANG": "C.UTF-8"}
    argv = [pool.python, "-I", "-S", "-B", "-c", _FIRST_WORDS, str(text), name]
    try:
        os.execvpe(pool.python, argv, env)
    except OSError as error:
        raise StartupError(
            f'python: cannot run "{pool.python}" (search_path "{pool.search_path}"): '
            f"{describe(error)}",
            exit_code=ExitCode.CONFIG,
        ) from None

