"""What stands before the handler of a mount: rules by address, and a login.

A guard is made with the router, for the mounts that have one; who has none pays nothing.  It sees
the one path that was resolved, so no other spelling leads around it, and nothing that is remembered
behind it is shown before it has agreed.
"""

import logging
import math
import os
from collections.abc import Awaitable, Callable, Hashable
from pathlib import Path
from typing import NoReturn, Protocol

from forkhttpd.access.credentials import Credentials, challenge, parse_basic
from forkhttpd.access.logins import Logins
from forkhttpd.access.meter import Meter, Places
from forkhttpd.access.rules import Rules, rules_of
from forkhttpd.census import Census
from forkhttpd.config import Config, Mount, Site
from forkhttpd.errors import describe
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Response
from forkhttpd.loop import Loop
from forkhttpd.worker.counting import Counting
from forkhttpd.worker.verifier import Verdict, is_settled, version_of

Handler = Callable[[Request, str], Awaitable[Response]]
Guard = Callable[[Site, Mount, Handler], Handler]


class Verify(Protocol):
    """Whether a password is right; see `worker.desk.Desk.verify` for what is raised."""

    async def __call__(
        self, file: str, said: Credentials, *, asker: Hashable, room: float
    ) -> Verdict: ...


def unguarded(_site: Site, _mount: Mount, handler: Handler) -> Handler:
    """Return the handler itself: for who only wants to know what it would say."""
    return handler


def asks_for_passwords(config: Config) -> bool:
    """Whether there is a mount that a password opens."""
    return any(site.password_file_of(mount) for site in config.site for mount in site.mount)


class Guards:
    """Puts guards before handlers, as the configuration says."""

    __slots__ = ("_counting", "_failures", "_log", "_logins", "_loop", "_verify")

    def __init__(
        self,
        config: Config,
        *,
        census: Census,
        counting: Counting,
        loop: Loop,
        log: logging.Logger,
        verify: Verify,
    ) -> None:
        self._counting = counting
        self._failures = Meter(census.meter("failures"), config.limits.failed_logins)
        self._log = log
        self._logins = Logins()
        self._loop = loop
        self._verify = verify

    def __call__(self, site: Site, mount: Mount, handler: Handler) -> Handler:
        """Return the handler of a mount behind its guards."""
        file, rules = site.password_file_of(mount), rules_of(site, mount)
        if file is not None:
            handler = _asking(self._login(site, mount, file), handler)
        return handler if rules is None else _admitting(rules, handler)

    def _login(self, site: Site, mount: Mount, file: Path) -> "Login":
        return Login(
            str(file),
            realm=mount.realm or site.realm or "private",
            users=mount.users or site.users,
            counting=self._counting,
            failures=self._failures,
            log=self._log,
            logins=self._logins,
            loop=self._loop,
            verify=self._verify,
        )


def _admitting(rules: Rules, handler: Handler) -> Handler:
    """Return a handler that answers only those whom the rules let in."""

    def respond(request: Request, path: str) -> Awaitable[Response]:
        if not rules.admit(request.hop.client.host):
            raise HTTPError(403, f"{request.hop.client.host or 'a Unix socket'} may not come in")
        return handler(request, path)

    return respond


def _asking(login: "Login", handler: Handler) -> Handler:
    """Return a handler that answers only those who say a name and its password."""

    async def respond(request: Request, path: str) -> Response:
        request.user = await login.user_of(request)
        return await handler(request, path)

    return respond


class Login:
    """The password of one mount."""

    __slots__ = (
        "_challenge",
        "_counting",
        "_failures",
        "_file",
        "_log",
        "_logins",
        "_loop",
        "_users",
        "_verify",
    )

    def __init__(
        self,
        file: str,
        *,
        realm: str,
        users: tuple[str, ...],
        counting: Counting,
        failures: Meter,
        log: logging.Logger,
        logins: Logins,
        loop: Loop,
        verify: Verify,
    ) -> None:
        self._file = file
        self._challenge = challenge(realm)
        self._users = frozenset(user.encode().decode("latin-1") for user in users)
        self._counting = counting
        self._failures = failures
        self._log = log
        self._logins = logins
        self._loop = loop
        self._verify = verify

    async def user_of(self, request: Request) -> str:
        """Return the name of who asks, once it is verified.

        Raises HTTPError: 401; 429 after too many wrong passwords; 500 when the file cannot be read;
        503 when too many wait for their hashes.
        """
        text = request.fields.get("authorization")
        if text is None:
            self._refuse("no name and password")
        try:
            status = os.stat(self._file)
        except OSError as error:
            raise HTTPError(500, f"{self._file}: {describe(error)}") from None
        version, now = version_of(status), self._loop.now
        name = self._logins.name_of(text, self._file, version, now=now)
        if name is None:
            name = await self._check(request, text)
            if is_settled(status):
                self._logins.remember(text, name, self._file, version, now=now)
        if self._users and name not in self._users:
            self._refuse(f"{name} is none of the users")
        return name

    async def _check(self, request: Request, text: str) -> str:
        """Have the password verified, unless the address has had too many wrong ones."""
        said = parse_basic(text)
        # Git begins with the name of its URL and no password yet: that is no guess, but a question.
        if said is None or not said.password:
            self._refuse("no name and password")
        client = request.hop.client.host
        places = self._counting.places(client)
        room = math.inf if places is None else self._room(client, places)
        verdict = Verdict.WRONG  # also for who leaves before the answer: it costs the same
        try:
            verdict = await self._verify(self._file, said, asker=places, room=room)
        except HTTPError:
            verdict = Verdict.FAILED
            raise
        finally:
            if verdict is Verdict.WRONG and places is not None:
                self._failures.add(places, self._loop.now)
        if verdict is Verdict.WRONG:
            self._log.info("%s: login failed for %s from %s", request.id, said.name, client)
            self._refuse("wrong name or password")
        return said.name

    def _room(self, client: str, places: Places) -> int:
        """Return how many guesses an address has left.  Raises HTTPError 429 when it has none."""
        if wait := self._failures.wait(places, self._loop.now):
            fields = (("Retry-After", str(math.ceil(wait))),)
            raise HTTPError(429, f"too many wrong passwords of {client}", fields=fields)
        return self._failures.room(places, self._loop.now)

    def _refuse(self, reason: str) -> NoReturn:
        raise HTTPError(401, reason, fields=(self._challenge,))
