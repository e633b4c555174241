"""Which program a path names: a script of a directory, or the one program of a mount.

In a directory the beginning of the path names the script and the rest is PATH_INFO; a path that
ends at a directory may have a program that stands for it (`index`).  What a path cannot name as a
program is an error; nothing in here reads a file's content.
"""

import contextlib
import os
import stat

from forkhttpd.config import Mount
from forkhttpd.handlers.cgi import diagnosis
from forkhttpd.handlers.cgi.environ import Script
from forkhttpd.handlers.docroot import Docroot
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request

_EXECUTABLE = 0o111


class Scripts:
    """The programs of a mount.

    root: the site's directory of files, below which PATH_INFO is translated, "" without one.
    """

    __slots__ = ("_directory", "_docroot", "_mount", "_plain", "_program", "_root")

    def __init__(self, mount: Mount, *, root: str) -> None:
        if mount.cgi is None:
            raise ValueError(f"mount {mount.path} has no programs")
        is_directory = not mount.cgi.is_file()  # one that is made later is a directory, too
        self._mount = mount
        self._plain = tuple(mount.interpreters)  # suffixes of scripts that need no +x
        self._root = root
        self._directory = str(mount.cgi).rstrip("/")
        self._program = "" if is_directory else str(mount.cgi)
        self._docroot = Docroot(
            mount.cgi if is_directory else mount.cgi.parent, symlinks=mount.symlinks
        )

    def find(self, request: Request, path: str) -> Script | None:
        """Return the script that `path`, the part below the mount, names.

        None: it names a directory that has an index and lacks its slash.
        Raises HTTPError 403 or 404.
        """
        index = ""
        if self._program:
            file, path_info = self._program, path
        else:
            name = self._split(path)
            if name is None:
                index, name = self._index(path), path
                if not path.endswith("/"):
                    return None
            file, path_info = f"{self._directory}{name}{index}", path[len(name) :]
        name_length = len(request.path) - len(path_info)
        if 0 <= request.target.encoded_slash < name_length:
            raise HTTPError(404, f"{request.path}: an encoded slash is no separator")
        return Script(
            file=file,
            name=request.path[:name_length] + index,
            path_info=path_info,
            directory=file.rpartition("/")[0] or "/",
            root=self._root,
            interpreter=self._interpreter(file),
        )

    def _split(self, path: str) -> str | None:
        """Return the beginning of `path` that names a script that may be run.

        None: all of it names a directory.
        """
        end = 0
        while end < len(path):
            end = path.find("/", end + 1)
            end = len(path) if end < 0 else end
            name = path[:end]
            status = self._look(name)
            if not stat.S_ISDIR(status.st_mode):
                self._check(name, status)
                return name
        return None

    def _index(self, directory: str) -> str:
        """Return the name of the program that stands for a directory.  Raises HTTPError 403."""
        prefix = directory if directory.endswith("/") else f"{directory}/"
        for name in self._mount.index:
            try:
                status = self._docroot.look(prefix + name)
            except HTTPError as error:
                if error.status != 404:
                    raise
            else:
                self._check(prefix + name, status)
                return name
        raise HTTPError(403, f"{self._mount.cgi}{directory} is a directory, not a program")

    def _interpreter(self, file: str) -> str:
        """Return the program that runs a script, "" for one that runs by itself."""
        if self._mount.interpreter is not None:
            return str(self._mount.interpreter)
        if not self._plain or os.access(file, os.X_OK):
            return ""
        suffix = os.path.splitext(file)[1].lower()
        return str(self._mount.interpreters.get(suffix, ""))

    def _look(self, name: str) -> os.stat_result:
        try:
            return self._docroot.look(name)
        except HTTPError as error:
            file = f"{self._mount.cgi}{name}"
            if error.status == 404 and os.path.islink(file):
                raise diagnosis.not_inside(file, str(self._mount.cgi)) from None
            raise HTTPError(
                error.status, f"{self._mount.cgi}{error.reason}", fields=error.fields
            ) from None

    def _check(self, name: str, status: os.stat_result) -> None:
        """Raise HTTPError for what is no script that may be run."""
        if not stat.S_ISREG(status.st_mode):
            raise HTTPError(403, f"{self._mount.cgi}{name} is not a regular file")
        if self._mount.suffix and not name.endswith(self._mount.suffix):
            raise HTTPError(404, f"{self._mount.cgi}{name} is not a script by its suffix")
        is_run = self._mount.interpreter is not None or name.lower().endswith(self._plain)
        if not is_run and not status.st_mode & _EXECUTABLE:
            raise diagnosis.not_executable(f"{self._mount.cgi}{name}")


def first_line(file: str) -> bytes:
    """Return the beginning of a file, for the diagnosis."""
    with contextlib.suppress(OSError), open(file, "rb") as script:
        return script.read(256)
    return b""
