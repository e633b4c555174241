"""What comes before a connection is served: the word of a proxy, and whether there is room.

The header of the PROXY protocol is looked at (MSG_PEEK) until it is complete, and then exactly it
is taken, so what follows is found by whoever serves the connection as if it had come first, TLS or
not.  It has to be there within the time that a request's header has.
"""

import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace

from forkhttpd.access import proxyheader
from forkhttpd.access.proxyheader import ProxyHeader, ProxyHeaderError
from forkhttpd.http1.request import Endpoint, Request
from forkhttpd.loop import DeadlineExceeded, Disconnected, Loop, Port, Task
from forkhttpd.worker.context import Context
from forkhttpd.worker.entrance import Entrance
from forkhttpd.worker.headcount import Headcount
from forkhttpd.worker.notice import Notice

Serve = Callable[[Entrance, socket.SocketType, Endpoint], Coroutine[None, None, None]]
"""Serves a connection of a client to its end, and closes the socket."""


class Reception:
    """Receives the connections of a worker, where there is anything to do for them."""

    __slots__ = ("_context", "_headcount", "_loop", "_notice", "_serve")

    def __init__(self, context: Context, *, headcount: Headcount | None, serve: Serve) -> None:
        self._context = context
        self._loop = context.loop
        self._headcount = headcount
        self._serve = serve
        self._notice = Notice("PROXY header refused", loop=context.loop, log=context.log)

    def is_due(self, entrance: Entrance) -> bool:
        """Whether connections of an entrance come through here."""
        return entrance.is_proxied or self._headcount is not None

    async def receive(
        self, entrance: Entrance, connected: socket.SocketType, client: Endpoint
    ) -> None:
        """Serve a connection, or close it."""
        if entrance.is_proxied:
            header = await self._hear(connected, client)
            if header is None:
                connected.close()
                return
            client = header.client or client
            entrance = replace(
                entrance,
                server=header.server or entrance.server,
                is_nameless=header.client is None,
            )
        if self._headcount is None:
            await self._serve(entrance, connected, client)
        elif self._headcount.enter(client.host):
            try:
                await self._serve(entrance, connected, client)
            finally:
                self._headcount.leave(client.host)
        else:
            connected.close()

    async def _hear(self, connected: socket.SocketType, peer: Endpoint) -> ProxyHeader | None:
        """Take the header; None when there is none, or when nobody may speak for others here."""
        context = self._context
        if context.proxies is None or not context.proxies.trust(peer.host):
            self._notice.tell(f"{peer.host or 'a Unix socket'} is none of trusted_proxies")
            return None
        arrival = _Arrival(self._loop)
        context.connections.add(arrival)
        patience = min(context.timeouts.header, context.patience)
        try:
            return await _take_header(self._loop, connected, self._loop.now + patience)
        except ProxyHeaderError as error:
            self._notice.tell(f"{peer.host or 'a Unix socket'} sent none: {error}")
        except (DeadlineExceeded, Disconnected) as error:
            host = peer.host or "a Unix socket"
            context.log.debug("no PROXY header of %s: %s", host, type(error).__name__)
        finally:
            context.connections.discard(arrival)
        return None


class _Arrival:
    """A connection that is not one yet: the worker counts it, and waits for it when it drains."""

    __slots__ = ("_loop", "_task")

    request: Request | None = None

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._task: Task = loop.current

    def retire(self, patience: float) -> None:
        """Wait no longer than `patience` seconds for the header."""
        self._task.hurry(self._loop.now + patience)


async def _take_header(loop: Loop, connected: socket.SocketType, deadline: float) -> ProxyHeader:
    """Take exactly the header.  Raises ProxyHeaderError, DeadlineExceeded, Disconnected."""
    port = Port(loop, connected.fileno())
    try:
        while True:
            await port.readable(deadline)
            try:
                data = connected.recv(proxyheader.LONGEST, socket.MSG_PEEK)
            except BlockingIOError:
                port.can_read = False
                continue
            except OSError as error:
                raise Disconnected from error
            header = proxyheader.parse(data)
            if header is not None:
                connected.recv(header.length)
                return header
            if not data or port.hung_up:  # nothing more can come to it
                raise Disconnected
            port.can_read = False  # what comes later is another edge, read or not
    finally:
        port.release()
