"""The gateway: answers requests by running programs.

What a program says becomes the answer in one of five ways: a document, whatever its status; a
redirect that the client follows; another path of ours that is answered instead (`Elsewhere`); a
file that we send for it (`sendfile.py`); or, from a script whose name begins with `nph-`, the
answer as it stands, after which the connection closes (RFC 3875 §5, §6.2).
"""

import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from forkhttpd.config import Mount, Pool
from forkhttpd.handlers.cgi import diagnosis, environ
from forkhttpd.handlers.cgi.environ import Script, Server
from forkhttpd.handlers.cgi.exchange import Exchange
from forkhttpd.handlers.cgi.output import Head
from forkhttpd.handlers.cgi.program import Program, Terms
from forkhttpd.handlers.cgi.scripts import Scripts, first_line
from forkhttpd.handlers.cgi.sendfile import Sendfile
from forkhttpd.handlers.cgi.spool import spool
from forkhttpd.handlers.locality import Locality
from forkhttpd.handlers.redirect import to_slash
from forkhttpd.http1.errors import Elsewhere, HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Chunks, Raw, Response
from forkhttpd.loop import Loop

Heir = Callable[[Program], object]


class Launch(Protocol):
    """Starts a program in a pool; see `worker.launcher.Launcher.launch` for what is raised."""

    async def __call__(
        self,
        pool: str,
        *,
        argv: Sequence[str],
        env: dict[bytes, bytes],
        cwd: str,
        leave_background: bool,
        share: tuple[str, int],
        has_input: bool,
        spool: int | None,
        heir: Heir | None,
    ) -> Program: ...


class Gateway:
    """The handler of a mount with programs.

    name: tells the mount from all others; server: what programs are told of it; debug: whose
    clients are told what is wrong with a program (O9), None for nobody's.
    """

    __slots__ = (
        "_debug",
        "_grace",
        "_launch",
        "_log",
        "_loop",
        "_mount",
        "_pool",
        "_scripts",
        "_sendfile",
        "_server",
        "_share",
        "_terms",
    )

    def __init__(
        self,
        mount: Mount,
        *,
        name: str,
        pool: Pool,
        server: Server,
        debug: Locality | None,
        loop: Loop,
        launch: Launch,
        log: logging.Logger,
    ) -> None:
        self._mount = mount
        self._pool = pool
        self._server = server
        self._debug = debug
        self._loop = loop
        self._launch = launch
        self._log = log
        self._scripts = Scripts(mount, root=server.root)
        self._sendfile = Sendfile(mount.sendfile_roots)
        self._share = (name, mount.processes)
        self._terms = Terms.of(mount)
        self._grace = math.inf if mount.half_close else mount.disconnect_grace

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for `path`, the part of the request's path below the mount: "" or "/…".

        Raises HTTPError: 403, 404, 502, 503, 504, and what becomes of the request's body; and
        Elsewhere.
        """
        try:
            script = self._scripts.find(request, path)
            if script is None:
                return to_slash(request)
            request.hop.watch_client(self._grace)
            return await self._answer(request, script)
        except HTTPError as error:
            if self._debug is not None and self._debug.has(request):
                error.details = (("What is wrong", error.reason), *error.details)
            else:
                error.details = ()
            raise

    async def _answer(self, request: Request, script: Script) -> Response:
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
            request, script, body_length=body_length, server=self._server,
            mount=self._mount, search_path=self._pool.search_path,
        )  # fmt: skip
        is_whole = body_length == 0 or spooled is not None  # its input is, when it starts
        program = await self._start(
            script, env, spooled, has_input=body_length > 0,
            heir=self._heir(request, script) if self._terms.finish and is_whole else None,
        )  # fmt: skip
        exchange = self._exchange(request, script, program)
        request.account = exchange.account
        try:
            await exchange.start(request.body)
            if script.file.rpartition("/")[2].startswith("nph-"):
                return await _pass_on(exchange)
            return await self._respond(request, exchange)
        except HTTPError as error:
            await exchange.close()
            if self._debug is not None:
                error.details = await exchange.explain()
            raise
        except BaseException:
            await exchange.close()
            raise

    def _exchange(self, request: Request, script: Script, program: Program) -> Exchange:
        return Exchange(
            self._loop, program, terms=self._terms, log=self._log, id=request.id, file=script.file
        )

    def _heir(self, request: Request, script: Script) -> Heir:
        """Return what sees a program to its end whose client left before we knew of it (C12)."""

        async def finish(program: Program) -> None:
            exchange = self._exchange(request, script, program)
            await exchange.start(request.body)
            await exchange.close()

        return lambda program: self._loop.spawn(finish(program))

    async def _respond(self, request: Request, exchange: Exchange) -> Response:
        """Return the answer that the program's header asks for."""
        head, first = await exchange.read_head()
        file = self._sendfile.file_of(head)
        if head.local or file:
            exchange.dismiss()
            await exchange.close()
        if head.local:
            raise Elsewhere(head.local)
        if file:
            return self._sendfile.respond(request, head, file)
        return _document(exchange, head, first)

    async def _start(
        self,
        script: Script,
        env: dict[bytes, bytes],
        spooled: int | None,
        *,
        has_input: bool,
        heir: Heir | None,
    ) -> Program:
        argv = [script.interpreter, script.file] if script.interpreter else [script.file]
        try:
            return await self._launch(
                self._mount.pool,
                argv=argv,
                env=env,
                cwd=script.directory,
                leave_background=self._mount.background == "leave",
                share=self._share,
                has_input=has_input,
                spool=spooled,
                heir=heir,
            )
        except OSError as error:
            raise diagnosis.not_started(error, argv[0], first_line(argv[0])) from None


def _document(exchange: Exchange, head: Head, first: bytes) -> Response:
    body = Chunks(exchange.pieces(), head.length, first, on_lag=exchange.keep)
    return Response(head.status, head.fields, body, on_close=exchange.close, reason=head.reason)


async def _pass_on(exchange: Exchange) -> Response:
    """Return the answer of an NPH script as it stands; its status is for the log."""
    status, first = await exchange.read_status_line()
    body = Raw(exchange.pieces(), first, on_lag=exchange.keep)
    return Response(status, (), body, on_close=exchange.close)
