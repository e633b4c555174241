"""Asks a running master over its control socket, whose other end is `forkhttpd.master.control`.

One line out, one JSON object back.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any

from forkhttpd.errors import describe

_LONGEST_ANSWER = 8 << 20  # bytes; all slots of the scoreboard, taken, are some 200 KiB


class NoAnswer(Exception):
    """Nobody answers: there is no such socket, nobody listens, or the master has gone.

    asked: whether somebody was there to take the question; hangs: and still is, but does nothing.
    """

    def __init__(self, reason: str, *, asked: bool, hangs: bool = False) -> None:
        super().__init__(reason)
        self.asked = asked
        self.hangs = hangs


def ask(path: Path, request: str, *, patience: float) -> dict[str, Any]:
    """Return the answer to `status` or `reload`.

    `patience` is in seconds, for each step.  The verdict on a reload takes as long as it takes, so
    there it is what the master has to show that it lives, in which it answers somebody else.
    Raises NoAnswer, and OSError where there is somebody that we may not ask.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(patience)
        asked = False
        try:
            _connect(connection, path)
            connection.sendall(request.encode() + b"\n")
            asked = True
            while not (answer := _receive(connection, may_wait=request == "reload")):
                ask(path, "status", patience=patience)
        except (FileNotFoundError, ConnectionError, TimeoutError, BlockingIOError) as error:
            hangs = asked and isinstance(error, TimeoutError)
            raise NoAnswer(describe(error), asked=asked, hangs=hangs) from None
    if not answer.endswith(b"\n"):
        raise NoAnswer("the master has gone before it answered", asked=True)
    found: dict[str, Any] = json.loads(answer)
    return found


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect; by way of the directory, since an address has room for 107 bytes only."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _receive(connection: socket.socket, *, may_wait: bool) -> bytes:
    """Return the answer; nothing if it has not begun and may wait."""
    answer = bytearray()
    try:
        while piece := connection.recv(1 << 16):
            answer += piece
            if len(answer) > _LONGEST_ANSWER:
                raise ConnectionError("the answer does not end")
    except TimeoutError:
        if not may_wait or answer:
            raise
        return b""
    if not answer:
        raise ConnectionError("the master has gone before it answered")
    return bytes(answer)
