"""Certificates for tests, made on the spot with openssl, each its own authority."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.programs.peers import need


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path

    def client(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this certificate alone."""
        return ssl.create_default_context(cafile=self.certificate)


def make_pair(
    directory: Path,
    stem: str,
    *names: str,
    days: int = 30,
    password: str = "",
    extension: str = "",
) -> Pair:
    """Make STEM.pem and STEM.key, for host names, good for so many days."""
    openssl = need("openssl", package="openssl")
    pair = Pair(directory / f"{stem}.pem", directory / f"{stem}.key")
    request = directory / f"{stem}.csr"
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    alternatives = ",".join(f"DNS:{name}" for name in names)
    added = [f"subjectAltName={alternatives}", *([extension] if extension else [])]
    _run(
        openssl,
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *(*secret, "-keyout", pair.key, "-out", request, "-subj", "/CN=forkhttpd test"),
        *(word for each in added for word in ("-addext", each)),
    )
    _run(
        openssl,
        *("x509", "-req", "-in", request, "-signkey", pair.key, "-out", pair.certificate),
        *("-days", str(days), "-copy_extensions", "copy"),
        *(["-passin", f"pass:{password}"] if password else []),
    )
    pair.key.chmod(0o600)
    return pair


def _run(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
