"""What will not work in a directory of scripts, told before anybody asks for one (`-t`, C16).

It reads the beginnings of files and runs nothing.  The words are those that the error log would
have when the script is asked for; only what a request cannot show is said here alone.
"""

import os
import pwd
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from forkhttpd.config import Config, Mount, Pool
from forkhttpd.config.source import Finding
from forkhttpd.handlers.cgi import diagnosis
from forkhttpd.handlers.docroot import Docroot
from forkhttpd.http1.errors import HTTPError

MOST_FILES = 10_000  # of a mount; whoever has more does not read as many warnings
_HEAD_SIZE = 65536  # bytes of a script that are looked at

_ELF = b"\x7fELF"
_IMPORTS_CGI = re.compile(
    rb"^[ \t]*(?:import|from)[ \t]+(?:[\w., \t]*[, \t])?(cgi(?:tb)?)\b", re.MULTILINE
)
_SHELL_PHP = re.compile(r"php[0-9.]*")
_PYTHON = re.compile(r"python3\.([0-9]+)")
_WITHOUT_CGI = 13  # CPython 3.13 has no modules cgi and cgitb any more (PEP 594)


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with the scripts of each mount, and with what runs them; and where."""
    for position, mount in config.mounts():
        if mount.interpreter is not None and _SHELL_PHP.fullmatch(mount.interpreter.name):
            wrong = f"{mount.interpreter} is PHP for the shell, which prints no header"
            yield (*position, "interpreter"), f"{wrong}; write where php-cgi is (Debian: php-cgi)"
        if mount.cgi is not None and mount.cgi.is_dir():
            pool = config.pool[mount.pool]
            runs = replace(pool, user=pool.user or config.user)
            for sentence in islice(_sentences(mount, runs), MOST_FILES):
                yield (*position, "cgi"), sentence


def _sentences(mount: Mount, pool: Pool) -> Iterator[str]:
    docroot = Docroot(Path(str(mount.cgi)), symlinks=mount.symlinks)
    for file in islice(_files(mount), MOST_FILES):
        name = os.path.relpath(file, mount.cgi)
        try:
            status = docroot.look(name)
        except HTTPError:
            if os.path.islink(file):
                yield diagnosis.not_inside(file, str(mount.cgi)).reason
            continue
        if stat.S_ISREG(status.st_mode):
            yield from script_warnings(file, mount, pool)


def _files(mount: Mount) -> Iterator[str]:
    """Yield the files that could be asked for: none whose name begins with a dot."""
    for directory, directories, files in os.walk(str(mount.cgi)):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and (not mount.suffix or name.endswith(mount.suffix)):
                yield os.path.join(directory, name)


def script_warnings(file: str, mount: Mount, pool: Pool) -> Iterator[str]:
    """Yield what is wrong with one script, which exists."""
    try:
        with open(file, "rb") as script:
            status = os.fstat(script.fileno())
            head = script.read(_HEAD_SIZE)
    except OSError as error:
        yield f"{file}: {error.strerror}, so nobody can tell whether it works"
        return
    if mount.interpreter is not None:
        return
    mode = status.st_mode
    if not mode & 0o111 and file.lower().endswith(tuple(mount.interpreters)):
        return
    is_script = head.startswith(b"#!")
    if not mode & 0o111:
        if is_script:  # else it may be data, or a module, which lie there, too
            yield diagnosis.not_executable(file).reason
    elif is_script:
        yield from _shebang_sentences(file, head, pool)
    elif not head.startswith(_ELF):
        yield diagnosis.no_interpreter(file, head)
    elif mode & stat.S_ISUID and pool.no_new_privileges:
        yield from _setuid_sentences(file, status.st_uid, pool)


def _setuid_sentences(file: str, uid: int, pool: Pool) -> Iterator[str]:
    """Yield that a program gains nothing by being setuid, unless it runs as its owner anyway."""
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = str(uid)
    if pool.user in (owner, str(uid)):
        return
    other = "" if uid == 0 else f'user = "{owner}", or with '
    yield (
        f"{file} is setuid, which no_new_privileges of its pool makes nothing of; "
        f"give it a pool with {other}no_new_privileges = false"
    )


def _shebang_sentences(file: str, head: bytes, pool: Pool) -> Iterator[str]:
    line = head.partition(b"\n")[0]
    words = os.fsdecode(line[2:]).split()
    interpreter = words[0] if words else ""
    if line.endswith(b"\r") or not os.path.isfile(interpreter):
        yield diagnosis.missing_interpreter(file, head)
        return
    if os.path.basename(interpreter) == "env":
        named = next(
            (word for word in words[1:] if not word.startswith("-") and "=" not in word), ""
        )
        found = shutil.which(named, path=pool.search_path) if named else None
        if found is None:
            wrong = f'{file} needs "{named}", which is not in search_path "{pool.search_path}"'
            yield f"{wrong}; correct its first line, or search_path of its pool"
            return
        interpreter = found
    imports = _IMPORTS_CGI.search(head)
    if imports and _lacks_cgi(file, interpreter):
        yield (
            f"{file} imports {imports[1].decode()}, which its Python does not have any more; "
            f"install legacy-cgi for {interpreter}"
        )


def _lacks_cgi(file: str, interpreter: str) -> bool:
    """Whether a Python is too new for these modules, and none were installed or lie beside."""
    match = _PYTHON.fullmatch(os.path.basename(os.path.realpath(interpreter)))
    if match is None or int(match[1]) < _WITHOUT_CGI:
        return False
    prefix = Path(interpreter).parent.parent
    libraries = (
        Path(file).parent,
        prefix / f"lib/python3.{match[1]}/site-packages",
        Path("/usr/lib/python3/dist-packages"),
    )
    return not any((library / "cgi.py").exists() for library in libraries)
