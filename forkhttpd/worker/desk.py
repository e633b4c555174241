"""The worker's way to its verifier: questions go out, each waits for its answer.

Whoever asks the same at the same time waits for the same answer: a browser that comes with six
connections costs one hash.  There is a limit to how many questions wait, of all and of one asker:
who guesses many at once gets no more guesses by that, and leaves others their turn.  A verifier
that is lost takes its questions along; the next question starts another.
"""

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Hashable
from dataclasses import dataclass, field

from forkhttpd import channel
from forkhttpd.access.credentials import Credentials
from forkhttpd.access.htpasswd import Verifiers
from forkhttpd.errors import describe
from forkhttpd.http1.errors import HTTPError
from forkhttpd.loop import FOREVER, DeadlineExceeded, Future, Loop, Port
from forkhttpd.worker import verifier
from forkhttpd.worker.verifier import Answer, Question, Verdict

MOST_WAITING = 64  # questions; at a tenth of a second each the last one waits some six seconds
PATIENCE = 15.0  # seconds for an answer
_PAUSE = 1.0  # seconds between two starts

_BUSY = (("Retry-After", "5"),)

_Key = tuple[str, Credentials]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A question that was asked under an id, and who waits for its answer."""

    id: int
    asker: Hashable
    answers: list[Future[Answer | None]] = field(default_factory=list)


class Desk:
    """Where logins are verified.  `start` comes before the first question."""

    __slots__ = (
        "_error_log",
        "_ids",
        "_known",
        "_log",
        "_loop",
        "_pid",
        "_port",
        "_socket",
        "_start_at",
        "_waiting",
    )

    def __init__(
        self, loop: Loop, *, known: Verifiers, log: logging.Logger, error_log: int
    ) -> None:
        self._known = known
        self._loop = loop
        self._log = log
        self._error_log = error_log
        self._ids = 0
        self._pid = 0
        self._port: Port | None = None
        self._socket: socket.socket | None = None
        self._start_at = loop.now
        self._waiting: dict[_Key, _Waiting] = {}

    def start(self) -> None:
        """Have a verifier, if there is none.  Raises OSError."""
        if self._socket is None:
            self._pid, near = verifier.fork(self._known, error_log=self._error_log)
            self._socket, self._port = near, Port(self._loop, near.fileno())
            self._loop.spawn(self._listen(near, self._port))

    async def verify(
        self, file: str, said: Credentials, *, asker: Hashable, room: float
    ) -> Verdict:
        """Return whether the password is right.

        room: how many questions of the asker may wait.  Raises HTTPError 500 and 503.
        """
        answer: Future[Answer | None] = Future(self._loop)
        key = (file, said)
        if key not in self._waiting:
            self._check_room(asker, room)
            self._waiting[key] = _Waiting(self._ask(key), asker)
        self._waiting[key].answers.append(answer)
        try:
            found = await answer.wait(self._loop.now + PATIENCE)
        except DeadlineExceeded:
            raise HTTPError(503, "no answer of the verifier", fields=_BUSY) from None
        if found is None:
            raise HTTPError(503, "the verifier was lost", fields=_BUSY)
        if found.verdict is Verdict.FAILED:
            raise HTTPError(500, f"{file}: {found.words}")
        if found.words:
            self._log.warning("%s: %s", file, found.words)
        return found.verdict

    def _check_room(self, asker: Hashable, room: float) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise HTTPError(503, f"{MOST_WAITING} logins wait to be verified", fields=_BUSY)
        if sum(one.asker == asker for one in self._waiting.values()) >= room:
            raise HTTPError(503, f"{room} logins of the address wait already", fields=_BUSY)

    def _ask(self, key: _Key) -> int:
        """Ask, and return the id of the question."""
        file, said = key
        self._restart_when_due()
        if self._socket is None:
            raise HTTPError(503, "there is no verifier", fields=_BUSY)
        self._ids += 1
        question = Question(self._ids, os.fsencode(file), said.user, said.password)
        try:
            channel.send(self._socket, question.encode())
        except OSError as error:  # no room, or nobody there, which the listener hears, too
            words = f"cannot ask the verifier: {describe(error)}"
            raise HTTPError(503, words, fields=_BUSY) from None
        return self._ids

    def _restart_when_due(self) -> None:
        if self._socket is not None or self._loop.now < self._start_at:
            return
        self._start_at = self._loop.now + _PAUSE
        try:
            self.start()
        except OSError as error:
            self._log.error("no verifier: %s", describe(error))

    async def _listen(self, near: socket.socket, port: Port) -> None:
        try:
            while True:
                await port.readable(FOREVER)
                try:
                    message, fds = channel.receive(near)
                except BlockingIOError:
                    port.can_read = False
                    continue
                channel.close_all(fds)
                if not message:
                    return
                self._take(Answer.decode(message))
        except (OSError, ValueError, channel.ChannelError):
            return
        finally:
            self._lose(near, port)

    def _take(self, answer: Answer) -> None:
        for key, waiting in list(self._waiting.items()):
            if waiting.id == answer.id:
                del self._waiting[key]
                for future in waiting.answers:
                    future.set(answer)
                    if answer.verdict is not Verdict.FAILED:  # what failed, each error tells of
                        answer = answer._replace(words="")

    def _lose(self, near: socket.socket, port: Port) -> None:
        """Tell everybody who waits, and leave no zombie."""
        port.close()
        near.close()
        self._socket = self._port = None
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)  # it is our child, and nobody has waited for it yet
            _, status = os.waitpid(self._pid, 0)
            self._log.warning(
                "verifier %d is gone: %d", self._pid, os.waitstatus_to_exitcode(status)
            )
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            for future in one.answers:
                future.set(None)
