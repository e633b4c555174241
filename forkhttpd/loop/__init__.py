"""The small kernel of a worker: descriptors, time and coroutines; nothing of HTTP.

    kernel.py   Loop: epoll, tasks, deadlines.  Task, Port.
    future.py   Future: a result to wait for.  Event: a sign to wait for.
    stream.py   Stream: bytes in and out of a connected socket.  Pipe: one end of a pipe.
    tlsstream.py  TLSStream: the same, encrypted.
    kerneltlsstream.py  KernelTLSStream: the same, encrypted by the kernel.

A task is one coroutine.  It runs until it awaits something that is not there yet: a descriptor
(Port), a result (Future) or a moment (Loop.sleep).  Every wait has a deadline, in seconds of the
loop's clock, and ends early with `DeadlineExceeded` or `Cancelled`.
"""

from forkhttpd.loop.future import Event, Future
from forkhttpd.loop.kernel import (
    ASLEEP,
    AWAKE,
    FOREVER,
    Cancelled,
    DeadlineExceeded,
    Loop,
    Port,
    Taker,
    Task,
)
from forkhttpd.loop.kerneltlsstream import KernelTLSStream
from forkhttpd.loop.stream import READ_SIZE, Disconnected, Pipe, Stream
from forkhttpd.loop.tlsstream import HandshakeFailed, NotEncrypted, TLSStream

# What a connection is served over.
ByteStream = Stream | TLSStream | KernelTLSStream

__all__ = [
    "ASLEEP",
    "AWAKE",
    "FOREVER",
    "READ_SIZE",
    "ByteStream",
    "Cancelled",
    "DeadlineExceeded",
    "Disconnected",
    "Event",
    "Future",
    "HandshakeFailed",
    "KernelTLSStream",
    "Loop",
    "NotEncrypted",
    "Pipe",
    "Port",
    "Stream",
    "TLSStream",
    "Taker",
    "Task",
]
