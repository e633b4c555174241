"""Which programs are scripts of this interpreter, and what is kept of them.

A program is ours to run only if nothing can come out differently: it is a regular file that we may
execute and read, without setuid or setgid bits; what is asked to run it is this interpreter, at
this place, without options.  All else goes to execve(2), which knows best, errors included.
"""

import os
import stat
import time
from collections import OrderedDict
from types import CodeType
from typing import Optional, Sequence, Tuple

from forkhttpd.spawner.origin import Origin
from forkhttpd.spawner.protocol import Start
from forkhttpd.spawner.shebang import FIRST_LINE, Interpreter, interpreter_of, is_same
from forkhttpd.spawner.stash import Key, key_of

_MOST = 1024
FRESH = 2 * 10**9  # nanoseconds; within them a file may change and its times stay the same

_Question = Tuple[Tuple[bytes, ...], bytes, Key]  # the command, its PATH, and what the file is


class Script:
    """A program that this interpreter would run.

    file: its path as it was given; directory: what sys.path begins with; first: the modules that
    it imports before anything else; looked_at: whether a scout has been asked to.
    """

    __slots__ = ("code", "directory", "file", "first", "interpreter", "key", "looked_at")

    def __init__(self, file: str, key: Key, interpreter: Interpreter) -> None:
        self.file = file
        self.key = key
        self.interpreter = interpreter
        self.directory = os.path.dirname(os.path.realpath(file))
        self.code: Optional[CodeType] = None
        self.first: Sequence[str] = ()
        self.looked_at = False

    @property
    def is_fresh(self) -> bool:
        """Whether the file has changed so lately that another change might not show."""
        return time.time_ns() - max(self.key[-2:]) < FRESH


class Scripts:
    """Remembers the answers, as long as the file is the same; the least asked for is forgotten."""

    __slots__ = ("_answers", "_origin")

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._answers: "OrderedDict[bytes, Tuple[_Question, Optional[Script]]]" = OrderedDict()

    def find(self, start: Start) -> Optional[Script]:
        """Return the script that a Start asks for, or None if it is for execve."""
        if len(start.argv) > 2 or not start.argv[-1].startswith(b"/"):
            return None
        try:
            status = os.stat(start.argv[-1])
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            return None
        return self._remembered((start.argv, _search_path(start), key_of(status)))

    def keep(self, file: str, key: Key, code: Optional[CodeType], first: Sequence[str]) -> None:
        """Keep the code of a script, if it is still the one that was compiled."""
        _, script = self._answers.get(os.fsencode(file), (None, None))
        if script is not None and script.key == key:
            script.code = code
            script.first = first

    def _remembered(self, question: _Question) -> Optional[Script]:
        file = question[0][-1]
        asked, script = self._answers.get(file, (None, None))
        if asked == question:
            self._answers.move_to_end(file)
            return script
        script = self._examine(*question)
        if time.time_ns() - max(question[2][-2:]) >= FRESH:
            self._answers[file] = question, script
            if len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        return script

    def _examine(self, argv: Tuple[bytes, ...], search_path: bytes, key: Key) -> Optional[Script]:
        file = os.fsdecode(argv[-1])
        if len(argv) == 2:
            name = os.fsdecode(argv[0])
            interpreter = Interpreter(name, name) if name.startswith("/") else None
        else:
            interpreter = interpreter_of(_head(file), os.fsdecode(search_path))
        wanted = os.R_OK if len(argv) == 2 else os.R_OK | os.X_OK
        if interpreter is None or not is_same(interpreter.path, self._origin.executable):
            return None
        return Script(file, key, interpreter) if os.access(file, wanted) else None


def _search_path(start: Start) -> bytes:
    return start.env.get(b"PATH", b"")


def _head(file: str) -> bytes:
    try:
        with open(file, "rb") as script:
            return script.read(FIRST_LINE)
    except OSError:
        return b""
