"""What a generation speaks TLS with: the certificates of its sites, picked by server name (SNI).

All of it is read once per generation, by the master and with the master's rights, and reaches the
workers through the fork: a worker that is respawned an hour later has the same certificates as its
siblings, a key need be readable to root alone, and all workers take each other's session tickets,
whose key is made here.  A spawner execs another program image, in which none of it is left.
"""

import ssl

from forkhttpd.config import Config
from forkhttpd.config.certificates import CertificateError, open_context
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.hosts import Hosts


def open_contexts(config: Config) -> ssl.SSLContext | None:
    """Return the context that connections begin with; None if no listener speaks TLS.

    It has the certificate of the first site that has one, for clients that name no site or one
    without.  Raises StartupError(CONFIG).
    """
    if not any(listen.tls for listen in config.listen):
        return None
    try:
        contexts = [(s, open_context(s, config.tls)) for s in config.site if s.certificate]
    except CertificateError as error:
        raise StartupError(error.wrong, exit_code=ExitCode.CONFIG) from None
    first = contexts[0][1]
    by_name = Hosts(first)
    for site, context in contexts:
        for name in site.names:
            by_name.add(name, context)

    def pick(
        connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> None:
        if name is not None:
            connection.server_name = name  # type: ignore[union-attr]
            connection.context = by_name.find(name.lower())

    first.sni_callback = pick
    return first
