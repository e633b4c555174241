"""A name and a password, as a request says them (RFC 7617)."""

import base64
import binascii
import re
from typing import NamedTuple

LONGEST_USER = 256  # bytes
LONGEST_PASSWORD = 1024  # bytes; the time that some hashes take grows with its square

_CONTROLS = re.compile(rb"[\0-\x1f\x7f]")  # RFC 7617 §2
_MOST = 4 * (LONGEST_USER + LONGEST_PASSWORD) // 3 + 8  # characters of base64


class Credentials(NamedTuple):
    """What somebody says to be.  Both are the wire's bytes; the name is shown as latin-1 text."""

    user: bytes
    password: bytes

    @property
    def name(self) -> str:
        return self.user.decode("latin-1")


def parse_basic(text: str | None) -> Credentials | None:
    """Read the value of an Authorization field; None if it holds no Basic credentials."""
    scheme, _, token = (text or "").partition(" ")
    if scheme.lower() != "basic" or len(token) > _MOST:
        return None
    try:
        user, colon, password = base64.b64decode(token.strip(" "), validate=True).partition(b":")
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return None
    too_long = len(user) > LONGEST_USER or len(password) > LONGEST_PASSWORD
    if not colon or too_long or _CONTROLS.search(user) or _CONTROLS.search(password):
        return None
    return Credentials(user, password)


def challenge(realm: str) -> tuple[str, str]:
    """Return the field that asks for a name and a password."""
    escaped = realm.replace("\\", "\\\\").replace('"', '\\"')
    return "WWW-Authenticate", f'Basic realm="{escaped}", charset="UTF-8"'
