"""The programs of the pool: who runs, who waits, who is being ended.

Each method changes the tables; what follows from them (who may start, who has to be killed) is
done by `settle`, once per turn of the loop.
"""

import math
import os
import signal
import time
from contextlib import suppress
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from forkhttpd.spawner.admission import Admission
from forkhttpd.spawner.cgroup import Cgroup, Cgroups
from forkhttpd.spawner.descendants import Descendants
from forkhttpd.spawner.ledger import Ledger
from forkhttpd.spawner.life import Birth
from forkhttpd.spawner.limits import Allowance
from forkhttpd.spawner.peer import Peer
from forkhttpd.spawner.program import Key, Program, Request, spawn
from forkhttpd.spawner.protocol import Exited, How, Kill, Message, Reason, Refused, Started
from forkhttpd.spawner.spares import Plan
from forkhttpd.spawner.warm import Warm

# Sends a worker its answer; the descriptors are no longer the caller's.
Reply = Callable[[Peer, Message, Sequence[int]], None]


class Pool:
    """Owns the queue and the programs.

    allowance: what each program may use; kill_grace: seconds between TERM and KILL;
    cgroups: where each has its own, if the pool has such; ledger: what they come to;
    warm: what runs Python scripts in forks, None if all programs are exec'd.
    """

    __slots__ = (
        "_admission",
        "_allowance",
        "_cgroups",
        "_descendants",
        "_ending",
        "_keys",
        "_kill_grace",
        "_ledger",
        "_next",
        "_programs",
        "_reply",
        "_warm",
    )

    def __init__(
        self,
        admission: Admission[Request],
        reply: Reply,
        *,
        allowance: Allowance,
        cgroups: Cgroups,
        kill_grace: float,
        ledger: Ledger,
        warm: Optional[Warm],
    ) -> None:
        self._admission = admission
        self._allowance = allowance
        self._cgroups = cgroups
        self._reply = reply
        self._kill_grace = kill_grace
        self._ledger = ledger
        self._warm = warm
        self._programs: Dict[int, Program] = {}  # by pid
        self._keys: Dict[Key, Program] = {}
        self._ending: Dict[int, float] = {}  # pid → when KILL is due
        self._descendants = Descendants()
        # Has its place already: a request, how long it waited, and what to fork for it.
        self._next: Optional[Tuple[Request, float, Optional[Plan]]] = None

    @property
    def running(self) -> int:
        """How many programs run."""
        return len(self._programs)

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._admission)

    @property
    def haunted(self) -> bool:
        """Whether something that an ended program left behind may still be alive: settle soon."""
        return self._descendants.pending

    @property
    def idle(self) -> bool:
        """Whether nothing runs, waits or haunts."""
        return not (self._programs or self._next or len(self._admission) or self.haunted)

    def deadline(self) -> float:
        """When `settle` has something to do, at the latest; infinity for never."""
        return min(self._admission.deadline(), *self._ending.values(), math.inf)

    def settle(self, now: float) -> None:
        """Do what is due: end the waiting of some, start others, kill, sweep."""
        for request in self._admission.expire(now=now):
            self._refuse(request, Reason.QUEUE_TIMEOUT)
        self._admit(now)
        if self._ending:
            self._kill_overdue(now)
        if self._descendants.pending:
            self._descendants.sweep(self._spared())
        self._cgroups.tidy(now)
        if self._warm:
            self._warm.settle(now)

    # What workers ask for.

    def knows(self, key: Key) -> bool:
        """Whether a request of this key runs or waits."""
        return key in self._keys or key in self._admission

    def start(self, request: Request) -> None:
        """Take a request, to start it at the next `settle` or later; it answers for itself."""
        now = time.monotonic()
        if not self._admission.arrive(request.key, request, now=now, share=request.share):
            self._refuse(request, Reason.QUEUE_FULL)

    def turn_away(self, request: Request) -> None:
        """Refuse a request, as we are on our way out."""
        self._refuse(request, Reason.DRAINING)

    def end(self, kill: Kill, peer: Peer) -> None:
        """End a program or its waiting; nothing if it has ended, as its Exited is on its way."""
        key = (peer, kill.id)
        request = self._admission.cancel(key)
        if request is not None:
            self._refuse(request, Reason.CANCELLED)
        elif key in self._keys and kill.how is not How.UNLESS_RUNNING:
            program = self._keys[key]
            program.overdue = program.overdue or kill.overdue
            self._end(program, kill.how)

    def abandon(self, peer: Peer) -> None:
        """Forget what a worker that is gone waits for, and end what runs for it."""
        for request in self._admission.withdraw(lambda request: request.peer is peer):
            request.close()
        for program in self._programs.values():
            if program.key[0] is peer:
                self._end(program, How.GRACEFUL)

    # What the master wants.

    def turn_all_away(self) -> None:
        """Refuse all that waits."""
        for request in self._admission.withdraw(lambda _: True):
            self.turn_away(request)

    def kill_all(self) -> None:
        """Kill every program, at once."""
        if self._warm:
            self._warm.stop()
        for program in self._programs.values():
            program.signal(signal.SIGKILL)

    def reap(self) -> None:
        """Reap what has ended: our programs, and quietly what they left to us.

        WNOWAIT first: as long as a leader is not reaped, its number is that of its group.
        """
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            while True:
                ended = os.waitid(os.P_ALL, 0, options)
                if ended is None:
                    return
                self._bury(ended.si_pid)

    def _spared(self) -> Set[int]:
        return {*self._programs, *(self._warm.spares() if self._warm else ())}

    # One program.

    def _admit(self, now: float) -> None:
        """Start those that may, up to the first that has to wait for a fork."""
        while True:
            self._next = self._next or self._choose(now)
            if self._next is None or self.wants_fork:
                return
            chosen, self._next = self._next, None
            self._launch(*chosen)

    def _choose(self, now: float) -> Optional[Tuple[Request, float, Optional[Plan]]]:
        admitted = self._admission.admit(now=now)
        if admitted is None:
            return None
        request, queue_wait = admitted
        return request, queue_wait, self._warm.plan(request) if self._warm else None

    @property
    def wants_fork(self) -> bool:
        """Whether the next program waits for `fork`."""
        plan = self._next[2] if self._next else None
        return plan is not None and self._warm is not None and not self._warm.has_spare(plan)

    def fork(self) -> Iterator[Birth]:
        """Fork for the next program; see Warm.fork.  If it fails, the request gets the answer."""
        request, queue_wait, plan = self._next or (None, 0.0, None)
        if not (request and plan and self._warm):
            return
        try:
            yield from self._warm.fork(plan, request.start, self._allowance)
        except OSError as error:
            self._next = None
            self._fail(request, error)
            return
        if not self._warm.has_spare(plan):
            self._next = (request, queue_wait, None)

    def _fail(self, request: Request, error: OSError) -> None:
        self._admission.leave(request.share)
        self._refuse(request, Reason.SYSTEM, errno=error.errno or 0)

    def _launch(self, request: Request, queue_wait: float, plan: Optional[Plan]) -> None:
        cgroup = None
        try:
            cgroup = self._cgroups.make()
            pid, ends = self._run(request, plan, cgroup)
        except OSError as error:
            if cgroup is not None:
                self._cgroups.leave(cgroup)
            if isinstance(error, BrokenPipeError):  # a spare that has gone before its time
                self._next = request, queue_wait, None
            else:
                self._fail(request, error)
            return
        request.close()
        program = Program(request, pid=pid, cgroup=cgroup)
        if cgroup is not None:
            self._cgroups.limit(cgroup)
        self._programs[pid] = program
        self._keys[program.key] = program
        self._descendants.spare_session(pid)
        self._ledger.started(queue_wait)
        self._reply(request.peer, Started(request.start.id, pid, queue_wait), ends)

    def _run(
        self, request: Request, plan: Optional[Plan], cgroup: Optional[Cgroup]
    ) -> Tuple[int, List[int]]:
        if plan and self._warm:
            return self._warm.take(plan, request.start, cgroup)
        return spawn(request.start, allowance=self._allowance, cgroup=cgroup, spool=request.spool)

    def _refuse(self, request: Request, reason: Reason, *, errno: int = 0) -> None:
        request.close()
        self._ledger.refused()
        self._reply(request.peer, Refused(request.start.id, reason, errno), ())

    def _end(self, program: Program, how: How) -> None:
        if how is How.NOW:
            program.signal(signal.SIGKILL)
        elif program.pid not in self._ending:
            program.signal(signal.SIGTERM)
            self._ending[program.pid] = time.monotonic() + self._kill_grace

    def _kill_overdue(self, now: float) -> None:
        for pid in self._overdue(now):
            del self._ending[pid]
            self._programs[pid].signal(signal.SIGKILL)

    def _overdue(self, now: float) -> List[int]:
        return [pid for pid, due in self._ending.items() if due <= now]

    def _bury(self, pid: int) -> None:
        program = self._programs.pop(pid, None)
        if program is None:
            _, status, _ = os.wait4(pid, 0)
            if self._warm:
                self._warm.reaped(pid, status)
            return
        if not program.leave_background:
            program.signal(signal.SIGKILL)
            self._descendants.condemn(program)
        starved = self._leave_cgroup(program)
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - program.started
        self._ledger.ended(status, usage, wall=wall, overdue=program.overdue, starved=starved)
        del self._keys[program.key]
        self._ending.pop(pid, None)
        self._admission.leave(program.share)
        peer, id_ = program.key
        times = (usage.ru_utime, usage.ru_stime)
        self._reply(peer, Exited(id_, status, *times, usage.ru_maxrss, wall, starved), ())

    def _leave_cgroup(self, program: Program) -> bool:
        """Be done with a program's cgroup; return whether it ran out of memory there."""
        cgroup = program.cgroup
        if cgroup is None:
            return False
        if not program.leave_background:
            cgroup.kill()
        starved = cgroup.ran_out_of_memory
        self._cgroups.leave(cgroup)
        return starved
