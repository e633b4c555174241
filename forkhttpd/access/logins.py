"""Logins that were verified a short while ago, so that not every request has to be hashed.

No password is kept, but a digest of the whole field that said it, with a key that is this process's
own and goes with it.  Fields are looked up by that digest, so how long that takes says nothing of
any password.  A login holds for one version of one password file: whatever changes there, all are
verified anew.
"""

import secrets
from hashlib import blake2b

LIFETIME = 300.0  # seconds
_MOST = 1024

Version = tuple[int, ...]
"""What tells one version of a file from all others."""


class Logins:
    """The last ones, by file and digest: (version of the file, until when, name)."""

    __slots__ = ("_key", "_known")

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[tuple[str, bytes], tuple[Version, float, str]] = {}

    def name_of(self, said: str, file: str, version: Version, *, now: float) -> str | None:
        """Return who says this in an Authorization field, if it was right for this very file."""
        known = self._known.get((file, self._digest(said)))
        if known is None or known[0] != version or now >= known[1]:
            return None
        return known[2]

    def remember(self, said: str, name: str, file: str, version: Version, *, now: float) -> None:
        """Take in a login that was verified."""
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]  # the oldest of them
        key = (file, self._digest(said))
        self._known.pop(key, None)
        self._known[key] = (version, now + LIFETIME, name)

    def _digest(self, said: str) -> bytes:
        return blake2b(said.encode("latin-1"), key=self._key, digest_size=32).digest()
