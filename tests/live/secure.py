"""A daemon that speaks TLS, with a plain listener beside it, and clients for it."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from tests.live.client import Client
from tests.live.daemon import DEADLINE, Daemon, daemon
from tests.tls.authority import Pair, make_pair

CONFIG = """\
workers = 2
pid_file = "forkhttpd.pid"
request_id = true

[[listen]]
address = "127.0.0.1:0"
tls = true

[[listen]]
address = "127.0.0.2:0"
redirect_to_https = 443

[log]
access = "access.log"
format = "json"

[[site]]
names = ["one.example", "*.one.example"]
certificate = "one.pem"
key = "one.key"

[[site.mount]]
path = "/"
docroot = "www"

[[site.mount]]
path = "/cgi-bin/"
cgi = "cgi-bin"
disconnect_grace = "100ms"

[[site.mount]]
path = "/.well-known/acme-challenge/"
docroot = "acme"

[[site]]
names = ["two.example"]
certificate = "two.pem"
key = "two.key"

[[site.mount]]
docroot = "two"
"""


@dataclass(frozen=True, slots=True)
class Secure:
    """The daemon, and the certificates of its two sites."""

    running: Daemon
    one: Pair
    two: Pair

    @property
    def port(self) -> int:
        return int(re.findall(r"listening on https://127.0.0.1:([0-9]+)/", self.running.log)[0])

    @property
    def plain_port(self) -> int:
        return int(re.findall(r"listening on http://127.0.0.2:([0-9]+)/", self.running.log)[0])

    def raw(self) -> socket.socket:
        """Connect to the port of TLS and say nothing; the caller closes it."""
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def connect(
        self,
        name: str = "www.one.example",
        *,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """Connect and shake hands, as a client that looks at the certificate."""
        pair = self.two if name == "two.example" else self.one
        context = context or pair.client()
        return context.wrap_socket(
            self.raw(), server_hostname=name, session=session, suppress_ragged_eofs=False
        )

    def client(self, name: str = "www.one.example") -> Client:
        return Client(self.connect(name))


@contextlib.contextmanager
def secure(config: str = CONFIG, *, user: str = "") -> Iterator[Secure]:
    """Run the daemon; with `user` it serves as that user, and the keys are for root alone."""
    text = f'user = "{user}"\n{config}' if user else config
    with daemon(text, start=False) as running:
        one = make_pair(running.directory, "one", "one.example", "*.one.example")
        two = make_pair(running.directory, "two", "two.example")
        running.write("www/index.html", "one")
        running.write("two/index.html", "two")
        running.write("acme/token", "challenge")
        running.start()
        yield Secure(running, one, two)
