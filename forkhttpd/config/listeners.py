"""[[listen]]: where clients come in, and [tls]: what is agreed to with those that speak it."""

from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from forkhttpd.config.names import Account, SocketMode
from forkhttpd.config.values import Count, Flag, ListenAddress, PortNumber

_CONFIG = ConfigDict(extra="forbid")


def _field(default: Any, description: str) -> Any:
    return Field(default=default, description=description)


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Listen:
    """[[listen]]: one listening socket."""

    address: ListenAddress = Field(
        description='"127.0.0.1:8000", "[::]:80", "*:80", "unix:/run/x.sock" or "systemd:NAME"'
    )
    backlog: Count = _field(1024, "connections that the kernel keeps waiting for accept")
    proxy_protocol: Flag = _field(
        False, "connections begin with a PROXY header (v1 or v2) of one of trusted_proxies"
    )
    tls: Flag = _field(False, "clients speak TLS (https) here, with the certificates of the sites")
    redirect_to_https: PortNumber = _field(
        0, "port of https that all but ACME challenges are sent to, as in 443; 0 answers them"
    )
    mode: SocketMode = _field("666", "who may connect to a Unix socket, octal")
    owner: Account = _field("", 'user that owns a Unix socket; "" is who starts the server')
    group: Account = _field("", 'group that owns a Unix socket; "" means the owner\'s own')


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Tls:
    """[tls]: what is agreed to with clients of listeners that speak TLS."""

    minimum_version: Literal["1.2", "1.3"] = _field(
        "1.2", 'oldest version of TLS that we speak: "1.2" or "1.3"'
    )
    ciphers: str = _field(
        "", 'ciphers of TLS 1.2, a list as OpenSSL spells it; "" is Python\'s own'
    )
    kernel: Flag = _field(
        False, "the kernel encrypts what is sent, where it can, with Python 3.12 or newer"
    )
