"""Requests that came over the wrong connection, RFC 9110 §7.4.

What is asked for by https has to come over a connection that is secured for its host: not over a
plain one, and not over one that began with the certificate of another site, which says nothing of
this host.  A client that is told 421 may ask again over a connection of its own.

A trusted proxy speaks for many hosts over one connection, and the RFC excepts it: where an operator
has named such proxies, only the scheme counts, and that as the proxy says it.
"""

from forkhttpd.config import Config
from forkhttpd.hosts import Hosts
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request


class Misdirection:
    """Refuses such requests.  To be asked where the target is absolute or there is TLS."""

    __slots__ = ("_certificates", "asks_for_names")

    def __init__(self, config: Config) -> None:
        sites = [site for site in config.site if site.certificate]
        # Whether the same request may be right over one secured connection and wrong over another.
        self.asks_for_names = (
            len({site.certificate for site in sites}) > 1 and not config.trusted_proxies
        )
        self._certificates = Hosts(sites[0].certificate if sites else None)
        if not config.trusted_proxies:
            for site in sites:
                for name in site.names:
                    self._certificates.add(name, site.certificate)

    def refuse(self, request: Request) -> None:
        """Raise HTTPError 421 if the request is one."""
        target, hop, host = request.line.target, request.hop, request.section.host
        if target.scheme == "https" != hop.scheme:
            raise HTTPError(421, f"{target.raw}: asked for over {hop.scheme}")
        name = hop.encryption.server_name if hop.encryption is not None else ""
        if not name or not host or name == host:
            return
        find = self._certificates.find
        if find(name.lower()) != find(host):
            raise HTTPError(421, f"{host}: asked for over a connection to {name}")
