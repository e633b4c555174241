"""Takes connections from a listener.

Facts
    * All workers wait on the same listeners.  EPOLLEXCLUSIVE lets the kernel wake one of them
      instead of all, but it wakes the first in its list: alone, it gave one worker of four all of
      400 connections that came 2 ms apart.
    * Removing and adding the listener puts the worker at the end of that list.  Done after every
      accept it gave 100/100/100/100.  Every 16 accepts gave 96 to 112 on an idle machine, and 77 to
      152 on a busy one: 25 draws do not even out.
    * The kernel passes over whoever is at work, so among workers who have much to send that is not
      enough, however often it is done; see `share.py`.
    * A turn of the loop has 256 events at most.  When more connections are ready, the listener is
      told of behind all of them, turns later.  With one accept then, the last of 16 newcomers to
      2000 busy clients came in after 32 700 of their requests, a second and more; now after 4 000.

Decision
    One accept per turn of the loop, so that a worker that is busy answering leaves the rest to
    others; full turns that passed the listener by are made up for, up to 8.  The listener is
    registered anew when we have more connections than the last time, which is when an uneven share
    would last, and else, among connections that come and go, every 16 times, which saves two system
    calls for each.
"""

import errno
import select
import socket
from collections.abc import Callable
from typing import Any

from forkhttpd.http1.request import Endpoint
from forkhttpd.loop import Loop

_ACCEPTS_PER_REGISTRATION = 16
_MOST_AT_ONCE = 8  # turns of 256 events are those of 2000 connections
_LAST_ACCEPTS = 4096
_EXCLUSIVE = select.EPOLLIN | select.EPOLLEXCLUSIVE

# No descriptors or no memory: it passes when a connection ends.  Everything else that accept
# raises was the fate of a connection that is already gone (accept(2), "Error handling").
_SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """One listener of this worker, who leaves it to the acceptor until `close`."""

    __slots__ = (
        "_accepts",
        "_held",
        "_held_then",
        "_kind",
        "_last_turn",
        "_listener",
        "_loop",
        "_on_connection",
        "_on_growth",
        "_on_shortage",
        "_watching",
    )

    def __init__(
        self,
        loop: Loop,
        listener: socket.socket,
        *,
        on_connection: Callable[[socket.SocketType, Endpoint], None],
        on_shortage: Callable[[OSError], None],
        on_growth: Callable[[int], None],
        held: Callable[[], int],
    ) -> None:
        """`on_connection` is given the connected socket to own, and the client.

        `held` is how many connections the worker has, and `on_growth` is told when it has more than
        the last time; it may call `pause`.  `on_shortage` is told what accept lacks.
        """
        self._loop = loop
        self._listener = listener
        self._on_connection = on_connection
        self._on_shortage = on_shortage
        self._on_growth = on_growth
        self._accepts = 0
        self._held = held
        self._kind = int(listener.family), int(listener.type), listener.proto
        self._held_then = 0
        self._last_turn = 0
        self._watching = False

    def resume(self) -> None:
        """Take connections; does nothing while it already does."""
        if not self._watching:
            self._loop.watch(self._listener.fileno(), self._accept, _EXCLUSIVE)
            self._watching = True

    def pause(self) -> None:
        """Leave connections to the other workers; does nothing while it already does."""
        if self._watching:
            self._loop.unwatch(self._listener.fileno())
            self._watching = False

    def take_all(self) -> None:
        """Take what is in the backlog now: after us there may be nobody else (M6)."""
        for _ in range(_LAST_ACCEPTS):
            if not self._take_one():
                break

    def close(self) -> None:
        """Accept no more."""
        self.pause()
        self._listener.close()

    def _accept(self, _events: int) -> None:
        is_taken = self._take_due() if self._loop.crowded else self._take_one()
        if is_taken and self._watching:
            self._accepts += 1
            held = self._held()
            if held > self._held_then or self._accepts % _ACCEPTS_PER_REGISTRATION == 0:
                has_grown, self._held_then = held > self._held_then, held
                self.pause()
                self.resume()
                if has_grown:
                    self._on_growth(held)

    def _take_due(self) -> bool:
        """Accept a connection for each full turn since the last time.

        False when there is none to take.
        """
        loop = self._loop
        due = min(loop.turns - self._last_turn, loop.crowded, _MOST_AT_ONCE)
        self._last_turn = loop.turns
        taken = 0
        while taken < due and self._watching and self._take_one():
            taken += 1
        return taken > 0

    def _take_one(self) -> bool:
        """Accept one connection; False when there is none to take."""
        listener = self._listener
        try:
            # As `accept` does it, but that asks the listener each time of what kind it is, and
            # makes a Python object around C's, which nobody here needs: 2.5 and 1.8 µs.
            fd, address = listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _SHORTAGE:
                return True
            self._on_shortage(error)
            return False
        connected = socket.SocketType(*self._kind, fd)
        connected.setblocking(False)
        self._on_connection(connected, endpoint(address))
        return True


def endpoint(address: Any) -> Endpoint:
    """Read an address as `accept` and `getsockname` return it; a Unix socket's is its name."""
    if not isinstance(address, tuple):
        return Endpoint("", 0)
    host: str = address[0]
    if len(address) == 4:  # an IPv4 client of an IPv6 socket is still one of IPv4 (RFC 4291 §2.5.5)
        host = host.removeprefix("::ffff:") if "." in host else host
    return Endpoint(host, address[1])
