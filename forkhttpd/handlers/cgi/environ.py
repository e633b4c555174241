"""A request as the environment of a program (RFC 3875 §4).

Nothing is inherited: a program sees exactly what is built here.  What a client may not choose, it
cannot spell either: only HTTP_* variables come from fields, and fields whose names have an
underscore never get past the parser, so no other spelling of a name leads to the same variable.

Values are bytes: what came over the wire arrives as it was sent, whatever its encoding.
"""

import os
from dataclasses import dataclass
from typing import NamedTuple

from forkhttpd.config import Mount
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Encryption, Request, Version

# Never passed on as HTTP_*:
_WITHHELD = frozenset(
    {
        "proxy",  # becomes HTTP_PROXY, which HTTP clients obey (CVE-2016-5385, "httpoxy")
        "content-length",  # has its own variable, which counts what really comes
        "content-type",
        "x-request-id",  # what the request is called here, whatever its client says
        "authorization",  # a password is for a program only where the operator says so
        "proxy-authorization",
        "connection",  # between the client and us (RFC 9110 §7.6.1)
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)


class Script(NamedTuple):
    """A program and the part of the path that names it.

    file: its name in the file system, absolute; name: the path that leads to it, as decoded
    (SCRIPT_NAME); path_info: the rest, "" or beginning with "/"; directory: to run in;
    root: the directory that PATH_INFO is translated below (DOCUMENT_ROOT), "" when there is none;
    interpreter: the program that runs it, "" when it runs by itself.
    """

    file: str
    name: str
    path_info: str
    directory: str
    root: str
    interpreter: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """What programs are told of their server.

    software: SERVER_SOFTWARE; root: the site's directory of files, below which PATH_INFO is
    translated (DOCUMENT_ROOT), "" without one; admin: SERVER_ADMIN, "" without one.
    """

    software: str
    root: str
    admin: str


def build(
    request: Request,
    script: Script,
    *,
    body_length: int,
    server: Server,
    mount: Mount,
    search_path: str,
) -> dict[bytes, bytes]:
    """Return the variables; those of the mount are the operator's own and win over all others."""
    env = _server_variables(request, server)
    env |= _script_variables(script)
    env |= _request_variables(request, body_length)
    env[b"PATH"] = os.fsencode(search_path)
    env |= _field_variables(request.section.fields)
    login = request.section.fields.get("authorization")
    if mount.pass_authorization and login is not None:
        env[b"HTTP_AUTHORIZATION"] = _wire(login)
    env |= {name.encode(): os.fsencode(value) for name, value in mount.env.items()}
    return env


def _server_variables(request: Request, server: Server) -> dict[bytes, bytes]:
    name = _wire(request.id)
    host = request.section.host or _bracketed(request.hop.server.host) or "localhost"
    env = {
        b"UNIQUE_ID": name,
        b"GATEWAY_INTERFACE": b"CGI/1.1",
        b"SERVER_SOFTWARE": _wire(server.software),
        b"SERVER_NAME": _wire(host),
        b"SERVER_ADDR": _wire(request.hop.server.host),
        b"SERVER_PORT": b"%d" % request.hop.server.port,
        b"REMOTE_ADDR": _wire(request.hop.client.host),
        b"REMOTE_PORT": b"%d" % request.hop.client.port,
        b"REQUEST_SCHEME": _wire(request.hop.scheme),
        b"HTTP_X_REQUEST_ID": name,
        b"REDIRECT_STATUS": b"200",  # php-cgi runs only for a server that sets it
    }
    if request.hop.scheme == "https":
        env[b"HTTPS"] = b"on"
    if (encryption := request.hop.encryption) is not None:
        env |= _encryption_variables(encryption)
    if request.user:
        env[b"AUTH_TYPE"] = b"Basic"
        env[b"REMOTE_USER"] = _wire(request.user)
    if server.admin:
        env[b"SERVER_ADMIN"] = os.fsencode(server.admin)
    return env


def _encryption_variables(encryption: Encryption) -> dict[bytes, bytes]:
    """Return what scripts know from Apache's `SSLOptions +StdEnvVars`, as far as they use it."""
    env = {
        b"SSL_PROTOCOL": _wire(encryption.protocol),
        b"SSL_CIPHER": _wire(encryption.cipher),
    }
    if encryption.server_name:
        env[b"SSL_TLS_SNI"] = _wire(encryption.server_name)
    return env


def _script_variables(script: Script) -> dict[bytes, bytes]:
    env = {
        b"DOCUMENT_ROOT": os.fsencode(script.root),
        b"SCRIPT_NAME": os.fsencode(script.name),
        b"SCRIPT_FILENAME": os.fsencode(script.file),
    }
    if script.path_info:  # else absent, not empty (§4.1.5)
        env[b"PATH_INFO"] = os.fsencode(script.path_info)
        env[b"PATH_TRANSLATED"] = os.fsencode(script.root + script.path_info)
    return env


def _request_variables(request: Request, body_length: int) -> dict[bytes, bytes]:
    line, section = request.line, request.section
    env = {
        b"SERVER_PROTOCOL": b"HTTP/1.0" if line.version is Version.HTTP_1_0 else b"HTTP/1.1",
        b"REQUEST_METHOD": _wire(line.method),
        b"REQUEST_URI": _wire(line.target.raw),
        b"QUERY_STRING": _wire(line.target.query),
    }
    if section.length != 0 or "content-length" in section.fields:
        env[b"CONTENT_LENGTH"] = b"%d" % body_length
    if (content_type := section.fields.get("content-type")) is not None:
        env[b"CONTENT_TYPE"] = _wire(content_type)
    return env


def _field_variables(fields: Fields) -> dict[bytes, bytes]:
    """Return the HTTP_* variables; repeated fields are joined (§4.1.18, RFC 9110 §5.3)."""
    env: dict[bytes, bytes] = {}
    for name, text in fields:
        if name in _WITHHELD:
            continue
        variable = b"HTTP_" + name.upper().replace("-", "_").encode()
        value = _wire(text)
        if variable in env:
            separator = b"; " if name == "cookie" else b", "
            value = env[variable] + separator + value
        env[variable] = value
    return env


def _wire(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
