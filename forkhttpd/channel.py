"""Messages with file descriptors over a local SOCK_SEQPACKET socket.

Master, workers and spawners talk through these.  A message arrives whole or not at all, so there
is no framing to get wrong, and the end of the peer is an ordinary end of file.

Facts, each of which cost somebody a day:
* `socket.recv_fds` of CPython 3.11 drops its flags, so the descriptors that it returns are
  inheritable: a program started meanwhile would keep a neighbour's pipe open.  Hence `recvmsg`
  with MSG_CMSG_CLOEXEC.
* A receive buffer that is too small truncates silently: MSG_TRUNC and MSG_CTRUNC are errors here.
* Messages of 212 992 bytes and more are EMSGSIZE: MESSAGE_SIZE stays well below.
* ETOOMANYREFS: more descriptors are in flight than RLIMIT_NOFILE allows (not as root).

Standard library only, CPython 3.9 syntax: this file is part of the spawner's bundle
(`forkhttpd/bundle.py`), which runs under the interpreter of a pool.
"""

import array
import contextlib
import os
import socket
from typing import List, Sequence, Tuple

MESSAGE_SIZE = 160 * 1024  # longest message, in bytes
FDS_PER_MESSAGE = 8  # most descriptors that one message carries

_INT_SIZE = array.array("i").itemsize
_ANCILLARY_SIZE = socket.CMSG_SPACE(FDS_PER_MESSAGE * _INT_SIZE)


class ChannelError(Exception):
    """The peer sent what no peer of ours sends: close the channel."""


def pair() -> Tuple[socket.socket, socket.socket]:
    """Return both ends of a new channel, non-blocking and not inheritable; the caller closes."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


def send(channel: socket.socket, message: bytes, fds: Sequence[int] = ()) -> None:
    """Send one message; the caller keeps (and closes) its own copies of `fds`.

    Raises BlockingIOError when the peer has not made room, BrokenPipeError or
    ConnectionResetError when there is no peer, ValueError when the message is too long.
    """
    if len(message) > MESSAGE_SIZE:
        raise ValueError(f"message of {len(message)} bytes, at most {MESSAGE_SIZE}")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([message], rights, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket) -> Tuple[bytes, List[int]]:
    """Return the next message and its descriptors, close-on-exec; they are the caller's to close.

    An empty message is the end: the peer has closed.  Raises BlockingIOError when there is none
    yet, ChannelError when a message was cut (its descriptors are closed).
    """
    message, ancillary, flags, _ = channel.recvmsg(
        MESSAGE_SIZE + 1, _ANCILLARY_SIZE, socket.MSG_CMSG_CLOEXEC
    )
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % _INT_SIZE])
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(fds)
        raise ChannelError("a message was truncated")
    return message, list(fds)


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
