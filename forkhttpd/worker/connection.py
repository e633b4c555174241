"""One connection, from accept to close: read a request, respond, send, log, again or close.

The state of a connection is where its coroutine stands; there is nothing else to get out of step.
Requests are answered one at a time and in order; what a client sends ahead waits in the parser
and then in the socket.

A client that leaves while its request is being answered cancels the coroutine, and closing the
response ends whatever was working for it.  A reset counts at once.  A FIN may also be a client
that has only finished sending, so it counts after a grace; a closed browser tab is one.
"""

import logging
from dataclasses import replace

from forkhttpd.http1.errors import Elsewhere, HTTPError
from forkhttpd.http1.parser import Parser
from forkhttpd.http1.request import (
    NO_BODY,
    Encryption,
    HeaderSection,
    Hop,
    Request,
    RequestBody,
    RequestLine,
    Version,
)
from forkhttpd.http1.response import Response
from forkhttpd.http1.target import Target
from forkhttpd.loop import (
    FOREVER,
    ByteStream,
    Cancelled,
    DeadlineExceeded,
    Disconnected,
    HandshakeFailed,
    KernelTLSStream,
    NotEncrypted,
    Stream,
    Task,
    TLSStream,
)
from forkhttpd.worker.answers import with_id
from forkhttpd.worker.body import Body
from forkhttpd.worker.context import Context
from forkhttpd.worker.errorpage import error_response
from forkhttpd.worker.redirection import redirected
from forkhttpd.worker.sender import CutShort, Sender
from forkhttpd.worker.shortcut import Shortcut

CLIENT_LEFT = 499  # a status for the log alone, where others have it, too
LOCAL_REDIRECTS = 5  # after one another; more are a loop
FINISH_PATIENCE = 2.0  # seconds without input from a client that we have answered for good
FINISH_HASTE = 1.0  # the same while we drain: an idle server is gone within 2 s (M1)
FINISH_LONGEST = 15.0  # seconds for one that keeps sending what nobody wants


# What was answered when there is no telling what was asked.
_NO_LINE = RequestLine("", Target("", "", "", "", -1), Version.HTTP_1_1, "")

# Refusals that an operator may want to know the reason of; of the others there are too many.
_REFUSALS = {400: logging.INFO, 403: logging.WARNING, 413: logging.INFO}


async def serve(context: Context, shortcut: Shortcut) -> None:
    """Serve a client to the end, and close its socket."""
    if shortcut.entrance.tls is not None or not await shortcut.wait():
        await Connection(context, shortcut).serve()


class Connection:
    """A client's connection.  `serve` is its whole life; it closes the socket."""

    __slots__ = (
        "_context",
        "_grace",
        "_hop",
        "_loop",
        "_parser",
        "_proxies",
        "_respond_to",
        "_sender",
        "_shortcut",
        "_stream",
        "_task",
        "request",
    )

    def __init__(self, context: Context, shortcut: Shortcut) -> None:
        client, entrance = shortcut.client, shortcut.entrance
        self._context = context
        self._loop = context.loop
        self._respond_to = entrance.respond
        self._shortcut = shortcut
        self._stream: ByteStream = shortcut.stream
        self._parser = Parser(context.memory.limits, context.memory)
        self._sender = self._make_sender()
        self._hop = Hop(
            client,
            entrance.server,
            scheme="http" if entrance.tls is None else "https",
            name=shortcut.name,
            watch_client=self._watch_client,
        )
        shortcut.hop = self._hop
        proxies = None if entrance.is_nameless else context.proxies
        self._proxies = proxies if proxies is not None and proxies.trust(client.host) else None
        self.request: Request | None = None  # the one being answered
        self._grace = FOREVER  # seconds that a client which sends no more may still listen
        self._task: Task
        self._stream.port.on_hangup = self._note_hangup

    async def serve(self) -> None:
        """Answer requests until one side is done."""
        self._task = self._loop.current
        self._context.connections.add(self)
        try:
            if isinstance(self._stream, Stream) or await self._secure(self._stream):
                while await self._serve_one():
                    pass
            patience = FINISH_HASTE if self._context.draining else FINISH_PATIENCE
            await self._stream.finish(patience, FINISH_LONGEST, is_last=self._shortcut.is_last)
        except (CutShort, DeadlineExceeded):
            self._stream.abort()
        except Disconnected:
            pass
        except Exception:
            self._context.log.exception("%s: connection failed", self._hop.name)
            self._stream.abort()  # nobody knows what the client has got so far
        finally:
            self._context.connections.discard(self)
            self._stream.close()

    def retire(self, patience: float) -> None:
        """Serve no more than the request at hand, or one that comes within `patience` seconds."""
        if self.request is None and not self._parser.started and not self._shortcut.has_left:
            self._task.hurry(self._loop.now + patience)

    def _make_sender(self) -> Sender:
        context = self._context
        return Sender(
            self._stream, patience=context.timeouts.write, server=context.server, log=context.log
        )

    async def _secure(self, stream: TLSStream | KernelTLSStream) -> bool:
        """Shake hands; False when there will be nothing to say under TLS."""
        patience = min(self._context.timeouts.handshake, self._context.patience)
        try:
            await stream.handshake(self._loop.now + patience)
        except NotEncrypted:
            self._stream = stream.wire
            self._sender = self._make_sender()
            await self._refuse(_not_https())
            return False
        except HandshakeFailed as error:
            host = self._hop.client.host or "-"
            self._context.log.info("%s: no TLS with %s: %s", self._hop.name, host, error)
            return False
        encryption = Encryption(stream.protocol, stream.cipher, stream.server_name)
        self._hop = self._shortcut.hop = replace(self._hop, encryption=encryption)
        return True

    async def _serve_one(self) -> bool:
        """Answer one request; False when it was the last."""
        try:
            head = await self._next_head()
        except HTTPError as error:
            await self._refuse(error)
            return False
        if head is None:
            return False
        request = self.request = self._make_request(*head)
        self._context.active += 1
        try:
            response = await self._respond(request)
            try:
                return await self._answer(request, response)
            finally:
                if response.rendered is None:  # else it was in memory, and nothing is held
                    await response.close()
        finally:
            self._context.active -= 1
            self.request = None
            self._grace = FOREVER

    async def _next_head(self) -> tuple[RequestLine, HeaderSection] | None:
        """Return the next request's head, None when the client wants no more."""
        parser, timeouts = self._parser, self._context.timeouts
        head = parser.next_request() if parser.buffered else None
        header_until = 0.0
        while head is None:
            started = parser.buffered and parser.started
            if not started:
                deadline = self._loop.now + self._context.patience
            elif not header_until:  # absolute, from the first byte on (H9)
                deadline = header_until = self._loop.now + timeouts.header
            try:
                data = await self._receive(deadline)
            except DeadlineExceeded:
                if not started:
                    return None
                raise HTTPError(408, "the header stopped coming", close=True) from None
            if data is None:
                continue
            if not data:
                return None
            parser.feed(data)
            head = parser.next_request()
        return head

    async def _receive(self, deadline: float) -> bytes | None:
        """Receive; None when the shortcut has answered what came.  It knows whole requests only."""
        stream = self._stream
        if self._parser.buffered:
            return await stream.receive(deadline)
        data = await stream.receive_unless(self._shortcut.take, deadline)
        if not data and self._shortcut.has_left:
            await self._shortcut.finish(self._sender)
            return b"" if self._shortcut.is_last else None
        return data

    def _make_request(self, line: RequestLine, section: HeaderSection) -> Request:
        self._shortcut.count += 1
        body = NO_BODY if section.length == 0 else self._make_body(section)
        return Request(
            line,
            section,
            hop=self._hop,
            number=self._shortcut.count,
            received=self._loop.now,
            body=body,
        )

    def _make_body(self, section: HeaderSection) -> RequestBody:
        return Body(
            section,
            parser=self._parser,
            stream=self._stream,
            loop=self._loop,
            limit=self._context.limits.body,
            patience=self._context.timeouts.body,
            rate=self._context.limits.body_rate,
        )

    async def _respond(self, request: Request) -> Response:
        try:
            if self._proxies is not None:
                request.hop = self._proxies.look_behind(self._hop, request.fields)
            if self._context.pace is not None:
                self._context.pace.keep(request)
            length = request.section.length
            if length is not None and length > self._context.limits.body:
                raise HTTPError(413, f"a body of {length} bytes is announced", close=True)
            return await self._answer_of(request)
        except HTTPError as error:
            self._log_refusal(request, error)
            return self._context.refuse(request, error)
        except (Cancelled, Disconnected):
            self._context.count(request, CLIENT_LEFT, 0)
            raise
        except Exception:
            self._context.log.exception("%s: %s failed", request.id, request.line.text)
            return self._context.refuse(request, HTTPError(500))

    async def _answer_of(self, request: Request) -> Response:
        """Have the request answered, by another path where its own says so (RFC 3875 §6.2.2)."""
        asked = request
        for number in range(1, LOCAL_REDIRECTS + 2):
            try:
                return await self._respond_to(asked)
            except Elsewhere as redirect:
                target = redirect.target
            finally:
                request.account = asked.account or request.account
            asked = redirected(request, target, number=number)
        raise HTTPError(502, f"{asked.path}: redirected inside more than {LOCAL_REDIRECTS} times")

    async def _answer(self, request: Request, response: Response) -> bool:
        """Send and log the response; False when the connection ends with it."""
        context, body = self._context, request.body
        keep_alive = request.section.keep_alive and not context.draining and body.can_be_discarded
        self._shortcut.learn(request, response)
        if context.names_answers:
            response = with_id(response, request.id)
        try:
            stays = await self._sender.send(
                response, request.line, context.date, keep_alive=keep_alive
            )
        finally:
            context.count(request, response.status, self._sender.sent)
        self._shortcut.is_last = body is NO_BODY and not request.section.keep_alive
        return stays and (body is NO_BODY or await body.discard())

    async def _refuse(self, error: HTTPError) -> None:
        """Answer what could not be read as a request."""
        context, name = self._context, self._hop.name
        context.log.info("%s: refused: %d %s", name, error.status, error.reason)
        response = error_response(error, id=name)
        try:
            await self._sender.send(response, _NO_LINE, context.date, keep_alive=False)
        finally:
            context.count_refused(self._hop.client, response.status, self._sender.sent)

    def _log_refusal(self, request: Request, error: HTTPError) -> None:
        level = logging.ERROR if error.status >= 500 else _REFUSALS.get(error.status, logging.DEBUG)
        if not self._context.log.isEnabledFor(level):
            return
        self._context.log.log(
            level, "%s: %s: %d %s", request.id, request.line.text, error.status, error.reason
        )

    def _watch_client(self, grace: float) -> None:
        """Be told when the client leaves, and hear what was told already; see `Hop`."""
        self._grace = grace
        self._stream.port.watch()
        if self._stream.port.hung_up:
            self._note_hangup()

    def _note_hangup(self) -> None:
        if self.request is None:
            return
        if self._stream.is_reset():
            self._task.cancel()
        elif self._grace < FOREVER:
            self._loop.spawn(self._cancel_after_grace(self.request))

    async def _cancel_after_grace(self, request: Request) -> None:
        await self._loop.sleep(self._loop.now + self._grace)
        if self.request is request and self._has_left(request):
            self._task.cancel()

    def _has_left(self, request: Request) -> bool:
        """Whether a client is gone that sends no more.

        What is left to read may be its next request.  It may also be a body that a program does not
        take, and that says nothing of whether anybody is there (H10).
        """
        if request.body.is_read:
            return self._stream.has_left()
        return self._stream.has_finished()


def _not_https() -> HTTPError:
    error = HTTPError(400, "plain HTTP where TLS is spoken", close=True)
    error.details = (("This port speaks https", "Write https:// instead of http:// there."),)
    return error
