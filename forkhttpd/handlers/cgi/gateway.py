"""The gateway: answers requests by running programs.

A mount is a directory of scripts, where the path names one and the rest is PATH_INFO, or one
program for everything below the mount.  What a path cannot name as a program is an error; nothing
in here sends a file's content.
"""

import contextlib
import logging
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from forkhttpd.config import Mount, Pool
from forkhttpd.handlers.cgi import diagnosis, environ
from forkhttpd.handlers.cgi.environ import Script
from forkhttpd.handlers.cgi.exchange import Clocks, Exchange, Program
from forkhttpd.handlers.cgi.spool import spool
from forkhttpd.handlers.docroot import Docroot
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Chunks, Response
from forkhttpd.loop import Loop


class Launch(Protocol):
    """Starts a program in a pool; see `worker.launcher.Launcher.launch` for what is raised."""

    async def __call__(
        self,
        pool: str,
        *,
        argv: Sequence[str],
        env: Mapping[str, bytes],
        cwd: str,
        leave_background: bool,
        spool: int | None,
    ) -> Program: ...


class Gateway:
    """The handler of a mount with programs.

    root: the site's directory of files, below which PATH_INFO is translated, "" without one;
    software: what SERVER_SOFTWARE says.
    """

    __slots__ = (
        "_clocks",
        "_docroot",
        "_launch",
        "_log",
        "_loop",
        "_mount",
        "_pool",
        "_program",
        "_root",
        "_software",
    )

    def __init__(
        self,
        mount: Mount,
        *,
        pool: Pool,
        root: str,
        software: str,
        loop: Loop,
        launch: Launch,
        log: logging.Logger,
    ) -> None:
        if mount.cgi is None:
            raise ValueError(f"mount {mount.path} has no programs")
        self._mount = mount
        self._pool = pool
        self._root = root
        self._software = software
        self._loop = loop
        self._launch = launch
        self._log = log
        self._clocks = Clocks(mount.first_byte, mount.silence, mount.total)
        is_directory = mount.cgi.is_dir()
        self._program = None if is_directory else mount.cgi
        self._docroot = Docroot(mount.cgi if is_directory else mount.cgi.parent)

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for `path`, the part of the request's path below the mount: "" or "/…".

        Raises HTTPError: 403, 404, 502, 503, 504, and what becomes of the request's body.
        """
        script = self._find(request, path)
        request.hop.watch_client()
        if request.section.length is not None:
            return await self._run(request, script, body_length=request.section.length)
        fd, length = await spool(request.body)
        try:
            return await self._run(request, script, body_length=length, spooled=fd)
        finally:
            os.close(fd)

    async def _run(
        self, request: Request, script: Script, *, body_length: int, spooled: int | None = None
    ) -> Response:
        env = environ.build(
            request,
            script,
            body_length=body_length,
            software=self._software,
            search_path=self._pool.search_path,
            pass_authorization=self._mount.pass_authorization,
            extra=self._mount.env,
        )
        program = await self._start(script, env, spooled)
        exchange = Exchange(
            self._loop,
            program,
            clocks=self._clocks,
            spool=self._mount.spool,
            log=self._log,
            id=request.id,
            file=script.file,
        )
        exchange.start(request.body)
        try:
            head, first = await exchange.read_head()
        except BaseException:
            await exchange.close()
            raise
        body = Chunks(exchange.pieces(first), head.length)
        return Response(head.status, head.fields, body, on_close=exchange.close)

    async def _start(
        self, script: Script, env: Mapping[str, bytes], spooled: int | None
    ) -> Program:
        interpreter = self._mount.interpreter
        argv = [script.file] if interpreter is None else [str(interpreter), script.file]
        try:
            return await self._launch(
                self._mount.pool,
                argv=argv,
                env=env,
                cwd=script.directory,
                leave_background=self._mount.background == "leave",
                spool=spooled,
            )
        except OSError as error:
            raise diagnosis.not_started(error, argv[0], _first_line(argv[0])) from None

    def _find(self, request: Request, path: str) -> Script:
        """Return the script that a path names.  Raises HTTPError 403 or 404."""
        if self._program is not None:
            file, path_info = self._program, path
        else:
            name = self._split(path)
            file, path_info = Path(f"{self._mount.cgi}{name}"), path[len(name) :]
        name_length = len(request.path) - len(path_info)
        if 0 <= request.target.encoded_slash < name_length:
            raise HTTPError(404, f"{request.path}: an encoded slash is no separator")
        return Script(
            file=str(file),
            name=request.path[:name_length],
            path_info=path_info,
            directory=str(file.parent),
            root=self._root,
        )

    def _split(self, path: str) -> str:
        """Return the beginning of `path` that names a script that may be run."""
        end = 0
        while end < len(path):
            end = path.find("/", end + 1)
            end = len(path) if end < 0 else end
            name = path[:end]
            status = self._docroot.look(name)
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode):
                raise HTTPError(403, f"{self._mount.cgi}{name} is not a regular file")
            if self._mount.suffix and not name.endswith(self._mount.suffix):
                raise HTTPError(404, f"{self._mount.cgi}{name} is not a script by its suffix")
            if self._mount.interpreter is None and not status.st_mode & 0o111:
                raise diagnosis.not_executable(f"{self._mount.cgi}{name}")
            return name
        raise HTTPError(403, f"{self._mount.cgi}{path} is a directory, not a program")


def _first_line(file: str) -> bytes:
    """Return the beginning of a file, for the diagnosis."""
    with contextlib.suppress(OSError), open(file, "rb") as script:
        return script.read(256)
    return b""
