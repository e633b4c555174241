"""The interpreters of this machine, and how another user gets to run them."""

import ctypes
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

PYTHON = str(Path(sys.executable).resolve())

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


@cache
def find(version: str) -> str | None:
    """Return the path of a CPython of this version ("3.9"), or None."""
    installed = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    found = shutil.which(f"python{version}")
    for candidate in (*map(str, installed), *([found] if found else [])):
        if _version(candidate) == version:
            return str(Path(candidate).resolve())
    return None


def _version(python: str) -> str:
    """Ask the interpreter itself: a shim of that name may stand for nothing."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    ran = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    return ran.stdout.strip()


def uncover(python: Path) -> None:
    """Let other users reach an interpreter that lies in somebody's home, for this process alone.

    In a mount name space of our own, the closed directory is covered by an empty one that holds
    nothing but the interpreter's installation.  Raises OSError.
    """
    closed = next((parent for parent in reversed(python.parents) if _is_closed(parent)), None)
    if closed is None:
        return
    prefix = python.resolve().parents[1]
    aside = tempfile.mkdtemp()
    call(_libc.unshare, _CLONE_NEWNS)
    _mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE)
    _mount(os.fsencode(prefix), os.fsencode(aside), None, _MS_BIND)
    _mount(b"tmpfs", os.fsencode(closed), b"tmpfs", 0)
    os.chmod(closed, 0o755)
    prefix.mkdir(parents=True)
    _mount(os.fsencode(aside), os.fsencode(prefix), None, _MS_BIND)
    call(_libc.umount2, os.fsencode(aside), 0)
    os.rmdir(aside)


def can_uncover(python: str) -> bool:
    """Whether `uncover` works here, found out in a child that tries."""
    pid = os.fork()
    if pid == 0:
        try:
            uncover(Path(python))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_closed(directory: Path) -> bool:
    return not stat.S_IMODE(directory.stat().st_mode) & stat.S_IXOTH


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int) -> None:
    call(_libc.mount, source, target, kind, ctypes.c_ulong(flags), None)


def call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
