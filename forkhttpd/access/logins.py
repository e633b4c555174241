"""Logins that were verified a short while ago, so that not every request has to be hashed.

No password is kept, but a keyed digest of it, whose key is this process's own and goes with it.  A
login holds for one version of one password file: whatever changes there, all are verified anew.
"""

import hmac
import secrets
from hashlib import blake2b

from forkhttpd.access.credentials import Credentials

LIFETIME = 300.0  # seconds
_MOST = 1024

Version = tuple[int, ...]
"""What tells one version of a file from all others."""


class Logins:
    """The last ones, by file and name: (digest, until when)."""

    __slots__ = ("_key", "_known")

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[tuple[str, bytes], tuple[bytes, float]] = {}

    def know(self, file: str, version: Version, said: Credentials, *, now: float) -> bool:
        """Whether these very credentials were right for this version of the file."""
        known = self._known.get((file, said.user))
        if known is None:
            return False
        digest, until = known
        # Both always, so that the time says nothing.
        return hmac.compare_digest(digest, self._digest(version, said)) & (now < until)

    def remember(self, file: str, version: Version, said: Credentials, *, now: float) -> None:
        """Take in a login that was verified."""
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]  # the oldest of them
        self._known.pop((file, said.user), None)
        self._known[file, said.user] = (self._digest(version, said), now + LIFETIME)

    def _digest(self, version: Version, said: Credentials) -> bytes:
        text = b"%r %d %b%b" % (version, len(said.user), said.user, said.password)
        return blake2b(text, key=self._key, digest_size=32).digest()
