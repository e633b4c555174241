"""[[listen]]: where clients come in, and [tls]: what is agreed to with those that speak it."""

from dataclasses import dataclass, field
from typing import Literal

from forkhttpd.config.names import Account, SocketMode
from forkhttpd.config.schema import CLOSED, described, option
from forkhttpd.config.values import Count, Flag, ListenAddress, PortNumber


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """[[listen]]: one listening socket."""

    __pydantic_config__ = CLOSED

    address: ListenAddress = field(
        metadata=described(
            '"127.0.0.1:8000", "[::]:80", "*:80", "unix:/run/x.sock" or "systemd:NAME"'
        )
    )
    backlog: Count = option(1024, "connections that the kernel keeps waiting for accept")
    proxy_protocol: Flag = option(
        False, "connections begin with a PROXY header (v1 or v2) of one of trusted_proxies"
    )
    tls: Flag = option(False, "clients speak TLS (https) here, with the certificates of the sites")
    redirect_to_https: PortNumber = option(
        0, "port of https that all but ACME challenges are sent to, as in 443; 0 answers them"
    )
    mode: SocketMode = option("666", "who may connect to a Unix socket, octal")
    owner: Account = option("", 'user that owns a Unix socket; "" is who starts the server')
    group: Account = option("", 'group that owns a Unix socket; "" means the owner\'s own')


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """[tls]: what is agreed to with clients of listeners that speak TLS."""

    __pydantic_config__ = CLOSED

    minimum_version: Literal["1.2", "1.3"] = option(
        "1.2", 'oldest version of TLS that we speak: "1.2" or "1.3"'
    )
    ciphers: str = option(
        "", 'ciphers of TLS 1.2, a list as OpenSSL spells it; "" is Python\'s own'
    )
    kernel: Flag = option(
        False, "the kernel encrypts what is sent, where it can, with Python 3.12 or newer"
    )
