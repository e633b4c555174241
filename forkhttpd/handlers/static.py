"""Files of a docroot, by GET and HEAD.

A path that ends in a slash is a directory: it is answered with its index, or as a list, or not at
all.  Any other path is a file, or a directory that is redirected to its slash, so that relative
links in its page work.  What the path means was decided before: this handler knows nothing of
programs.  What cannot be found is looked for elsewhere only where the mount has a `fallback`.

What a mount has not asked for costs nothing: everything is put together when the handler is made.
A plain GET of a small file is one stat and the answer that was made before.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from forkhttpd.config import Mount
from forkhttpd.handlers import redirect
from forkhttpd.handlers.cache import Absence, Cache, Entry
from forkhttpd.handlers.docroot import Docroot, refusal
from forkhttpd.handlers.files import Coding, Files, Found
from forkhttpd.handlers.listing import contents, document, page
from forkhttpd.handlers.listing.contents import Sorting
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.selection import choose
from forkhttpd.http1 import negotiation
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Items
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Bytes, Proof, Response

_ALLOW: Final = (("Allow", "GET, HEAD, OPTIONS"),)
_CODINGS: Final = {
    "zst": Coding("zstd", ".zst"),
    "br": Coding("br", ".br"),
    "gz": Coding("gzip", ".gz"),
}
_VARY: Final = (("Vary", "Accept-Encoding"),)


class Static:
    """The handler of a mount with a docroot."""

    __slots__ = (
        "_cache",
        "_clock",
        "_coded",
        "_codings",
        "_docroot",
        "_files",
        "_fresh",
        "_media_types",
        "_mount",
    )

    def __init__(
        self,
        mount: Mount,
        *,
        media_types: MediaTypes,
        docroot: Docroot | None = None,
        cache: Cache | None = None,
        is_program: Callable[[int], bool] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`docroot` is the mount's, unless given; for the others see `Files`."""
        if docroot is None:
            if mount.docroot is None:
                raise ValueError(f"mount {mount.path} has no docroot")
            docroot = Docroot(mount.docroot, symlinks=mount.symlinks)
        cache = Cache() if cache is None else cache
        codings = [_CODINGS[name] for name in mount.precompressed]
        files = partial(
            Files,
            docroot,
            cache=cache,
            clock=clock,
            fields=_fields(mount),
            is_program=is_program,
            media_types=media_types,
        )
        self._cache = cache
        self._clock = clock
        self._codings = tuple(coding.name for coding in codings)
        self._coded = {coding.name: files(coding=coding) for coding in codings}
        self._docroot = docroot
        self._files = files()
        self._fresh = _nothing if codings else cache.fresh
        self._media_types = media_types
        self._mount = mount

    async def __call__(self, request: Request, path: str) -> Response:
        """Answer for `path`, the part of the request's path below the mount: "" or "/…".

        Raises HTTPError: 403, 404, 405, 412, 416, 500, 503.
        """
        line = request.line
        if line.method not in ("GET", "HEAD"):
            return _answer_other(line.method)
        if line.target.encoded_slash >= 0:
            raise HTTPError(404, f"{request.path}: an encoded slash is no separator")
        entry = self._fresh(path)
        if entry is not None and entry.whole is not None:
            if not request.section.conditional:
                return entry.whole
            return choose(request, Found(entry, entry.whole))
        try:
            return self._respond(request, path)
        except HTTPError as error:
            if error.status != 404 or not self._mount.fallback:
                raise
            return self._fall_back(request, path, error)

    def proof(self, request: Request, path: str, *, status: int) -> Proof | None:
        """Return what proves the answer, of that status, that the request has just had.

        None where no single stat can: what is chosen among several files, listings, redirections.
        The answer must depend on nothing of the request but its line, its host and its conditions.
        """
        line = request.line
        if line.method not in ("GET", "HEAD") or line.target.encoded_slash >= 0 or self._codings:
            return None
        if path.endswith("/"):
            return self._cache.kept(path + self._mount.index[0]) if self._mount.index else None
        if status == 404 and not self._mount.fallback:
            return Absence(self._docroot.location(path))
        return self._cache.kept(path)

    def _respond(self, request: Request, path: str) -> Response:
        found = self._find(request, path)
        if found is not None:
            return choose(request, found)
        if path.endswith("/"):
            return self._directory(request, path)
        return redirect.to_slash(request)

    def _fall_back(self, request: Request, path: str, error: HTTPError) -> Response:
        """Answer with the first file of the fallback that exists, else with the error.

        What is hidden stays absent: who asks for `/.git/config`, or looks for a certificate's
        token in `/.well-known/`, is not helped by the front page.
        """
        if "/." in path:
            raise error
        for step in self._mount.fallback:
            try:
                found = self._file(request, path + step if step.startswith(".") else step)
            except HTTPError as missing:
                if missing.status != 404:
                    raise
            else:
                if found is not None:
                    return choose(request, found)
        raise error

    def _find(self, request: Request, path: str) -> Found | None:
        """Return the file that is meant; None for a directory that has none, or lacks its slash."""
        if not path.endswith("/"):
            return self._file(request, path)
        for name in self._mount.index:
            try:
                found = self._file(request, path + name)
            except HTTPError as error:
                if error.status != 404:
                    raise
            else:
                if found is not None:
                    return found
        return None

    def _file(self, request: Request, path: str) -> Found | None:
        """Return a file, in the coding that the client likes best of those it lies there in."""
        found = self._files.find(path)
        if found is None or not self._codings:
            return found
        accepted = request.fields.joined("accept-encoding")
        for name in negotiation.codings(accepted, self._codings):
            coded = self._coded[name].find_beside(found.entry, path)
            if coded is not None:
                found.release()
                return coded
        return found

    def _directory(self, request: Request, path: str) -> Response:
        """Show what is in a directory that has no index, or say that it is not shown.

        403 and not 404, as nginx has it: that the directory exists is no secret (its name without
        the slash is redirected), and the operator who forgot an index reads here what is wrong.
        """
        if not self._mount.listing:
            self._docroot.look(path)  # or 404
            raise HTTPError(403, f"{path}: no index ({', '.join(self._mount.index)}), no listing")
        fd = self._docroot.open(path)
        try:
            found = contents.read(
                fd,
                look=lambda name: self._docroot.look(path + name),
                media_types=self._media_types,
                sorting=Sorting.of(request.target.query),
            )
        except OSError as error:
            raise refusal(error, path) from None
        finally:
            os.close(fd)
        accept = request.fields.joined("accept")
        if negotiation.prefers(accept, "application/json", over="text/html"):
            return Response(200, document.FIELDS, Bytes(document.render(request.path, found)))
        shown = page.render(
            request.path,
            found,
            top=self._mount.path,
            now=self._clock(),
            number=page.number_of(request.target.query),
        )
        return Response(200, page.FIELDS, Bytes(shown))


def _nothing(_path: str) -> Entry | None:
    """Look for no ready answer: which one it is depends on what the client accepts."""


def _fields(mount: Mount) -> Items:
    """Return what is said of every file of a mount.

    `expires` becomes max-age alone: the Expires field is for caches of HTTP/1.0, all others have
    to pass over it (RFC 9111 §5.3), and it would have to be written anew every second.
    """
    fields = tuple(mount.headers.items())
    if mount.expires is not None:
        fields += (("Cache-Control", f"max-age={int(mount.expires)}"),)
    return fields + (_VARY if mount.precompressed else ())


def _answer_other(method: str) -> Response:
    if method == "OPTIONS":
        return Response(204, _ALLOW)
    raise HTTPError(405, f"{method} of a file", fields=_ALLOW)
