"""A password file, as `htpasswd` writes it: a name and a hash on each line.

    bcrypt ($2y$, $2b$, $2a$)   what to use:  htpasswd -B
    SHA-512-crypt, SHA-256-crypt ($6$, $5$)   htpasswd -5, -2, mkpasswd
    apr1 ($apr1$), MD5-crypt ($1$), {SHA}, DES-crypt   old ones, which take too little time to guess

A password that stands there as it is, is none: nobody gets in with it.  The hashing is libpass's
(the maintained passlib) and bcrypt's, which are an extra, so they are imported by name, and only
where there is a password file.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from forkhttpd.config.extras import installing

INSTALL = installing("auth")

_KINDS = (
    (re.compile(rb"\$2[aby]\$"), "bcrypt"),
    (re.compile(rb"\$6\$"), "sha512_crypt"),
    (re.compile(rb"\$5\$"), "sha256_crypt"),
    (re.compile(rb"\$apr1\$"), "apr_md5_crypt"),
    (re.compile(rb"\$1\$"), "md5_crypt"),
    (re.compile(rb"\{SHA\}"), "ldap_sha1"),
    (re.compile(rb"[./0-9A-Za-z]{13}\Z"), "des_crypt"),
)
# One of each kind, as cheap as can be.
_SAMPLES = (
    b"$2b$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm",
    b"$6$rounds=1000$s$" + b"." * 86,
    b"$5$rounds=1000$s$" + b"." * 43,
    b"$apr1$s$" + b"." * 22,
    b"$1$s$" + b"." * 22,
    b"{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"..X8NBuQ4l6uQ",
)
_BLAKE2B_KEY = 64  # bytes, at most
_BCRYPT_MOST = 72  # bytes of a password that bcrypt sees; htpasswd drops the rest in silence, too


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """The hashes by name; problems: lines that let nobody in, in words.

    ordered: all hashes, so that those of one kind and cost, which begin alike, are neighbours.
    """

    hashes: dict[bytes, bytes]
    problems: tuple[str, ...]
    ordered: tuple[bytes, ...]

    def stand_in(self, name: bytes) -> bytes | None:
        """Return somebody's hash, to take a time over a name that is not there as over one that is.

        A kind is drawn as often as the file has it, and the same for a name each time, in whichever
        verifier: the key is the first hash, which nobody knows.  One more line moves the bounds
        between the kinds by a line: what is drawn changes for few names, unless it is the first.
        """
        if not self.ordered:
            return None
        key = self.ordered[0][:_BLAKE2B_KEY]
        draw = int.from_bytes(blake2b(name, key=key, digest_size=8).digest(), "big")
        return self.ordered[draw * len(self.ordered) >> 64]


def parse(content: bytes) -> PasswordFile:
    """Read a file.  Of two lines for one name the first counts, as it does for Apache."""
    hashes: dict[bytes, bytes] = {}
    problems = []
    for number, line in enumerate(content.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        name, colon, rest = stripped.partition(b":")
        hashed = rest.partition(b":")[0]
        if not colon or not name:
            problems.append(f"line {number}: no name and hash with a colon between")
        elif kind_of(hashed) is None:
            problems.append(f"line {number}: no kind of hash that is known here")
        else:
            hashes.setdefault(name, hashed)
    return PasswordFile(hashes, tuple(problems), tuple(sorted(hashes.values())))


def kind_of(hashed: bytes) -> str | None:
    """Return the name of a hash's kind in libpass, None for what is no hash."""
    return next((kind for pattern, kind in _KINDS if pattern.match(hashed)), None)


Verifiers = Mapping[str, Callable[[bytes, bytes], bool]]
"""What compares a password to a hash, for each kind."""


def load_verifiers() -> Verifiers:
    """Import all that is needed for every kind; nothing is left to be imported later.

    So they are of use also after rights were dropped that it takes to read the packages.
    Raises ImportError.
    """
    importlib.import_module("bcrypt")
    hashes = importlib.import_module("passlib.hash")
    known: Verifiers = {kind: getattr(hashes, kind).verify for _, kind in _KINDS}
    for hashed in _SAMPLES:  # each kind looks for its implementation when it is first used
        verify(b"sample", hashed, known)
    return known


def verify(password: bytes, hashed: bytes, known: Verifiers) -> bool:
    """Whether a hash is the password's.  Raises ValueError for a hash that is broken."""
    kind = kind_of(hashed)
    if kind is None:
        return False
    if kind == "bcrypt":
        password = password[:_BCRYPT_MOST]
    return known[kind](password, hashed)
