"""Which handler a request belongs to: by host the site, by path the mount.

The router alone decides between files and programs, once, from the one decoded path; neither kind
of handler falls back to the other.  Mounts match on segment boundaries, the longest path wins,
and of equals the one with a matching suffix.

What is a program is never sent as a file, whichever mount leads to it and however it is spelled
(S11): the files of all static mounts are checked by where they really are, against the programs
of all mounts.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from forkhttpd.config import Config, Mount, Site
from forkhttpd.handlers.cgi.gateway import Gateway, Launch
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.static import Static
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Response
from forkhttpd.loop import Loop

Handler = Callable[[Request, str], Awaitable[Response]]

_MEMORY_SIZE = 4096  # routes that are remembered


@dataclass(frozen=True, slots=True)
class Route:
    """A mount, ready to answer.  `prefix` is its path without the slash at the end."""

    prefix: str
    suffix: tuple[str, ...]
    handler: Handler

    def matches(self, path: str) -> bool:
        """Whether the path is the mount's, or below it, and names one of its suffixes."""
        if not path.startswith(self.prefix):
            return False
        rest = path[len(self.prefix) :]
        if rest and not rest.startswith("/"):
            return False
        return not self.suffix or any(step.endswith(self.suffix) for step in rest.split("/"))


class Router:
    """Answers a request by the handler that it belongs to."""

    __slots__ = ("_default", "_memory", "_names", "_wildcards")

    def __init__(self, config: Config, *, loop: Loop, launch: Launch, log: logging.Logger) -> None:
        build = _Builder(config, loop=loop, launch=launch, log=log)
        self._names: dict[str, list[Route]] = {}
        self._wildcards: dict[str, list[Route]] = {}
        self._default: list[Route] = []
        self._memory: dict[tuple[str, str], tuple[Handler, str]] = {}
        for site in reversed(config.site):  # so that the first stays the default
            self._default = routes = build.routes(site)
            for name in site.names:
                if name.startswith("*."):
                    self._wildcards[name[1:].lower()] = routes
                else:
                    self._names[name.lower()] = routes

    def respond(self, request: Request) -> Awaitable[Response]:
        """Have the request answered.  Raises HTTPError, 404 when it belongs to nobody."""
        host, path = request.section.host, request.line.target.path
        found = self._memory.get((host, path))
        if found is None:
            found = self._find(host, path)
            if len(self._memory) >= _MEMORY_SIZE:
                self._memory.clear()
            self._memory[host, path] = found
        handler, rest = found
        return handler(request, rest)

    def _find(self, host: str, path: str) -> tuple[Handler, str]:
        """Return the handler of a path, and the part of the path that is below its mount."""
        for route in self._site(host):
            if route.matches(path):
                return route.handler, path[len(route.prefix) :]
        raise HTTPError(404, f"no mount for {path}")

    def _site(self, host: str) -> list[Route]:
        """Return the routes of a host; it is only looked up, never used as a path (H2)."""
        routes = self._names.get(host)
        while routes is None and (dot := host.find(".")) >= 0:
            host = host[dot + 1 :]
            routes = self._wildcards.get("." + host)
        return self._default if routes is None else routes


class Programs:
    """All files that are programs, wherever a link or another mount finds them."""

    __slots__ = ("_directories", "_files", "_suffixes")

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._directories: list[str] = []
        self._files: set[str] = set()
        self._suffixes: tuple[str, ...] = ()
        for mount in mounts:
            if mount.cgi is None:
                continue
            real = os.path.realpath(mount.cgi)
            if mount.suffix:
                self._suffixes += tuple(suffix.lower() for suffix in mount.suffix)
            elif os.path.isdir(real):
                self._directories.append(real + "/")
            else:
                self._files.add(real)

    def has(self, fd: int) -> bool:
        """Whether an open file is one of them, by where it really is."""
        real = os.readlink(f"/proc/self/fd/{fd}")
        return (
            real in self._files
            or real.lower().endswith(self._suffixes)
            or any(real.startswith(directory) for directory in self._directories)
        )


class _Builder:
    """Makes the routes of each site from the configuration."""

    __slots__ = ("_config", "_launch", "_log", "_loop", "_media_types", "_programs")

    def __init__(self, config: Config, *, loop: Loop, launch: Launch, log: logging.Logger) -> None:
        self._config = config
        self._loop = loop
        self._launch = launch
        self._log = log
        self._media_types = MediaTypes()
        self._programs = Programs(mount for site in config.site for mount in site.mount)

    def routes(self, site: Site) -> list[Route]:
        """Return a site's routes, the longest first."""
        root = next((str(m.docroot) for m in site.mount if m.path == "/" and m.docroot), "")
        routes = [
            Route(mount.path.rstrip("/"), mount.suffix, self._handler(mount, root))
            for mount in site.mount
        ]
        return sorted(
            routes, key=lambda route: (len(route.prefix), bool(route.suffix)), reverse=True
        )

    def _handler(self, mount: Mount, root: str) -> Handler:
        if mount.cgi is None:
            return Static(mount, media_types=self._media_types, is_program=self._programs.has)
        return Gateway(
            mount,
            pool=self._config.pool[mount.pool],
            root=root,
            software=self._config.server or "forkhttpd",
            loop=self._loop,
            launch=self._launch,
            log=self._log,
        )
