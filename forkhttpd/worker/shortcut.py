"""The short way of a request that was answered before: one call from its edge to its answer.

The connection's coroutine sleeps on meanwhile, and does not even exist for a client that sends such
a request with `Connection: close`.  Whatever is not known, byte for byte, is given back to it, and
so is what remains to be done: a rest to send, the end of the connection.

What it saves, in µs of the worker's CPU for a request, system calls included (Python 3.11, 32
connections, an access log, a busy 2-core machine):

                                the long way    the short one
    1 KB, keep-alive                    14.8              4.7
    1 KB, Connection: close             48.4             20.8    of which 9.4 are the kernel's
    404                                 62.6              6.0

A file from the disk is opened by its name and known by its identity: six system calls, as many as
nginx makes.  To keep its descriptor would save one of them, and pin what was deleted.
"""

import os
import socket
from dataclasses import replace
from typing import Final

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Endpoint, Hop, Request, RequestLine
from forkhttpd.http1.response import Bytes, Empty, FileSlice, Proof, Rendered, Response
from forkhttpd.loop import ASLEEP, AWAKE, ByteStream, DeadlineExceeded, Disconnected, Task
from forkhttpd.worker import accesslog
from forkhttpd.worker.answers import CRLF, VERSION_BYTES, Answer, Kind, Named, Page, Unsent, with_id
from forkhttpd.worker.context import Context
from forkhttpd.worker.entrance import Entrance
from forkhttpd.worker.sender import Sender, redated, render

_LEARNED: Final = (200, 206, 304, 404)


class Shortcut:
    """The short way of one connection.

    count: requests of it so far, on either way; is_last: the last one was,
    as the client said itself; hop: as the Connection has it, None before there is one.
    """

    __slots__ = (
        "_asked",
        "_asked_at",
        "_context",
        "_id",
        "_kinds",
        "_task",
        "_unsent",
        "_who",
        "client",
        "count",
        "entrance",
        "hop",
        "is_last",
        "stream",
    )

    def __init__(
        self,
        context: Context,
        stream: ByteStream,
        entrance: Entrance,
        client: Endpoint,
        *,
        id: int,  # noqa: A002 - the field's term
    ) -> None:
        self.client = client
        self.count = 0
        self.hop: Hop | None = None
        self.is_last = False
        self._id = id
        self.stream = stream
        self._asked = b""
        self._asked_at = -1
        self._context = context
        self.entrance = entrance
        self._kinds = entrance.answers.kinds
        self._task: Task
        self._unsent: Unsent | None = None
        self._who = accesslog.who(client)

    request: Request | None = None  # is what a Connection answers

    @property
    def name(self) -> str:
        """What the connection is called, here and in no other worker."""
        return f"{self._context.name}-{self._id:x}"

    def welcome(self) -> bool:
        """Answer what a new client has sent already; whether that was all, and it is gone."""
        return self.entrance.tls is None and self.take() == AWAKE and self._is_over()

    async def wait(self) -> bool:
        """Answer what is known until something else comes; whether that was all, and it is gone.

        What a Connection has for the rest, and not even needs for what is known, takes 6 of 72 µs
        of one whose request comes a moment after it was accepted; on a busy machine half are such.
        """
        stream, context = self.stream, self._context
        self._task = context.loop.current
        context.connections.add(self)
        data = None
        try:
            while data is None:
                deadline = context.loop.now + context.patience
                data = await stream.receive_unless(self.take, deadline)
        except DeadlineExceeded:
            data = b""  # as if it had left
        finally:
            context.connections.discard(self)
        stream.give_back(data)
        return self._is_over()

    def retire(self, patience: float) -> None:
        """Wait no longer than `patience` seconds for a request."""
        self._task.hurry(self._context.loop.now + patience)

    def take(self) -> float:
        """Answer what has come and return the new deadline (a `Taker`)."""
        stream, context = self.stream, self._context
        data = stream.receive_now()
        if data is None:
            return ASLEEP
        end = data.find(CRLF)
        kind = self._kinds.get(data[end - VERSION_BYTES :])
        if kind is not None:
            answer = kind.answers.get(data[:end])
            if answer is not None:
                if answer.part is not None:
                    fd = answer.proof.open()
                    if fd >= 0:
                        if self._may_ask():
                            return self._answer_by_file(kind, answer, answer.part, fd)
                        os.close(fd)
                elif answer.proof.holds() and self._may_ask():
                    return self._answer(kind, answer)
        self._asked = data
        self._asked_at = context.loop.turns
        stream.give_back(data)
        return AWAKE

    def _may_ask(self) -> bool:
        """Count a request where there is a rate, for 3 µs; whether it is in time.

        One that is not is refused by the long way.
        """
        pace = self._context.pace
        return pace is None or pace.allows(self.client.host)

    def _is_over(self) -> bool:
        """Close the connection if nothing can come of it any more; whether it is so."""
        if not self.is_last or self.has_left or self.stream.port.can_read:
            return False
        self.stream.close()
        return True

    async def finish(self, sender: Sender) -> None:
        """Send what `take` has left; raises as `Sender.send` does."""
        unsent, context = self._unsent, self._context
        sender.sent = 0 if unsent is None else unsent.sent
        context.active += 1
        try:
            if self.stream.is_sending:
                await self.stream.flush(context.timeouts.write)
            if unsent is not None:
                await sender.send_slice(*unsent.part)
        finally:
            context.active -= 1
            if unsent is not None:
                self._unsent = None
                os.close(unsent.part.fd)
                received = unsent.received
                self._count_part(unsent.kind, unsent.answer, sender.sent, received=received)

    @property
    def has_left(self) -> bool:
        """Whether there is something to `finish`."""
        return self._unsent is not None or self.stream.is_sending

    def learn(self, request: Request, response: Response) -> None:
        """Remember what is the answer to the data that `take` gave back last.

        Only what is answered at once: what is known of a file may be something else by now.
        """
        asked, self._asked = self._asked, b""
        context = self._context
        if not asked or self._asked_at != context.loop.turns or response.status not in _LEARNED:
            return
        proof, whence = self.entrance.prove(request, response), context.access_log.whence
        if proof is None or not proof.holds():
            return
        answer = self._make_answer(request, response, proof)
        if answer is not None:
            told = "" if whence is None else whence(request.section)
            self.entrance.answers.keep(asked, request, answer, told=told)

    def _make_answer(self, request: Request, response: Response, proof: Proof) -> Answer | None:
        part: FileSlice | None = None
        match response.body:
            case FileSlice(start=start, length=length):
                part = FileSlice(-1, start, length)
                response = Response(response.status, response.fields, part)
            case Bytes() | Empty():
                pass
            case _:
                return None
        line, keep_alive = request.line, request.section.keep_alive
        rendered = self._render(line, response, keep_alive=keep_alive)
        if response.status == 404 and not rendered.sent:
            return None  # HEAD: the length of what is not sent differs with the request's id
        times = (response.status == 404) + self._context.names_answers
        return Answer(
            line,
            response,
            proof,
            accesslog.what(line.text, response.status, rendered.sent),
            rendered.variant,
            named=Named(times) if times else None,
            part=part if rendered.sent else None,
        )

    def _answer(self, kind: Kind, answer: Answer) -> float:
        self.count += 1
        if answer.named is not None:
            return self._send(kind, answer, *self._rendered_by_name(kind, answer, answer.named))
        rendered = self._rendered(kind, answer)
        return self._send(kind, answer, rendered, rendered.wire, answer.told)

    def _rendered(self, kind: Kind, answer: Answer) -> Rendered:
        rendered = answer.response.rendered
        if rendered is None or rendered.variant != answer.variant:
            keep_alive = kind.section.keep_alive
            return self._render(answer.line, answer.response, keep_alive=keep_alive)
        if rendered.date is not self._context.date:
            rendered = answer.response.rendered = redated(rendered, self._context.date)
        return rendered

    def _answer_by_file(self, kind: Kind, answer: Answer, part: FileSlice, fd: int) -> float:
        """Answer with a part of an open file; what finds no room now is left to `finish`."""
        stream, context = self.stream, self._context
        self.count += 1
        if answer.named is None:
            rendered = self._rendered(kind, answer)
            wire = rendered.wire
        else:
            rendered, wire, _ = self._rendered_by_name(kind, answer, answer.named)
        _, start, length = part
        sent = 0
        try:
            if stream.send_now(wire, socket.MSG_MORE):
                sent = stream.send_file_now(fd, start, length)
        except Disconnected:
            length = 0  # no more, that is
        if sent < length:
            rest = FileSlice(fd, start + sent, length - sent)
            self._unsent = Unsent(kind, answer, rest, sent, context.loop.now)
            return self._leave(rendered)
        os.close(fd)
        self._count_part(kind, answer, sent, received=context.loop.now)
        if length and rendered.keep_alive:
            return context.loop.now + context.patience
        return self._leave(rendered)

    def _send(
        self, kind: Kind, answer: Answer, rendered: Rendered, wire: bytes, told: str
    ) -> float:
        stream, context = self.stream, self._context
        try:
            is_sent = stream.send_now(wire)
        except Disconnected:
            is_sent = False
        self._count(kind, answer, rendered.sent, told, received=context.loop.now)
        if is_sent and rendered.keep_alive:
            return context.loop.now + context.patience
        return self._leave(rendered)

    def _leave(self, rendered: Rendered) -> float:
        """Leave the rest to the coroutine, which sees an end and looks whether it is one."""
        self.is_last = not rendered.keep_alive
        self.stream.give_back(b"")
        return AWAKE

    def _rendered_by_name(
        self, kind: Kind, answer: Answer, named: Named
    ) -> tuple[Rendered, bytes, str]:
        """Return what has the request's id in it, and so is never quite the same: as it was
        rendered for another id, its bytes for this one, and what the access log tells.

        That takes 0.4 µs.  Where all answers have an id (`request_id`), 1 KB takes 9.3 µs this way
        and 23.8 the long one, 100 KB 21 and 51, a 404 9.5 and 44.
        """
        date, name = self._context.date, f"{self.name}-{self.count:x}".encode()
        if named.date is not date:
            named.date = date
            named.pages.clear()
        page = named.pages.get(len(name))
        if page is None:
            page = named.pages[len(name)] = self._make_page(kind, answer, name, times=named.times)
        return page.rendered, name.join(page.pieces) + page.content, page.told

    def _make_page(self, kind: Kind, answer: Answer, name: bytes, *, times: int) -> Page:
        context, line, response = self._context, answer.line, answer.response
        if response.status == 404:
            request = self._request(kind, answer, context.loop.now)
            response = context.refuse(request, HTTPError(404))
        if context.names_answers:
            response = with_id(response, name.decode())
        rendered = self._render(line, response, keep_alive=kind.section.keep_alive)
        content = b""
        if isinstance(response.body, Bytes) and rendered.sent and response.status != 404:
            content = response.body.data
        pieces = rendered.wire.removesuffix(content).split(name, times)
        told = accesslog.what(line.text, response.status, rendered.sent)
        return Page(replace(rendered, wire=b""), pieces, content, told)

    def _count(self, kind: Kind, answer: Answer, sent: int, told: str, *, received: float) -> None:
        context = self._context
        if context.access_log.whence is None:  # there is more in a line than its parts
            request = self._request(kind, answer, received)
            context.count(request, answer.response.status, sent)
        else:
            context.count_known(self._who, kind, answer, sent, told=told, received=received)

    def _count_part(self, kind: Kind, answer: Answer, sent: int, *, received: float) -> None:
        """Count what may have come to less than it should."""
        told = accesslog.what(answer.line.text, answer.response.status, sent)
        self._count(kind, answer, sent, told, received=received)

    def _request(self, kind: Kind, answer: Answer, received: float) -> Request:
        hop = self.hop or Hop(self.client, self.entrance.server, scheme="http", name=self.name)
        return Request(answer.line, kind.section, hop=hop, number=self.count, received=received)

    def _render(self, line: RequestLine, response: Response, *, keep_alive: bool) -> Rendered:
        context = self._context
        return render(response, line, context.date, keep_alive=keep_alive, server=context.server)
