"""The command `forkhttpd explain URL`: what a request would meet, without making one (O8).

It reads the configuration, not a running server, and asks the same parts that would answer: the
router for the mount, the mount's resolver for the file or the program, the gateway's builder for
the environment.  No program is run.  Asked by root, it looks as `user`, who would serve.
"""

import argparse
import logging
import os
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from forkhttpd.commandline import add_configuration
from forkhttpd.config import Config, Mount, Pool
from forkhttpd.config.source import Source, read
from forkhttpd.config.values import format_duration, format_size
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.handlers.cgi import environ, lint
from forkhttpd.handlers.cgi.environ import Script, Server
from forkhttpd.handlers.cgi.scripts import Scripts
from forkhttpd.http1 import target
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Endpoint, HeaderSection, Hop, Request, RequestLine, Version
from forkhttpd.http1.writer import body_length, reason_phrase
from forkhttpd.loop import Loop
from forkhttpd.privileges import become
from forkhttpd.worker.guards import unguarded
from forkhttpd.worker.router import Route, Router, document_root

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

Line = tuple[str, str]
"""A word for the margin, "" to go on with the one before, and what is to be said."""


def main(argv: Sequence[str]) -> int:
    """Do what the arguments after "explain" say.  Raises SystemExit 2 for usage, StartupError.

    Whoever asks has the rights of a worker from then on.
    """
    from forkhttpd.config.load import parse  # pydantic, which the command that serves goes without

    arguments = make_parser().parse_args(argv)
    source = read(arguments.config)
    config = parse(source)
    try:
        request = _request(arguments.url, config)
    except HTTPError as error:
        raise StartupError(f"{error.status} {error.reason}", exit_code=ExitCode.USAGE) from None
    become(config.user, config.group, no_new_privileges=True)  # like a worker
    for margin, text in _explain(request, config, source):
        print(f"{margin:12}{text}".rstrip())
    return ExitCode.STOPPED


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the arguments; manual and completions are held to it."""
    parser = argparse.ArgumentParser(
        prog="forkhttpd explain",
        description="Say what a request for URL would meet: site, mount, file or program.",
        allow_abbrev=False,
    )
    url = 'as in "http://example.org/cgi-bin/x?y", or its path alone'
    parser.add_argument("url", metavar="URL", help=url)
    add_configuration(parser, "the configuration")
    return parser


def _request(url: str, config: Config) -> Request:
    """Return the request that a client would send.  Raises HTTPError 400."""
    parts = urlsplit(url if url.startswith("/") or "://" in url else f"//{url}")
    raw = quote(parts.path or "/", safe=_PRINTABLE) + (f"?{parts.query}" if parts.query else "")
    line = RequestLine("GET", target.parse(raw, "GET"), Version.HTTP_1_1, f"GET {raw} HTTP/1.1")
    section = HeaderSection(
        Fields((("host", parts.netloc),) if parts.netloc else ()),
        host=(parts.hostname or "").lower(),
        length=0,
        keep_alive=True,
        expects_continue=False,
    )
    address = config.listen[0].address
    server = Endpoint(address.host, address.port)
    hop = Hop(Endpoint("127.0.0.1", 0), server, scheme=parts.scheme or "http", name="explain")
    return Request(line, section, hop=hop, number=1, received=0.0)


def _explain(request: Request, config: Config, source: Source) -> Iterator[Line]:
    loop = Loop(report=_ignore)
    try:
        log = logging.getLogger("forkhttpd")
        router = Router(config, loop=loop, launch=_launch, guard=unguarded, log=log)
        route = router.route(request.section.host, request.path)
        yield "request", f"{request.line.text}, host {request.section.host or '(none)'}"
        if route is None:
            yield "answer", f"404: no mount for {request.path}"
            return
        yield from _route_lines(route, config, source)
        rest = request.path[len(route.prefix) :]
        if route.mount.show:
            yield "answer", f"the server itself: {route.mount.show}"
        elif route.mount.cgi is None:
            yield from _file_lines(request, route, rest)
        else:
            yield from _program_lines(request, route, rest, config)
    finally:
        loop.close()


def _route_lines(route: Route, config: Config, source: Source) -> Iterator[Line]:
    names = ", ".join(route.site.names) or "(no names)"
    first = ", the first: it takes every name that no other has"
    yield "site", names + (first if route.site is config.site[0] else "")
    position = next(place for place, mount in config.mounts() if mount is route.mount)
    yield "mount", f"{route.mount.path} ({source.path}:{source.lines[position]})"
    yield from _access_lines(route)


def _access_lines(route: Route) -> Iterator[Line]:
    """Say who may come in: by the mount's own rules, or by those of its site."""
    has_own = bool(route.mount.allow or route.mount.deny)
    if route.mount.show in ("metrics", "status") and not has_own:
        yield "allow", "only clients on this machine, by address, as localhost, or by a site's name"
    for key in ("allow", "deny"):
        source = route.mount if has_own else route.site
        if networks := getattr(source, key):
            yield key, ", ".join(map(str, networks))
    if file := route.site.password_file_of(route.mount):
        users = ", ".join(route.mount.users or route.site.users) or "everybody in it"
        yield "password", f"in {file}, for {users}"


def _file_lines(request: Request, route: Route, rest: str) -> Iterator[Line]:
    if route.mount.docroot is not None:
        yield "file", f"{route.mount.docroot}{rest}"
    try:
        response = _finish(route.handler(request, rest))  # type: ignore[arg-type]
    except HTTPError as error:
        yield "answer", f"{error.status}: {error.reason}"
        return
    try:
        yield "answer", f"{response.status} {reason_phrase(response.status)}"
        for name, value in response.fields:
            yield "", f"{name}: {value}"
        yield "", f"{body_length(response)} bytes"
    finally:
        _finish(response.close())


def _program_lines(request: Request, route: Route, rest: str, config: Config) -> Iterator[Line]:
    mount, pool = route.mount, config.pool[route.mount.pool]
    root = document_root(route.site)
    try:
        script = Scripts(mount, root=root).find(request, rest)
    except HTTPError as error:
        yield "answer", f"{error.status}: {error.reason}"
        return
    if script is None:
        yield "answer", f"301: {request.path} is a directory, and lacks its slash"
        return
    yield from _script_lines(script, mount, pool)
    yield from _limit_lines(mount, pool)
    server = Server(config.server or "forkhttpd", root, route.site.admin)
    env = environ.build(
        request, script, body_length=0, server=server, mount=mount, search_path=pool.search_path
    )
    for number, (name, value) in enumerate(sorted(env.items())):
        yield "" if number else "environment", f"{name.decode()}={os.fsdecode(value)}"


def _script_lines(script: Script, mount: Mount, pool: Pool) -> Iterator[Line]:
    runs = f"{script.interpreter} {script.file}" if script.interpreter else script.file
    yield "program", runs
    yield "", f"in {script.directory}"
    if pool.user and not os.access(script.file, os.R_OK):
        return  # who runs it may read it
    for sentence in lint.script_warnings(script.file, mount, pool):
        yield "but", sentence


def _limit_lines(mount: Mount, pool: Pool) -> Iterator[Line]:
    user = f", as {pool.user}" if pool.user else ""
    yield "pool", f"{mount.pool}{user}: {pool.processes} at once, {pool.queue} more wait"
    times = ("first_byte", "silence", "total")
    limits = [f"{name} {format_duration(getattr(mount, name))}" for name in times]
    sizes = [name for name in ("address_space", "file_size", "memory") if getattr(pool, name)]
    limits += [f"{name} {format_size(getattr(pool, name))}" for name in sizes]
    limits += [f"cpu {format_duration(pool.cpu)}"] if pool.cpu else []
    counts = [
        name for name in ("open_files", "user_processes", "tasks", "nice") if getattr(pool, name)
    ]
    limits += [f"{name} {getattr(pool, name)}" for name in counts]
    yield "limits", ", ".join(limits)


def _finish(answer: Coroutine[Any, Any, Any]) -> Any:
    """Run what waits for nothing: the handlers of files, and the end of their answers."""
    try:
        answer.send(None)
    except StopIteration as done:
        return done.value
    answer.close()
    raise AssertionError("it waits")


async def _launch(*_arguments: object, **_keywords: object) -> NoReturn:
    raise HTTPError(503, "nothing is run to explain it")


def _ignore(_error: Exception) -> None:
    """Nothing runs in this loop."""
