"""What a client is behind with: a task of its own reads on, so that the program is not held up.

It exists only once the client has not taken something at once; until then whoever sends also reads.
"""

from collections.abc import Awaitable, Callable

from forkhttpd.handlers.cgi.spill import Spill
from forkhttpd.loop import FOREVER, DeadlineExceeded, Event, Loop


class Backlog:
    """Takes what `receive` returns, up to its b"", and keeps as much as may be kept.

    limit: how many bytes that is; ends: when there is no more waiting for a client that takes none.
    """

    __slots__ = ("_arrived", "_ends", "_is_complete", "_is_overdue", "_receive", "_room", "_spill",
                 "_task")  # fmt: skip

    def __init__(
        self, loop: Loop, receive: Callable[[], Awaitable[bytes]], *, limit: int, ends: float
    ) -> None:
        self._arrived = Event(loop)  # something in the spill, or its end
        self._room = Event(loop)  # in the spill
        self._spill = Spill(limit)
        self._receive = receive
        self._ends = ends
        self._is_complete = False
        self._is_overdue = False
        self._task = loop.spawn(self._fill())

    async def take(self) -> bytes:
        """Return the oldest bytes, b"" at the end.

        Raises DeadlineExceeded when it is not the end that `receive` gave, for want of room.
        """
        while not (piece := self._spill.take()):
            if self._is_overdue:
                raise DeadlineExceeded
            if self._is_complete:
                return b""
            await self._arrived.wait(FOREVER)
        self._room.set()
        return piece

    def close(self) -> None:
        """Keep nothing, and read no more.

        Who waits for its turn already has it before it is cancelled, and finds `receive` closed.
        """
        self._is_complete = True
        self._task.cancel()
        self._spill.close()

    async def _fill(self) -> None:
        try:
            while not self._is_complete and (piece := await self._receive()):
                self._spill.put(piece)
                self._arrived.set()
                while self._spill.is_full:
                    await self._room.wait(self._ends)
        except DeadlineExceeded:
            self._is_overdue = True
        finally:
            self._is_complete = True
            self._arrived.set()
