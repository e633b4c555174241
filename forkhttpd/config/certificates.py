"""Certificates and keys: read by OpenSSL, which never says whose fault it is; here it is said.

A certificate is also tried as a client would: two ends shake hands in memory, and the client's end
trusts this very certificate.  So what is wrong with it is found by who will look at it later.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config, Site, Tls
from forkhttpd.errors import describe

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_ROUNDS = 4  # flights of a handshake

_NOT_YET, _EXPIRED, _PURPOSE = 9, 10, 26  # X509_V_ERR_… of OpenSSL's x509_vfy.h
_COMPLAINTS = {
    _NOT_YET: "it is not valid yet, so that every client refuses it",
    _EXPIRED: "it has expired, so that every client refuses it",
    _PURPOSE: "it is not meant for servers, so that every client refuses it",
}


class CertificateError(Exception):
    """A site's certificate or key is of no use: which key of the site, and what is wrong."""

    def __init__(self, key: Literal["certificate", "key"], wrong: str) -> None:
        super().__init__(wrong)
        self.key = key
        self.wrong = wrong


class _Encrypted(Exception):
    """OpenSSL asks for the password of a key."""


def open_context(site: Site, settings: Tls) -> ssl.SSLContext:
    """Return what a server needs to speak TLS for a site.  Raises CertificateError.

    Sessions resume by tickets, whose key is the context's own: processes that are forked with it
    take each other's tickets.
    """
    context = _new_context(settings)
    certificate, key = _files(site)
    _check_text(certificate, "certificate", b"-----BEGIN CERTIFICATE-----")
    _check_text(key, "key" if site.key else "certificate", b"PRIVATE KEY-----")
    try:
        context.load_cert_chain(certificate, key, password=_ask_for_password)
    except _Encrypted:
        wrong = f"{key} is encrypted, and nobody can type its password"
        wrong += f"; decrypt it: openssl pkey -in {key} -out FILE"
        raise CertificateError("key", wrong) from None
    except ssl.SSLError as error:
        raise _in_words(error, certificate, key) from None
    except OSError as error:
        raise CertificateError("certificate", f"{certificate}: {describe(error)}") from None
    return context


def cipher_problem(settings: Tls) -> str:
    """Return what is wrong with the list of ciphers, "" if nothing."""
    try:
        _new_context(settings)
    except ssl.SSLError:
        return "OpenSSL knows no such cipher; see the list: openssl ciphers -v"
    return ""


def problems(config: Config) -> Iterator[Finding]:
    """Yield what keeps OpenSSL from using the certificates and keys of the sites."""
    if wrong := cipher_problem(config.tls):
        yield ("tls", "ciphers"), wrong
        return
    for index, site in enumerate(config.site):
        if site.certificate:
            try:
                open_context(site, config.tls)
            except CertificateError as error:
                key = error.key if getattr(site, error.key) else "certificate"
                yield ("site", index, key), error.wrong


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what clients will not like about certificates that OpenSSL can use."""
    for index, site in enumerate(config.site):
        with suppress(CertificateError, ssl.SSLError):  # those are problems, told above
            if site.certificate:
                context = open_context(site, config.tls)
                for complaint in _complaints(site, context, site.certificate):
                    yield ("site", index, "certificate"), complaint


def _new_context(settings: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    # A renegotiation costs the server ten times what it costs the client (CVE-2011-1473).
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    if settings.ciphers:
        context.set_ciphers(settings.ciphers)
    return context


def _files(site: Site) -> tuple[Path, Path]:
    if site.certificate is None:
        raise CertificateError("certificate", "missing")
    return site.certificate, site.key or site.certificate


def _check_text(file: Path, key: Literal["certificate", "key"], mark: bytes) -> None:
    try:
        text = file.read_bytes()
    except OSError as error:
        who = " (a key is for root alone, so test as root)" if os.geteuid() else ""
        hint = who if isinstance(error, PermissionError) else "; write the path of a PEM file"
        raise CertificateError(key, f"{file}: {describe(error)}{hint}") from None
    if mark not in text:
        what = "certificate" if b"CERTIFICATE" in mark else "private key"
        is_both = key == "certificate" and what == "private key"  # there is no `key`
        hint = 'write key = "FILE.pem"' if is_both else "write the path of a PEM file"
        raise CertificateError(key, f"{file} has no {what} in it; {hint}")


def _ask_for_password() -> str:
    raise _Encrypted  # without this OpenSSL would ask at the terminal, and wait


def _in_words(error: ssl.SSLError, certificate: Path, key: Path) -> CertificateError:
    match error.reason:
        case "KEY_VALUES_MISMATCH" | "KEY_TYPE_MISMATCH":
            wrong = f"the key in {key} is not that of the certificate in {certificate}"
            return CertificateError("key", f"{wrong}; write the one that it was made with")
        case "EE_KEY_TOO_SMALL" | "CA_KEY_TOO_SMALL" | "CA_MD_TOO_WEAK" | "DH_KEY_TOO_SMALL":
            wrong = f"{certificate} is too weak for OpenSSL: {error.reason}"
            return CertificateError("certificate", f"{wrong}; get one with a larger key")
        case reason:
            wrong = f"OpenSSL cannot read {certificate} and {key}: {reason or error}"
            return CertificateError("certificate", wrong)


def _complaints(site: Site, server: ssl.SSLContext, certificate: Path) -> Iterator[str]:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        seen = _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        yield _COMPLAINTS.get(error.verify_code, f"clients will refuse it: {error.verify_message}")
        return
    except ssl.SSLError as error:
        yield f"a client could not agree with it: {error.reason}"
        return
    covered = {name.lower() for kind, name in seen.get("subjectAltName", ()) if kind == "DNS"}
    for name in site.names:
        if not name.startswith("[") and not _covers(covered, name) and not _is_number(name):
            yield f'it is not for "{name}", a name of this site, so that browsers refuse it there'


def _covers(covered: set[str], name: str) -> bool:
    return name in covered or "*." + name.partition(".")[2] in covered


def _is_number(name: str) -> bool:
    return name.replace(".", "").isdecimal()


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """Return the certificate as the client sees it.  Raises SSLError as the client would."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for _ in range(_ROUNDS):
        for end in (theirs, ours):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return theirs.getpeercert() or {}
