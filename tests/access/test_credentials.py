"""A name and a password, and what is remembered of them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access.credentials import challenge, parse_basic
from forkhttpd.access.logins import LIFETIME, Logins


def basic(user: bytes, password: bytes) -> str:
    return "Basic " + base64.b64encode(user + b":" + password).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", (b"Aladdin", b"open sesame")),  # RFC 7617 §2
        ("Basic dGVzdDoxMjPCow==", (b"test", b"123\xc2\xa3")),  # §2.1
        ("bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ==", (b"Aladdin", b"open sesame")),
        ("Basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", (b"Aladdin", b"open sesame")),
        (basic(b"a", b"b:c"), (b"a", b"b:c")),
        (basic(b"", b""), (b"", b"")),
        (basic(b"a" * 256, b"b" * 1024), (b"a" * 256, b"b" * 1024)),
        (None, None),
        ("", None),
        ("Basic", None),
        ("Basic ", None),
        ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", None),  # its padding is missing
        ("Basic QWxh\xe9ZGRpbg==", None),
        ("Basic !QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ("Basic QWxhZGRpbg==", None),  # no colon
        (basic(b"a\n", b"b"), None),
        (basic(b"a", b"b\0"), None),
        (basic(b"a" * 257, b"b"), None),
        (basic(b"a", b"b" * 1025), None),
    ],
)
def test_basic_credentials(text: str | None, said: tuple[bytes, bytes] | None) -> None:
    assert parse_basic(text) == said


@given(st.text(st.characters(max_codepoint=255)))
def test_no_text_raises(text: str) -> None:
    parse_basic(text)
    parse_basic(f"Basic {text}")


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_what_is_said_is_read(user: bytes, password: bytes) -> None:
    said = parse_basic(basic(user, password))
    controls = any(byte < 32 or byte == 127 for byte in user + password)
    name, _, rest = (user + b":" + password).partition(b":")
    assert said == (None if controls else (name, rest))


def test_the_realm_stays_in_its_quotes() -> None:
    field = challenge('a "b\\')
    assert field == ("WWW-Authenticate", 'Basic realm="a \\"b\\\\", charset="UTF-8"')


ALICE = basic(b"alice", b"secret")
VERSION = (1, 2, 3)


def test_a_login_is_remembered_for_a_while() -> None:
    logins = Logins()
    assert logins.name_of(ALICE, "f", VERSION, now=100.0) is None
    logins.remember(ALICE, "alice", "f", VERSION, now=100.0)
    assert logins.name_of(ALICE, "f", VERSION, now=100.0 + LIFETIME - 1) == "alice"
    assert logins.name_of(ALICE, "f", VERSION, now=100.0 + LIFETIME) is None


@pytest.mark.parametrize(
    ("said", "file", "version"),
    [
        (ALICE, "other", VERSION),
        (ALICE, "f", (1, 2, 4)),
        (basic(b"alice", b"secret "), "f", VERSION),
        (basic(b"Alice", b"secret"), "f", VERSION),
        (ALICE.lower(), "f", VERSION),
        ("", "f", VERSION),
    ],
)
def test_nothing_else_is_known_by_it(said: str, file: str, version: tuple[int, ...]) -> None:
    logins = Logins()
    logins.remember(ALICE, "alice", "f", VERSION, now=0.0)
    assert logins.name_of(said, file, version, now=0.0) is None
    assert logins.name_of(ALICE, "f", VERSION, now=0.0) == "alice"


def test_the_password_is_not_kept() -> None:
    logins = Logins()
    logins.remember(ALICE, "alice", "f", VERSION, now=0.0)
    kept = repr([getattr(logins, name) for name in Logins.__slots__])
    assert "secret" not in kept
    assert ALICE.partition(" ")[2] not in kept


def test_a_flood_of_logins_has_its_bounds() -> None:
    logins = Logins()
    for number in range(5000):
        logins.remember(str(number), "alice", "f", VERSION, now=0.0)
    known = [logins.name_of(str(n), "f", VERSION, now=1.0) is not None for n in range(5000)]
    assert known == [False] * (5000 - 1024) + [True] * 1024
