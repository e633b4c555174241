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
import os
import socket
from typing import List, Sequence, Tuple

MESSAGE_SIZE = 160 * 1024  # longest message, in bytes
FDS_PER_MESSAGE = 8  # most descriptors that one message carries

_INT_SIZE = array.array("i").itemsize
_ANCILLARY_SIZE = socket.CMSG_SPACE(FDS_PER_MESSAGE * _INT_SIZE)
# Plain numbers: what `socket` has are enumerations, and every | and & of those takes 1 µs.
_CLOSE_ON_EXEC = int(socket.MSG_CMSG_CLOEXEC)
_NO_SIGNAL = int(socket.MSG_NOSIGNAL)
_TRUNCATED = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_RIGHTS = (int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS))

# Messages are received here and then copied, as most are short: a buffer for the longest, made for
# each, is mapped and unmapped every time (10 µs).
_buffer = bytearray(MESSAGE_SIZE + 1)


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
    rights = [(*_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([message], rights, _NO_SIGNAL)


def receive(channel: socket.socket) -> Tuple[bytes, List[int]]:
    """Return the next message and its descriptors, close-on-exec; they are the caller's to close.

    An empty message is the end: the peer has closed.  Raises BlockingIOError when there is none
    yet, ChannelError when a message was cut (its descriptors are closed).
    """
    size, ancillary, flags, _ = channel.recvmsg_into([_buffer], _ANCILLARY_SIZE, _CLOSE_ON_EXEC)
    fds = _descriptors(ancillary) if ancillary else []
    if flags & _TRUNCATED:
        close_all(fds)
        raise ChannelError("a message was truncated")
    return bytes(memoryview(_buffer)[:size]), fds


def _descriptors(ancillary: Sequence[Tuple[int, int, bytes]]) -> List[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == _RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % _INT_SIZE])
    return list(fds)


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for fd in fds:
        try:  # noqa: SIM105 - suppress takes longer than close(2)
            os.close(fd)
        except OSError:
            pass
