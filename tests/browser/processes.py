"""Start a program for a test, wait for its word that it is ready, and end it for certain."""

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import IO

START_SECONDS = 60.0
STOP_SECONDS = 15.0


@contextlib.contextmanager
def running(
    arguments: Sequence[str], *, ready: bytes, stop: signal.Signals
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a program whose output says `ready`, a pattern with a group; yield the group and it.

    At the end it gets `stop`, and whatever is left of its process group is killed.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield wait_for_line(process.stdout, ready), process
        finally:
            _end(process, stop)
            # Shown by pytest beside a failure.
            print(process.stdout.read().decode(errors="replace"))


def wait_for_line(stream: IO[bytes], pattern: bytes, *, seconds: float = START_SECONDS) -> str:
    """Read until a line matches and return its first group.

    Raises AssertionError, with everything read, at the end of the stream or of the time.
    """
    deadline = time.monotonic() + seconds
    seen = b""
    while (match := re.search(pattern + rb".*\n", seen)) is None:
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([stream], [], [], left)
        piece = os.read(stream.fileno(), 65536) if ready else b""
        assert piece, f"no line {pattern!r} in {seconds} s, only:\n{seen.decode(errors='replace')}"
        seen += piece
    return match[1].decode()


def _end(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    process.send_signal(stop)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
