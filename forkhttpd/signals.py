"""Signals as messages: blocked for good, read from a signalfd like any other input.

No code ever runs inside a signal handler, so nothing can be interrupted half-way, and a signal
that arrives between `fork` and the child's first turn stays pending for the child instead of
getting lost.  It works also where the starting shell left a signal ignored (nohup leaves HUP so):
`receive` restores the default disposition first, because an ignored signal is never queued.

CPython's `signal` module has no signalfd before 3.15, hence ctypes (signalfd(2)).
"""

import ctypes
import os
import signal
import struct
from collections.abc import Iterable

_SIGINFO_SIZE = 128  # sizeof(struct signalfd_siginfo)
_SFD_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK  # SFD_CLOEXEC and SFD_NONBLOCK are the same bits
_SIGSET_SIZE = 128  # glibc's and musl's sigset_t are 1024 bits

_libc = ctypes.CDLL(None, use_errno=True)


def receive(signals: Iterable[signal.Signals]) -> int:
    """Block `signals` and return a non-blocking, close-on-exec descriptor that delivers them.

    The caller closes it.  Raises OSError.
    """
    wanted = set(signals)
    for number in wanted:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    mask = sum(1 << (number - 1) for number in wanted).to_bytes(_SIGSET_SIZE, "little")
    fd: int = _libc.signalfd(-1, mask, _SFD_FLAGS)
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd


def read(fd: int) -> list[signal.Signals]:
    """Return the signals that have arrived since the last call, in the order of their numbers."""
    try:
        data = os.read(fd, _SIGINFO_SIZE * 16)
    except BlockingIOError:
        return []
    starts = range(0, len(data), _SIGINFO_SIZE)
    return [signal.Signals(struct.unpack_from("=I", data, start)[0]) for start in starts]


def reset() -> None:
    """Give a new process the signals of a fresh one: default dispositions, nothing blocked.

    A signal that was pending is delivered at once, and with its default effect.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):  # the real-time signals that libc keeps for itself
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
