"""What a listener makes of the connections that come in by it."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from forkhttpd import kerneltls
from forkhttpd.http1.request import Endpoint, Request
from forkhttpd.http1.response import Proof, Response
from forkhttpd.inheritance import Listening
from forkhttpd.loop import ByteStream, KernelTLSStream, Loop, Stream, TLSStream
from forkhttpd.worker.acceptor import endpoint
from forkhttpd.worker.answers import Answers
from forkhttpd.worker.context import Context
from forkhttpd.worker.httpsredirect import HTTPSRedirect
from forkhttpd.worker.router import Router

Respond = Callable[[Request], Awaitable[Response]]
Prove = Callable[[Request, Response], Proof | None]


def _prove_nothing(_request: Request, _response: Response) -> Proof | None:
    """There is no answer that would be the same the next time."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """server: our end of it; respond: who answers; tls: what its connections are encrypted with,
    in_kernel: by the kernel; is_proxied: they begin with a header of the PROXY protocol;
    is_nameless: it did not say who the client is, so that what the request says of that is not
    known to be a proxy's word.

    prove: who tells what an answer rests on (`Router.proof`); answers: the known ones.
    """

    server: Endpoint
    respond: Respond
    tls: ssl.SSLContext | None = None
    in_kernel: bool = False
    is_proxied: bool = False
    is_nameless: bool = False
    prove: Prove = _prove_nothing
    answers: Answers = field(default_factory=Answers)

    def stream(self, loop: Loop, connected: socket.SocketType) -> ByteStream:
        """Return what a connection that came in here is served over."""
        if self.tls is None:
            return Stream(loop, connected)
        kind = KernelTLSStream if self.in_kernel else TLSStream
        return kind(loop, connected, self.tls)


def open_entrance(
    listening: Listening, router: Router, context: Context, *, tls: ssl.SSLContext | None
) -> Entrance:
    """Return the entrance that a listener is; `tls` is of those that speak it.

    Answers are known where a request is no more than its bytes, and who connects is who asks.  With
    several certificates it is more over TLS: the name that the connection began with counts (421).
    """
    listen = listening.listen
    to_https = listen.redirect_to_https
    is_known = context.proxies is None and not (to_https or (listen.tls and router.asks_for_names))
    known = context.answers_over_tls if listen.tls else context.answers
    return Entrance(
        server=endpoint(listening.socket.getsockname()),
        respond=HTTPSRedirect(router, to_https).respond if to_https else router.respond,
        tls=tls if listen.tls else None,
        in_kernel=kerneltls.is_used(tls) and listening.socket.family != socket.AF_UNIX,
        is_proxied=listen.proxy_protocol,
        prove=router.proof if is_known else _prove_nothing,
        answers=known if is_known else Answers(),
    )
