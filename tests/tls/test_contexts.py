"""Which certificate a client gets: the contexts of a generation, shaken hands with in memory."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from forkhttpd.config.load import load
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.tls import open_contexts
from tests.config.files import SITE, WHOLE, write
from tests.tls.authority import Pair, make_pair

LISTEN = '[[listen]]\naddress = "127.0.0.1:8000"\ntls = true\n'


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    directory = tmp_path_factory.mktemp("certificates")
    return {stem: make_pair(directory, stem, "x") for stem in ("first", "exact", "wild")}


def site(pair: Pair | None, *names: str) -> str:
    keys = [f"names = {list(names)}".replace("'", '"')] if names else []
    if pair:
        keys += [f'certificate = "{pair.certificate}"', f'key = "{pair.key}"']
    return "\n".join(["[[site]]", *keys, SITE.partition("\n")[2]])


def contexts(directory: Path, *sites: str, more: str = "") -> ssl.SSLContext | None:
    return open_contexts(load(write(directory, LISTEN + "".join(sites) + more)))


def shake(
    server: ssl.SSLContext, name: str | None, *, client: ssl.SSLContext | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Return both ends of a connection to that name: the client's, the server's."""
    client = client or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(back, there, server_hostname=name)
    far = server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for end in (near, far):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return near, far


def certificate(server: ssl.SSLContext | None, name: str | None) -> bytes | None:
    assert server is not None
    return shake(server, name)[0].getpeercert(binary_form=True)


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def test_the_certificate_is_that_of_the_site_that_the_client_names(
    tmp_path: Path, pairs: dict[str, Pair]
) -> None:
    server = contexts(
        tmp_path,
        site(None, "plain.example"),
        site(pairs["first"], "first.example"),
        site(pairs["exact"], "www.example.org"),
        site(pairs["wild"], "*.example.org"),
    )
    for name, expected in {
        "first.example": "first",
        "www.example.org": "exact",
        "WWW.Example.ORG": "exact",
        "other.example.org": "wild",
        "a.b.example.org": "wild",
        "example.org": "first",
        "plain.example": "first",
        "nobody.example": "first",
        None: "first",
    }.items():
        assert certificate(server, name) == der(pairs[expected]), name


def test_without_a_listener_for_tls_there_is_nothing_to_open(tmp_path: Path) -> None:
    assert open_contexts(load(write(tmp_path, WHOLE))) is None


def test_what_is_broken_since_it_was_checked_stops_the_generation(
    tmp_path: Path, pairs: dict[str, Pair]
) -> None:
    with pytest.raises(StartupError, match="not that of the certificate") as raised:
        contexts(tmp_path, site(Pair(pairs["first"].certificate, pairs["exact"].key)))
    assert raised.value.exit_code is ExitCode.CONFIG


def test_a_client_below_the_oldest_version_is_refused(
    tmp_path: Path, pairs: dict[str, Pair]
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    by_default = contexts(tmp_path, site(pairs["first"]))
    assert by_default
    assert shake(by_default, None, client=old)[0].version() == "TLSv1.2"
    strict = contexts(tmp_path, site(pairs["first"]), more='[tls]\nminimum_version = "1.3"\n')
    assert strict
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        shake(strict, None, client=old)


def test_the_ciphers_of_the_operator_are_those_that_are_agreed_on(
    tmp_path: Path, pairs: dict[str, Pair]
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    name = "ECDHE-ECDSA-CHACHA20-POLY1305"
    server = contexts(tmp_path, site(pairs["first"]), more=f'[tls]\nciphers = "{name}"\n')
    assert server
    chosen = shake(server, None, client=old)[0].cipher()
    assert chosen
    assert chosen[0] == name


def test_http_1_1_is_agreed_on_and_nothing_newer(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    server = contexts(tmp_path, site(pairs["first"]))
    assert server
    for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None)):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.set_alpn_protocols(offered)
        assert shake(server, None, client=client)[0].selected_alpn_protocol() == agreed
