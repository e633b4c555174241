"""Starts Python scripts in a fork of the spawner, where a whole interpreter is ready.

A fork, and not another process that forks: only a parent can end and reap a program without racing
its end, and the spawner is the one that keeps the places and the costs.  So it forks itself:

    the spawner's side    notes what the script is, forks spares for it (spares.py) where none
                          waits, gives one the request's environment, and goes on as after
                          posix_spawn
    the program's side    leads a session, has the pipes as 0, 1, 2 and its signals back, waits for
                          that environment, and begins its life (life.py)

Nothing of a script is ever run, compiled or imported here before that went well in a scout
(scout.py), one at a time.  Until the scout is back a script runs all the same, only slower: it is
compiled, and imports, in its own process.

Where the time goes (CPython 3.11; a script that imports json, html and urllib.parse; it takes 18 ms
of CPU to exec, and 2.4 here): 0.5 in fork and exit, by the pages that there are, and most of the
rest in those that either side writes to after the fork, each of which is copied (2 to 3 µs; all at
once, by process_vm_writev or MADV_POPULATE_WRITE, costs the same).  In the program's process 860 of
them became 400, and in the spawner 335 became 50.  Hence what looks odd here, in stage.py and in
life.py: functions of C in place of the library's, as much as possible done once for many before
they are forked, and nothing freed that can be left.
"""

import _signal  # type: ignore[import-not-found]
import os
import signal
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from forkhttpd.spawner import errorlog, scout
from forkhttpd.spawner.cgroup import Cgroup
from forkhttpd.spawner.life import Birth
from forkhttpd.spawner.limits import Allowance
from forkhttpd.spawner.origin import Origin, starting_entries
from forkhttpd.spawner.pages import take_code_along
from forkhttpd.spawner.program import Request
from forkhttpd.spawner.protocol import Start
from forkhttpd.spawner.scout import Task
from forkhttpd.spawner.scripts import Script, Scripts
from forkhttpd.spawner.spares import Nest, Plan, Spares, make_nests
from forkhttpd.spawner.stage import Stage, take_signals
from forkhttpd.spawner.stash import Key, Stash, freeze, key_of

AUTO = "auto"

_SIGNALS = signal.valid_signals()
_NUMBERS = tuple(int(number) for number in _SIGNALS)
_MOST_WAITING = 64  # scripts to be looked at; more have to ask again


class Warm:
    """Decides what is run in a fork, and keeps what makes that fast."""

    __slots__ = (
        "_auto",
        "_interpreter",
        "_known",
        "_name",
        "_origin",
        "_report",
        "_scout",
        "_scripts",
        "_spares",
        "_stage",
        "_stash",
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
        self._spares = Spares()
        self._stage = Stage(origin, self._stash)
        self._interpreter: Key = key_of(os.stat(origin.executable))  # () if it is not to be forked
        self._known: Set[str] = set()  # modules that were found to act
        self._tasks: "OrderedDict[str, Task]" = OrderedDict()
        self._task: Optional[Task] = None
        self._scout = 0
        self._report = -1
        named = tuple(word for word in words if word != AUTO)
        if named:
            self._tasks[""] = Task("", (), named, read_imports=False, known=())
        take_code_along()
        freeze()
        if len(os.listdir("/proc/self/task")) > 1:  # a fork has one, whatever the others held
            self._give_up("the site-packages of the interpreter start a thread")

    # Programs.

    def plan(self, request: Request) -> Optional[Plan]:
        """Return what a program would have to be forked for; None if it is to be exec'd."""
        script = self._find(request.start)
        if script is None:
            return None
        self._want_scout(script)
        start, changed = request.start, _changed(script.directory)
        return Plan(script, start.cwd, request.spool, start.has_input, changed)

    def has_spare(self, plan: Plan) -> bool:
        """Whether one waits for this; else `fork` has to be called."""
        return plan in self._spares

    def take(self, plan: Plan, start: Start, cgroup: Optional[Cgroup]) -> Tuple[int, List[int]]:
        """Start a program; return its pid and our ends of its pipes.  Raises OSError."""
        return self._spares.take(plan, self._stage.orders(start.env), cgroup)

    def fork(self, plan: Plan, start: Start, allowance: Allowance) -> Iterator[Birth]:
        """Fork spares for a plan; in each of them, yield what life.begin wants.

        Raises OSError: from the directory, the pipes or fork(2), and only if there is none.  If
        there is none without that, the program has to be exec'd.
        """
        nests = make_nests(plan, self._spares.count(plan, now=time.monotonic()))
        born: List[int] = []
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _NUMBERS)
        pid = -1
        try:
            allowance.lower()
            os.chdir(plan.directory)
            scene = self._stage.set(plan.script, start.env, fed=plan.has_input)
            has_file = plan.spool is not None
            births = [
                Birth(scene, start.argv, nest.its_stdio, has_file, nest.its_orders)
                for nest in nests
            ]
            for birth in births:
                pid = os.fork()
                if pid == 0:
                    yield birth
                born.append(pid)
        except OSError:
            if not born:
                raise
        except Exception as error:
            self._give_up(f"{plan.script.file}: {type(error).__name__}: {error}")
        finally:
            if pid:
                self._go_on(mask, allowance, nests, born)
        self._spares.add(plan, list(zip(born, nests)))  # noqa: B905 - some may be unborn

    def _go_on(
        self, mask: Any, allowance: Allowance, nests: Sequence[Nest], born: Sequence[int]
    ) -> None:
        """Be the spawner again, after a burst."""
        self._stage.strike()
        os.chdir("/")
        allowance.restore()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        for pid in born:
            allowance.impose(pid)
        for nest in nests:
            nest.close_its()
        for nest in nests[len(born) :]:
            nest.close_ours()

    def spares(self) -> List[int]:
        """Return the processes that wait to be programs."""
        return self._spares.pids()

    def _find(self, start: Start) -> Optional[Script]:
        script = self._scripts.find(start)
        if script is None or starting_entries(start.env) != self._origin.starting:
            return None
        return script if self._is_current() else None

    def _is_current(self) -> bool:
        """Whether the interpreter is still the one that a script would be given."""
        if self._interpreter:
            try:
                if key_of(os.stat(self._origin.executable)) == self._interpreter:
                    return True
            except OSError:
                pass  # between the old one and the new
            self._give_up("the interpreter has been replaced")
        return False

    def _give_up(self, reason: str) -> None:
        self._interpreter = ()
        self._spares.dismiss_all()
        self._say(f"scripts run cold until the pool is started again: {reason}")

    # Scouts.

    def settle(self, now: float) -> None:
        """Send the next scout, if one is due and none is out; let idle spares go."""
        self._spares.dismiss_idle(now)
        if self._scout or not self._tasks:
            return
        _, self._task = self._tasks.popitem(last=False)
        self._task = self._task._replace(known=tuple(self._known))
        self._report = os.memfd_create("forkhttpd-report", os.MFD_CLOEXEC)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._scout = os.fork()
            if self._scout == 0:
                take_signals()
                scout.run(self._task, self._origin, self._stash, self._report)
        except OSError:  # another time
            self._forget_scout()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def reaped(self, pid: int, status: int) -> None:
        """Take what a scout has found, if it was one; or forget a spare."""
        if pid != self._scout:
            self._spares.forget(pid)
            return
        task, report = self._task, scout.read(self._report) if status == 0 else None
        self._forget_scout()
        if task is None:
            return
        self._spares.dismiss_all()
        if report is None:
            self._say(f"{task.file or 'preload'}: a look at it came to nothing ({status})")
            return
        if task.file:
            self._scripts.keep(task.file, task.key, report.code, report.first)
        self._load(report.modules)
        self._refuse(report.failed, asked_for=not task.file)
        if report.more:
            self._tasks[task.file] = task

    def stop(self) -> None:
        """End the scout, and let the spares go."""
        self._spares.dismiss_all()
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

    def _load(self, modules: List[str]) -> None:
        for name in modules:
            try:
                self._stash.load(name)
            except Exception as error:
                self._refuse({name: f"{type(error).__name__}: {error}"}, asked_for=True)
        freeze()

    def _refuse(self, failed: Dict[str, str], *, asked_for: bool) -> None:
        """Note what is not to be tried again.

        Why is told to who asked for it by name.  Of the library's modules some always act, and
        nobody can do anything about it: wsgiref.handlers keeps a copy of the environment.
        """
        for name, reason in failed.items():
            if asked_for and reason and name not in self._known:
                self._say(f"{name} is not preloaded: {reason}")
            self._known.add(name)

    def _say(self, message: str) -> None:
        errorlog.write(message, name=self._name)


def _changed(directory: str) -> int:
    """Return when something has come into a directory, or gone, in nanoseconds; 0 in doubt."""
    with suppress(OSError):
        return os.stat(directory).st_mtime_ns
    return 0
