"""Which handler a request belongs to: by host the site, by path the mount.

The router alone decides between files and programs, once, from the one decoded path; neither kind
of handler falls back to the other.  Mounts match on segment boundaries, the longest path wins,
and of equals the one with a matching suffix.

What is a program is never sent as a file, whichever mount leads to it and however it is spelled
(S11): the files of all static mounts are held against the `programs` of all mounts.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from forkhttpd.config import Config, Mount, Site
from forkhttpd.handlers.cgi.environ import Server
from forkhttpd.handlers.cgi.gateway import Gateway, Launch
from forkhttpd.handlers.locality import Locality
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.redirect import Redirect
from forkhttpd.handlers.show.metrics import Metrics
from forkhttpd.handlers.show.readiness import Readiness
from forkhttpd.handlers.show.status import Status
from forkhttpd.handlers.show.view import View
from forkhttpd.handlers.static import Static
from forkhttpd.hosts import Hosts
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Items
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Proof, Response
from forkhttpd.loop import Loop
from forkhttpd.worker.errorpage import ErrorPages, Page
from forkhttpd.worker.guards import Guard, Handler
from forkhttpd.worker.misdirection import Misdirection
from forkhttpd.worker.programs import Programs

_MEMORY_SIZE = 4096  # routes that are remembered
_MEMORABLE = 512  # longest path of one: a client cannot fill the memory with megabytes
_ALLOW = (("Allow", "GET, HEAD, POST, OPTIONS"),)


@dataclass(frozen=True, slots=True)
class Route:
    """A mount of a site, ready to answer.  `prefix` is its path without the slash at the end."""

    prefix: str
    handler: Handler
    site: Site
    mount: Mount

    @property
    def has_directories(self) -> bool:
        """Whether directories are the mount's: not if only suffixes are, but for an index."""
        suffix = self.mount.suffix
        return not suffix or any(name.endswith(suffix) for name in self.mount.index)

    def matches(self, path: str) -> bool:
        """Whether the path is the mount's, or below it, and names one of its suffixes.

        With `index = ["index.php"]` what ends in a slash belongs to the mount for ".php", too.
        """
        if not path.startswith(self.prefix):
            return False
        rest = path[len(self.prefix) :]
        if rest and not rest.startswith("/"):
            return False
        suffix = self.mount.suffix
        if not suffix or any(step.endswith(suffix) for step in rest.split("/")):
            return True
        return self.has_directories and (not rest or rest.endswith("/"))


@dataclass(frozen=True, slots=True)
class Routes:
    """A site: its routes, the longest first, and the pages that it shows with errors."""

    name: str
    routes: tuple[Route, ...]
    error_pages: ErrorPages


class Router:
    """Answers a request by the handler that it belongs to."""

    __slots__ = ("_memory", "_misdirection", "_sites")

    def __init__(
        self,
        config: Config,
        *,
        loop: Loop,
        launch: Launch,
        guard: Guard,
        log: logging.Logger,
        view: View | None = None,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """For mounts that show the server: `view` of the whole, None where there is no server;
        `is_ready`: whether it serves, and is to go on.
        """
        build = _Builder(
            config,
            loop=loop,
            launch=launch,
            guard=guard,
            log=log,
            view=view,
            is_ready=is_ready,
        )
        self._memory: dict[tuple[str, str], tuple[Handler, str]] = {}
        self._misdirection = Misdirection(config)
        sites = [(site, build.site(site)) for site in config.site]
        self._sites = Hosts(sites[0][1])
        for site, routes in sites:
            for name in site.names:
                self._sites.add(name, routes)

    def respond(self, request: Request) -> Awaitable[Response]:
        """Have the request answered.

        Raises HTTPError: 404 when it belongs to nobody, 421 when it came over the wrong connection.
        """
        host, target = request.section.host, request.line.target
        path = target.path
        if target.authority or request.hop.encryption is not None:
            self._misdirection.refuse(request)
        found = self._memory.get((host, path))
        if found is None:
            found = self._find(host, path)
            if len(self._memory) >= _MEMORY_SIZE:
                self._memory.clear()
            if len(path) <= _MEMORABLE:
                self._memory[host, path] = found
        handler, rest = found
        return handler(request, rest)

    def refuse(self, request: Request, error: HTTPError) -> Response:
        """Turn an error into the answer that the request's site has for it."""
        return self._sites.find(request.section.host).error_pages.response(error, id=request.id)

    def site_name(self, host: str) -> str:
        """Return what the site of a host is called."""
        return self._sites.find(host).name

    @property
    def asks_for_names(self) -> bool:
        """Whether an answer over TLS depends on the name that the connection began with."""
        return self._misdirection.asks_for_names

    def proof(self, request: Request, response: Response) -> Proof | None:
        """Return what proves that the same bytes from any client have the same answer as now.

        Only files have one, and only where nothing stands before their handler: whatever guards a
        mount is asked each time.
        """
        host, path = request.section.host, request.line.target.path
        handler, rest = self._memory.get((host, path), _NOWHERE)
        if not isinstance(handler, Static):
            return None
        if response.status >= 400 and self._sites.find(host).error_pages.has_own(response.status):
            return None
        try:
            return handler.proof(request, rest, status=response.status)
        except HTTPError:
            return None

    def _find(self, host: str, path: str) -> tuple[Handler, str]:
        """Return the handler of a path, and the part of the path that is below its mount."""
        if path == "*":
            return _answer_for_all, ""
        route = self.route(host, path)
        if route is None:
            raise HTTPError(404, f"no mount for {path}")
        return route.handler, path[len(route.prefix) :]

    def route(self, host: str, path: str) -> Route | None:
        """Return the route of a path, None when it belongs to nobody."""
        routes = self._sites.find(host).routes
        return next((route for route in routes if route.matches(path)), None)


def _adding(fields: Items, handler: Handler) -> Handler:
    """Return a handler whose answers have more fields, where they do not have them already."""

    async def respond(request: Request, path: str) -> Response:
        response = await handler(request, path)
        said = {name.lower() for name, _ in response.fields}
        response.fields += tuple(item for item in fields if item[0].lower() not in said)
        return response

    return respond


async def _answer_for_all(_request: Request, _path: str) -> Response:
    """Answer `OPTIONS *`, a ping: no other method has that target (RFC 9110 §9.3.7)."""
    return Response(204, _ALLOW)


async def _show_nothing(request: Request, _path: str) -> Response:
    raise HTTPError(503, f"{request.path}: nobody is watching")


_NOWHERE: tuple[Handler, str] = (_answer_for_all, "")


def document_root(site: Site) -> str:
    """Return the directory of files that a site's programs know of, "" without one."""
    return next((str(m.docroot) for m in site.mount if m.path == "/" and m.docroot), "")


class _Builder:
    """Makes the routes of each site from the configuration."""

    __slots__ = (
        "_config",
        "_guard",
        "_is_ready",
        "_launch",
        "_locality",
        "_log",
        "_loop",
        "_programs",
        "_view",
    )

    def __init__(
        self,
        config: Config,
        *,
        loop: Loop,
        launch: Launch,
        guard: Guard,
        log: logging.Logger,
        view: View | None,
        is_ready: Callable[[], bool],
    ) -> None:
        self._guard = guard
        self._config = config
        self._loop = loop
        self._launch = launch
        self._log = log
        self._view = view
        self._is_ready = is_ready
        self._locality = Locality(name for site in config.site for name in site.names)
        self._programs = Programs(mount for site in config.site for mount in site.mount)

    def site(self, site: Site) -> Routes:
        """Return a site, ready to answer."""
        types = self._types("utf-8")
        pages = {
            int(status): Page(file, types.of(file.name))
            for status, file in site.error_pages.items()
        }
        name = site.names[0] if site.names else "default"
        return Routes(name, self._routes(site), ErrorPages(pages, log=self._log))

    def _routes(self, site: Site) -> tuple[Route, ...]:
        guard = self._guard  # whatever keeps people out of a mount
        routes = [
            Route(
                mount.path.rstrip("/"), guard(site, mount, self._handler(site, mount)), site, mount
            )
            for mount in site.mount
        ]
        order = sorted(
            routes, key=lambda route: (len(route.prefix), bool(route.mount.suffix)), reverse=True
        )
        return tuple(order)

    def _handler(self, site: Site, mount: Mount) -> Handler:
        if mount.redirect:
            return Redirect(mount)
        if mount.show:
            return self._show(mount)
        if mount.cgi is None:
            types = self._types(mount.charset)
            return Static(mount, media_types=types, is_program=self._programs.has)
        gateway = self._gateway(site, mount)
        return _adding(tuple(mount.headers.items()), gateway) if mount.headers else gateway

    def _show(self, mount: Mount) -> Handler:
        if mount.show == "ready":
            return Readiness(self._is_ready)
        if self._view is None:
            return _show_nothing
        only = None if mount.allow or mount.deny else self._locality
        if mount.show == "metrics":
            return Metrics(self._view.overview, only=only)
        return Status(self._view, loop=self._loop, only=only)

    def _types(self, charset: str) -> MediaTypes:
        return MediaTypes(self._config.types, charset=charset)

    def _gateway(self, site: Site, mount: Mount) -> Gateway:
        root = document_root(site)
        return Gateway(
            mount,
            name=f"{self._config.site.index(site)}/{site.mount.index(mount)}",
            pool=self._config.pool[mount.pool],
            server=Server(self._config.server or "forkhttpd", root, site.admin),
            debug=self._locality if site.debug else None,
            loop=self._loop,
            launch=self._launch,
            log=self._log,
        )
