"""What is said of certificates and keys before anything is bound, with the line it stands in."""

import os
import tempfile
from pathlib import Path

import pytest

from forkhttpd.config.check import Report, check
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from tests.config.files import write
from tests.tls.authority import Pair, make_pair

TLS = """\
[[listen]]
address = "127.0.0.1:0"
tls = true
[[site]]
names = ["a.example", "w.b.example", "10.0.0.1", "[::1]"]
certificate = "{}"
key = "{}"
[[site.mount]]
docroot = "."
"""


def report(
    directory: Path, certificate: object, key: object, more: str = "", *, uid: int = 1000
) -> Report:
    source = read(write(directory, TLS.format(certificate, key) + more))
    return check(parse(source), source, uid=uid, allow_root=False)


def wrong(directory: Path, certificate: object, key: object, more: str = "") -> list[str]:
    """Return the problems, without the name of the configuration and of its directory."""
    problems = report(directory, certificate, key, more).problems
    return [line.split("forkhttpd.conf:", 1)[1].replace(f"{directory}/", "") for line in problems]


def warnings(directory: Path, pair: Pair) -> list[str]:
    found = report(directory, pair.certificate, pair.key).warnings
    return [line.split("[site] certificate: ")[1] for line in found if "certificate: " in line]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path, "good", "a.example", "*.b.example")


def test_a_good_pair_gives_nothing_to_say(tmp_path: Path, pair: Pair) -> None:
    assert wrong(tmp_path, pair.certificate, pair.key) == []
    assert warnings(tmp_path, pair) == []


def test_the_key_may_stand_in_the_certificates_file(tmp_path: Path, pair: Pair) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    assert wrong(tmp_path, both, "") == []


def test_what_openssl_cannot_use_is_told_with_its_line(tmp_path: Path, pair: Pair) -> None:
    other = make_pair(tmp_path, "other", "a.example")
    locked = make_pair(tmp_path, "locked", "a.example", password="secret")
    garbled = tmp_path / "garbled.pem"
    garbled.write_text(pair.certificate.read_text().replace("M", "N"))
    pem = "; write the path of a PEM file"
    mismatch = "the key in other.key is not that of the certificate in good.pem"
    encrypted = "locked.key is encrypted, and nobody can type its password"
    for certificate, key, expected in (
        ("none.pem", "", f"6: [site] certificate: none.pem: No such file or directory{pem}"),
        (".", "", f"6: [site] certificate: {tmp_path}: Is a directory{pem}"),
        (pair.key, "", f"6: [site] certificate: good.key has no certificate in it{pem}"),
        (
            *(pair.certificate, ""),
            '6: [site] certificate: good.pem has no private key in it; write key = "FILE.pem"',
        ),
        ("good.pem", "none.key", f"7: [site] key: none.key: No such file or directory{pem}"),
        ("good.pem", "good.pem", f"7: [site] key: good.pem has no private key in it{pem}"),
        (
            *("good.pem", other.key),
            f"7: [site] key: {mismatch}; write the one that it was made with",
        ),
        (
            *(locked.certificate, locked.key),
            f"7: [site] key: {encrypted}; decrypt it: openssl pkey -in locked.key -out FILE",
        ),
    ):
        assert wrong(tmp_path, certificate, key) == [expected]
    assert "OpenSSL cannot read garbled.pem and good.key" in wrong(tmp_path, garbled, pair.key)[0]


def test_ciphers_that_openssl_does_not_know(tmp_path: Path, pair: Pair) -> None:
    assert wrong(tmp_path, pair.certificate, pair.key, '[tls]\nciphers = "ROT13"\n') == [
        "11: [tls] ciphers: OpenSSL knows no such cipher; see the list: openssl ciphers -v"
    ]


def test_what_clients_would_refuse_is_a_warning(tmp_path: Path) -> None:
    expired = make_pair(tmp_path, "expired", "a.example", "*.b.example", days=-1)
    assert warnings(tmp_path, expired) == ["it has expired, so that every client refuses it"]
    for_mail = make_pair(tmp_path, "mail", "x", extension="extendedKeyUsage=emailProtection")
    assert warnings(tmp_path, for_mail) == [
        "it is not meant for servers, so that every client refuses it"
    ]
    narrow = make_pair(tmp_path, "narrow", "A.example")
    assert warnings(tmp_path, narrow) == [
        'it is not for "w.b.example", a name of this site, so that browsers refuse it there'
    ]


PROGRAMS = """\
[[site.mount]]
path = "/cgi/"
cgi = "."
pool = "other"
[pool.other]
user = "nobody"
"""


@pytest.mark.parametrize("readable", [True, False])
def test_a_key_that_programs_can_read_is_a_warning(*, readable: bool) -> None:
    """Whether root starts the server, and so may leave the key to itself, or somebody else."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own is closed to others
        directory = Path(name)
        directory.chmod(0o755)
        pair = make_pair(directory, "one", "a.example", "*.b.example")
        pair.key.chmod(0o644 if readable else 0o600)
        by_root = report(directory, pair.certificate, pair.key, PROGRAMS, uid=0).warnings
        ours = os.geteuid() or 12345
        by_others = report(directory, pair.certificate, pair.key, PROGRAMS, uid=ours).warnings
    told = "[site] key: the programs of [pool.other] run as nobody, who can read it; leave it to"
    assert [told in line for line in by_root if "who can read it" in line] == [True] * readable
    may = readable or os.geteuid() != 0
    assert sum("who can read it; start as root" in line for line in by_others) == may


def test_a_key_among_the_files_is_a_warning(tmp_path: Path, pair: Pair) -> None:
    told = f"[site] key: the key {pair.key} is in {tmp_path}; move it out of there"
    found = report(tmp_path, pair.certificate, pair.key).warnings
    assert [told in line for line in found].count(True) == 1


def test_a_directory_that_is_closed_keeps_a_key_from_programs() -> None:
    with tempfile.TemporaryDirectory() as name:
        pair = make_pair(Path(name), "one", "a.example", "*.b.example")
        pair.key.chmod(0o644)
        warned = report(Path(name), pair.certificate, pair.key, PROGRAMS, uid=0).warnings
    assert not [line for line in warned if "who can read it" in line]
