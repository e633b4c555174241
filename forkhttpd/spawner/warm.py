"""Starts Python scripts in a fork of the spawner, where a whole interpreter is ready.

A fork, and not another process that forks: only a parent can end and reap a program without racing
its end, and the spawner is the one that keeps the places and the costs.  So it forks itself:

    the spawner's side    notes what the script is, makes its directory the current one, forks,
                          and goes on as after posix_spawn
    the program's side    leads a session, has the pipes as 0, 1, 2 and its signals back; then
                          `Child` unwinds the spawner's frames, and life.py begins

Nothing of a script is ever run, compiled or imported here before that went well in a scout
(scout.py), one at a time.  Until the scout is back a script runs all the same, only slower: it is
compiled, and imports, in its own process.

Where the time goes (CPython 3.11, hello world, 3 ms of CPU against 9 for exec): 0.5 ms fork, 0.4 ms
exit, and most of the rest for the pages that either side writes to after the fork (320 here, 570
there), of which each is copied.  Hence what looks odd here and in life.py: functions of C in place
of the library's, objects made ahead, and nothing freed that can be left.
"""

import _signal  # type: ignore[import-not-found]
import os
import signal
from collections import OrderedDict
from functools import partial
from types import CodeType
from typing import Any, Dict, List, NoReturn, Optional, Sequence, Set, Tuple

from forkhttpd.spawner import errorlog, image, program, scout
from forkhttpd.spawner.life import Birth, begin
from forkhttpd.spawner.origin import Origin, starting_entries
from forkhttpd.spawner.program import Child
from forkhttpd.spawner.protocol import Start
from forkhttpd.spawner.scout import Task
from forkhttpd.spawner.scripts import Script, Scripts
from forkhttpd.spawner.stash import Key, Stash, freeze, key_of
from forkhttpd.spawner.streams import Streams

AUTO = "auto"

_SIGNALS = signal.valid_signals()
_NUMBERS = tuple(int(number) for number in _SIGNALS)
_MOST_WAITING = 64  # scripts to be looked at; more have to ask again


class Warm:
    """Decides what is run in a fork, and keeps what makes that fast."""

    __slots__ = (
        "_auto",
        "_handlers",
        "_image",
        "_interpreter",
        "_known",
        "_name",
        "_origin",
        "_report",
        "_scout",
        "_scripts",
        "_stash",
        "_streams",
        "_task",
        "_tasks",
    )

    def __init__(self, origin: Origin, *, preload: str, name: str) -> None:
        words = preload.split()
        self._name = name
        self._origin = origin
        self._auto = AUTO in words
        self._scripts = Scripts(origin)
        self._stash = Stash(origin)
        self._image = image.find()
        self._streams = Streams()
        self._interpreter: Key = key_of(origin.executable)  # () for one that is not to be forked
        self._handlers = _handlers_to_change()
        self._known: Set[str] = set()  # modules that were found to act
        self._tasks: "OrderedDict[str, Task]" = OrderedDict()
        self._task: Optional[Task] = None
        self._scout = 0
        self._report = -1
        named = tuple(word for word in words if word != AUTO)
        if named:
            self._tasks[""] = Task("", (), named, read_imports=False, known=())
        freeze()
        if len(os.listdir("/proc/self/task")) > 1:  # a fork has one, whatever the others held
            self._give_up("the site-packages of the interpreter start a thread")

    # Programs.

    def execute(self, start: Start, stdio: Sequence[int]) -> int:
        """Start a program, in a fork if that is as good as exec; see program.execute."""
        script = self._find(start)
        if script is None:
            return program.execute(start, stdio)
        self._want_scout(script)
        self._stash.note_strays()
        pid = _fork_in(start.cwd)
        if pid == 0:
            self._be_born(
                Birth(start, script, self._origin, self._stash, self._image, self._streams), stdio
            )
        return pid

    def _find(self, start: Start) -> Optional[Script]:
        script = self._scripts.find(start)
        if script is None or starting_entries(start.env) != self._origin.starting:
            return None
        return script if self._is_current() else None

    def _is_current(self) -> bool:
        """Whether the interpreter is still the one that a script would be given."""
        if self._interpreter:
            try:
                if key_of(self._origin.executable) == self._interpreter:
                    return True
            except OSError:
                pass  # between the old one and the new
            self._give_up("the interpreter has been replaced")
        return False

    def _give_up(self, reason: str) -> None:
        self._interpreter = ()
        self._say(f"scripts run cold until the pool is started again: {reason}")

    def _be_born(self, birth: Birth, stdio: Sequence[int]) -> NoReturn:
        """Become the leader of a session, which a program is from its first instruction.

        Signals have been blocked since before the fork, so that none is taken as the spawner's.
        """
        os.setsid()
        for number, fd in enumerate(stdio):
            os.dup2(fd, number)
        self._settle_signals()
        raise Child(partial(begin, birth))

    def _settle_signals(self) -> None:
        _signal.set_wakeup_fd(-1)
        for number, handler in self._handlers:
            _signal.signal(number, handler)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())

    # Scouts.

    def settle(self) -> None:
        """Send the next scout, if one is due and none is out."""
        if self._scout or not self._tasks:
            return
        _, self._task = self._tasks.popitem(last=False)
        self._task = self._task._replace(known=tuple(self._known))
        self._report = os.memfd_create("forkhttpd-report", os.MFD_CLOEXEC)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._scout = os.fork()
            if self._scout == 0:
                self._settle_signals()
                scout.run(self._task, self._origin, self._stash, self._report)
        except OSError:  # another time
            self._forget_scout()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def reaped(self, pid: int, status: int) -> None:
        """Take what a scout has found, if it was one."""
        if pid != self._scout:
            return
        task, report = self._task, scout.read(self._report) if status == 0 else None
        self._forget_scout()
        if task is None:
            return
        if report is None:
            self._say(f"{task.file or 'preload'}: a look at it came to nothing ({status})")
            return
        self._keep_code(task, report.code)
        self._load(report.modules)
        self._refuse(report.failed)
        if report.more:
            self._tasks[task.file] = task

    def stop(self) -> None:
        """End the scout."""
        if self._scout:
            os.kill(self._scout, signal.SIGKILL)

    def _forget_scout(self) -> None:
        os.close(self._report)
        self._scout, self._report, self._task = 0, -1, None

    def _want_scout(self, script: Script) -> None:
        if script.looked_at or script.is_fresh or len(self._tasks) >= _MOST_WAITING:
            return
        script.looked_at = True
        self._tasks[script.file] = Task(script.file, script.key, (), self._auto, ())

    def _keep_code(self, task: Task, code: Optional[CodeType]) -> None:
        if task.file:
            self._scripts.keep(task.file, task.key, code)

    def _load(self, modules: List[str]) -> None:
        for name in modules:
            try:
                self._stash.load(name)
            except Exception as error:
                self._refuse({name: f"{type(error).__name__}: {error}"})
        freeze()

    def _refuse(self, failed: Dict[str, str]) -> None:
        for name, reason in failed.items():
            if reason and name not in self._known:
                self._say(f"{name} is not preloaded: {reason}")
            self._known.add(name)

    def _say(self, message: str) -> None:
        errorlog.write(message, name=self._name)


def _fork_in(directory: bytes) -> int:
    """Fork with that directory as the current one, and the child's signals blocked."""
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _NUMBERS)
    pid = -1
    try:
        os.chdir(directory)
        pid = os.fork()
        return pid
    finally:
        if pid:
            os.chdir("/")
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _handlers_to_change() -> List[Tuple[int, Any]]:
    """Return the signals that CPython takes in another way than we do, when it starts afresh.

    With the functions of C, here and there: those of the module signal make enums of everything,
    which copies a hundred pages of memory.
    """
    handlers: Dict[int, Any] = {
        int(number): _signal.SIG_DFL for number in _SIGNALS - {signal.SIGKILL, signal.SIGSTOP}
    }
    handlers[signal.SIGINT] = _signal.default_int_handler
    handlers[signal.SIGPIPE] = handlers[signal.SIGXFSZ] = _signal.SIG_IGN
    return [(n, handler) for n, handler in handlers.items() if _signal.getsignal(n) != handler]
