"""One worker's channel, as the spawner sees it."""

import errno
import socket
from collections import deque
from typing import Deque, List, Sequence, Tuple

from forkhttpd import channel
from forkhttpd.spawner.protocol import Message, encode

# ETOOMANYREFS: the descriptors on their way are more than our RLIMIT_NOFILE, until the worker
# takes some.  Like a full buffer it passes by itself.
_FULL = frozenset({errno.EAGAIN, errno.ETOOMANYREFS})


class Peer:
    """Sends without ever blocking: what the worker does not take waits in the outbox.

    While anything waits there, the spawner takes no more from the worker, so that the outbox is
    bounded by what the worker has already asked for.
    """

    __slots__ = ("_outbox", "channel")

    def __init__(self, end: socket.socket) -> None:
        self.channel = end
        self._outbox: Deque[Tuple[bytes, Sequence[int]]] = deque()

    @property
    def congested(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._outbox)

    def send(self, message: Message, fds: Sequence[int]) -> bool:
        """Send a message, now or later; `fds` become the peer's to close.

        Return whether it is the first of those that are sent later.
        """
        data = encode(message)
        if not self._outbox and self._send(data, fds):
            channel.close_all(fds)
            return False
        self._outbox.append((data, fds))
        return len(self._outbox) == 1

    def flush(self) -> None:
        """Send what waits, as far as the worker takes it."""
        while self._outbox and self._send(*self._outbox[0]):
            self._drop_first()

    def receive(self) -> Tuple[bytes, List[int]]:
        """See channel.receive."""
        return channel.receive(self.channel)

    def close(self) -> None:
        """Hang up; whatever is sent from now on is dropped."""
        self.channel.close()
        while self._outbox:
            self._drop_first()

    def _send(self, data: bytes, fds: Sequence[int]) -> bool:
        """Send, or find that nobody listens, which epoll will tell as well: true, it is done."""
        try:
            channel.send(self.channel, data, fds)
        except OSError as error:
            return error.errno not in _FULL
        return True

    def _drop_first(self) -> None:
        _, fds = self._outbox.popleft()
        channel.close_all(fds)
