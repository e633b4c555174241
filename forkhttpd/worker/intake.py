"""When a worker takes connections, and when it leaves them to others.

It leaves them before it is told to serve and when it is told to go, while it has all that it may
have, for a while when it lacks what a connection needs, and for a moment when it has more than its
share.  They wait in the backlog then, or another worker takes them.
"""

import logging
import socket
from collections.abc import Callable

from forkhttpd.errors import describe
from forkhttpd.http1.request import Endpoint
from forkhttpd.loop import Loop
from forkhttpd.worker.acceptor import Acceptor
from forkhttpd.worker.notice import Notice
from forkhttpd.worker.share import MOMENT, Share

_SHORTAGE_PAUSE = 0.2  # seconds without accepting after EMFILE and the like


class Intake:
    """The acceptors of one worker.

    held: how many connections it has; limit: how many it may have.
    """

    __slots__ = (
        "_acceptors",
        "_held",
        "_is_open",
        "_limit",
        "_loop",
        "_notice",
        "_paused_until",
        "_share",
    )

    def __init__(
        self, loop: Loop, *, held: Callable[[], int], limit: int, share: Share, log: logging.Logger
    ) -> None:
        self._loop = loop
        self._held = held
        self._limit = limit
        self._share = share
        words = "cannot accept connections"
        self._notice = Notice(words, loop=loop, log=log, level=logging.ERROR)
        self._acceptors: list[Acceptor] = []
        self._is_open = False
        self._paused_until = loop.now

    def add(
        self,
        listener: socket.socket,
        on_connection: Callable[[socket.SocketType, Endpoint], None],
    ) -> None:
        """Have an acceptor for a listener."""
        acceptor = Acceptor(
            self._loop,
            listener,
            on_connection=on_connection,
            on_shortage=self._meet_shortage,
            on_growth=self._grow,
            held=self._held,
        )
        self._acceptors.append(acceptor)

    def open(self) -> None:
        """Take connections from now on."""
        self._is_open = True
        self.tend()

    def tend(self) -> None:
        """Accept, or leave it for now."""
        if not self._is_open:
            return
        leaves = self._held() >= self._limit or self._loop.now < self._paused_until
        for acceptor in self._acceptors:
            if leaves:
                acceptor.pause()
            else:
                acceptor.resume()

    def close(self) -> None:
        """Take what has come so far, and no more."""
        for acceptor in self._acceptors:
            if self._is_open:
                acceptor.take_all()
            acceptor.close()
        self._is_open = False

    def _grow(self, held: int) -> None:
        if self._share.stands_back(held, self._loop.now):
            self._pause(MOMENT)

    def _meet_shortage(self, error: OSError) -> None:
        self._notice.tell(describe(error))
        self._pause(_SHORTAGE_PAUSE)

    def _pause(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._loop.now + seconds)
        self.tend()
        self._loop.spawn(self._come_back(self._paused_until))

    async def _come_back(self, when: float) -> None:
        """Be there in time: without this, the loop might wait for longer."""
        await self._loop.sleep(when)
        self.tend()
