"""The messages between a worker and a spawner.

    worker → spawner   Start (+ the spool, to be read as stdin), Kill
    spawner → worker   Started (+ [stdin,] stdout, stderr), Refused, Exited

The promise: every Start is answered either by one Refused, or by one Started and, later, one
Exited, each with the Start's id; unless the channel hangs up, which ends everything on it.  Ids
are the worker's; it does not use one again before that last answer.

A message is a packed struct, of Start with strings behind it, at most channel.MESSAGE_SIZE: nothing
in it depends on the version of Python at either end, and nothing in it can run.  The strings have a
NUL between them, which execve(2) lets none of them contain.  `encode` and `decode` apply the same
checks, so that what a worker could send never drops its channel.
"""

import struct
from enum import IntEnum
from typing import Dict, NamedTuple, Tuple, Type, Union

from forkhttpd.channel import MESSAGE_SIZE

# What a worker sends through the door, with one end of a new channel.
KNOCK = b"channel"


class ProtocolError(Exception):
    """This is no message of ours, or does not fit into one."""


class TooLongError(ProtocolError):
    """The arguments and the environment do not fit into a message (the client's header did it)."""


class How(IntEnum):
    """How to end a program."""

    GRACEFUL = 0  # TERM, and KILL after the pool's grace
    NOW = 1  # KILL
    UNLESS_RUNNING = 2  # nothing: only a Start that still waits is taken out of the queue


class Reason(IntEnum):
    """Why a program was not started."""

    QUEUE_FULL = 0
    QUEUE_TIMEOUT = 1
    DRAINING = 2
    CANCELLED = 3  # a Kill came while the request was waiting
    SYSTEM = 4  # the kernel said no, and errno tells why


class Start(NamedTuple):
    """Start `argv[0]` in the directory `cwd`, with exactly this environment.

    env: UNIQUE_ID in it marks the program's descendants (see descendants.py);
    leave_background: what still runs when the program ends may go on;
    share, most: how many programs of this share may run at once, beside the pool's limit; 0 is any;
    has_input: whether stdin is to have anything, else it is /dev/null.
    One descriptor may come along: a file to be stdin, from its current offset.
    """

    id: int
    argv: Tuple[bytes, ...]
    env: Dict[bytes, bytes]
    cwd: bytes
    leave_background: bool
    share: bytes = b""
    most: int = 0
    has_input: bool = True


class Kill(NamedTuple):
    """End a program and its process group, or take its Start out of the queue.

    overdue: because its time is up.
    """

    id: int
    how: How
    overdue: bool = False


class Started(NamedTuple):
    """It runs.  With it come [stdin's write end, if it has input and no file,] stdout, stderr."""

    id: int
    pid: int
    queue_wait: float  # seconds


class Refused(NamedTuple):
    """It does not run, and will not."""

    id: int
    reason: Reason
    errno: int  # 0 unless reason is SYSTEM


class Exited(NamedTuple):
    """It ran: os.wait4's status, seconds of CPU, KiB, and seconds from start to end.

    starved: something of it was killed for needing more memory than its cgroup may have.
    """

    id: int
    status: int
    user_time: float
    system_time: float
    max_rss: int
    wall: float
    starved: bool = False


Message = Union[Start, Kill, Started, Refused, Exited]

_KIND = struct.Struct("=B")
_START_KIND = 1
# kind, id, leave_background, has_input, most, counts of argv and of env, bytes of the strings
_START = struct.Struct("=BQ??IIII")
_FLAT: Dict[Type[Message], Tuple[int, struct.Struct]] = {
    Kill: (2, struct.Struct("=BQB?")),
    Started: (3, struct.Struct("=BQid")),
    Refused: (4, struct.Struct("=BQBi")),
    Exited: (5, struct.Struct("=BQiddQd?")),
}
_FLAT_KINDS = {kind: (message, layout) for message, (kind, layout) in _FLAT.items()}


def encode(message: Message) -> bytes:
    """Return the bytes of a message.

    Raises TooLongError, or ProtocolError for what no program can be given: a NUL inside a string,
    an environment entry without a name, no argv[0], a number out of range.
    """
    try:
        data = _encode_start(message) if isinstance(message, Start) else _encode_flat(message)
    except struct.error as error:
        raise ProtocolError(str(error)) from None
    if len(data) > MESSAGE_SIZE:
        raise TooLongError(f"{len(data)} bytes, at most {MESSAGE_SIZE}")
    return data


def decode(data: bytes) -> Message:
    """Return the message that `data` is.  Raises ProtocolError, and nothing else, on anything."""
    try:
        (kind,) = _KIND.unpack_from(data)
        return _decode_start(data) if kind == _START_KIND else _decode_flat(kind, data)
    except (struct.error, ValueError, KeyError) as error:
        raise ProtocolError(f"not a message: {error}") from None


def _encode_flat(message: Message) -> bytes:
    kind, layout = _FLAT[type(message)]
    return layout.pack(kind, *message)


def _decode_flat(kind: int, data: bytes) -> Message:
    message, layout = _FLAT_KINDS[kind]
    fields = layout.unpack(data)[1:]
    if message is Kill:
        return Kill(fields[0], How(fields[1]), fields[2])
    if message is Refused:
        return Refused(fields[0], Reason(fields[1]), fields[2])
    return message(*fields)


def _encode_start(start: Start) -> bytes:
    _check(start)
    argc, envc = len(start.argv), len(start.env)
    entries = map(b"=".join, start.env.items())
    strings = b"\0".join((start.cwd, start.share, *start.argv, *entries))
    if strings.count(b"\0") != 1 + argc + envc:
        raise ProtocolError("a NUL in a string")
    head = _START.pack(
        _START_KIND,
        start.id,
        start.leave_background,
        start.has_input,
        start.most,
        argc,
        envc,
        len(strings),
    )
    return head + strings


def _decode_start(data: bytes) -> Start:
    _, id_, leave_background, has_input, most, argc, envc, size = _START.unpack_from(data)
    cwd, share, *rest = data[_START.size :].split(b"\0")
    if len(data) != _START.size + size or len(rest) != argc + envc:
        raise ProtocolError("not as many strings, or bytes of them, as were promised")
    argv, env = tuple(rest[:argc]), dict([entry.split(b"=", 1) for entry in rest[argc:]])
    start = Start(id_, argv, env, cwd, leave_background, share, most, has_input)
    _check(start)
    return start


def _check(start: Start) -> None:
    """Refuse what execve(2) cannot be told."""
    if not start.argv or not start.argv[0]:
        raise ProtocolError("no program named")
    if b"" in start.env:
        raise ProtocolError("an environment entry has no name")
