"""The verifier: a process beside a worker that compares passwords to their hashes.

A hash that is worth something takes a tenth of a second, and a worker has none to spare.  So the
worker forks this before it serves, and asks over a channel; one question at a time is answered, in
order.  It knows nothing but what it is asked, keeps nothing but the password files as they were
when they last changed, and ends with its worker, however that goes: at the end of the channel, and
by the kernel's hand in the middle of a hash (PR_SET_PDEATHSIG).
"""

import ctypes
import logging
import os
import signal
import socket
import stat
import struct
import time
from enum import IntEnum
from typing import NamedTuple, NoReturn

from setproctitle import setproctitle

from forkhttpd import channel
from forkhttpd.access import htpasswd
from forkhttpd.access.htpasswd import PasswordFile, Verifiers
from forkhttpd.access.logins import Version
from forkhttpd.errors import ExitCode, describe

_PR_SET_PDEATHSIG = 1
_GRAIN = 2.0  # seconds; a file that is younger may change once more without showing it
_LARGEST = 16 << 20  # bytes of a password file

_QUESTION = struct.Struct("=QHH")  # id, and the lengths of file and name; then both, and the rest
_ANSWER = struct.Struct("=QB")  # id, verdict; words for the log follow

_libc = ctypes.CDLL(None, use_errno=True)


class Verdict(IntEnum):
    """What becomes of a question."""

    WRONG = 0
    RIGHT = 1
    FAILED = 2  # nobody can tell: the file cannot be read


class Question(NamedTuple):
    """Is this the password of that name in the file?"""

    id: int
    file: bytes
    user: bytes
    password: bytes

    def encode(self) -> bytes:
        """Return the message; each part is far below the 64 KiB that its length can say."""
        return _QUESTION.pack(self.id, len(self.file), len(self.user)) + b"".join(self[1:])

    @staticmethod
    def decode(message: bytes) -> "Question":
        """Read a message of `encode`."""
        id_, file, user = _QUESTION.unpack_from(message)
        texts = message[_QUESTION.size :]
        password = file + user
        return Question(id_, texts[:file], texts[file:password], texts[password:])


class Answer(NamedTuple):
    """A verdict, and words for the operator, "" when there is nothing to say."""

    id: int
    verdict: Verdict
    words: str

    def encode(self) -> bytes:
        """Return the message."""
        return _ANSWER.pack(self.id, self.verdict) + self.words.encode("utf-8", "replace")[:4096]

    @staticmethod
    def decode(message: bytes) -> "Answer":
        """Read a message of `encode`."""
        id_, verdict = _ANSWER.unpack_from(message)
        words = message[_ANSWER.size :].decode("utf-8", "replace")
        return Answer(id_, Verdict(verdict), words)


def version_of(status: os.stat_result) -> Version:
    """Return what tells one version of a file from all others."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_settled(status: os.stat_result) -> bool:
    """Whether any later change of the file will show in its version."""
    return time.time() - status.st_ctime >= _GRAIN


def fork(known: Verifiers, *, error_log: int) -> tuple[int, socket.socket]:
    """Start a verifier; return its pid, to be waited for, and the channel to it.

    `known` is what it verifies by, `error_log` the descriptor that the process logs to.
    Raises OSError.
    """
    ours, theirs = channel.pair()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        _live(Files(known), theirs, parent, {theirs.fileno(), error_log})
    theirs.close()
    return pid, ours


def _live(files: "Files", asked: socket.socket, parent: int, kept: set[int]) -> NoReturn:
    """Be the verifier for the rest of the process, with nothing of the worker's open."""
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        for fd in set(map(int, os.listdir("/proc/self/fd"))) - kept - {0, 1, 2}:
            os.closerange(fd, fd + 1)
        setproctitle("forkhttpd: verifier")
        asked.setblocking(True)
        if os.getppid() == parent:  # else it went before the kernel was told
            _serve(asked, files)
    except Exception as error:
        logging.getLogger("forkhttpd").critical("verifier: a bug", exc_info=error)
    finally:
        os._exit(ExitCode.STOPPED)


def _serve(asked: socket.socket, files: "Files") -> None:
    while True:
        message, fds = channel.receive(asked)
        channel.close_all(fds)
        if not message:
            return
        channel.send(asked, files.answer(Question.decode(message)).encode())


class Files:
    """The password files that were asked for, and what verifies."""

    __slots__ = ("_known", "_read")

    def __init__(self, known: Verifiers) -> None:
        self._known = known
        self._read: dict[bytes, tuple[Version, PasswordFile]] = {}

    def answer(self, question: Question) -> Answer:
        """Answer one question; takes as long as the hash does."""
        try:
            file, words = self._file(question.file)
        except OSError as error:
            return Answer(question.id, Verdict.FAILED, describe(error))
        hashed = file.hashes.get(question.user)
        # A name that is not there takes as long as one that is, so the time does not tell which.
        compared = hashed if hashed is not None else file.stand_in(question.user)
        try:
            fits = compared is not None and htpasswd.verify(
                question.password, compared, self._known
            )
        except ValueError:  # of a broken hash, or of a password that the kind cannot have
            fits = False
        verdict = Verdict.RIGHT if fits and hashed is not None else Verdict.WRONG
        return Answer(question.id, verdict, words)

    def _file(self, path: bytes) -> tuple[PasswordFile, str]:
        """Return a file as it is now, and what is wrong with it when that is new."""
        status = os.stat(path)
        version = version_of(status)
        before = self._read.get(path)
        if before is not None and before[0] == version and is_settled(status):
            return before[1], ""
        version, content = _content(path)
        file = htpasswd.parse(content)
        self._read[path] = (version, file)
        is_new = before is None or before[1].problems != file.problems
        return file, "; ".join(file.problems[:10]) if is_new else ""


def _content(path: bytes) -> tuple[Version, bytes]:
    """Return a file's version, and what is in it.  Raises OSError; a FIFO holds nobody up."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        return version_of(status), opened.read(_LARGEST)
