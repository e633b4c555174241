"""Forks of the spawner that wait, each for one request for one script.

A burst of them is forked at once, for two reasons.  What all runs of a script have in common
(stage.py) is done once, before the first fork.  And after a fork each page of memory that the
spawner writes to is copied, 330 of them in its ordinary round (1 ms): one copy serves the whole
burst.

    wanted        a request has come and no spare waits for its script
    forked        where the stack is as flat as can be (main.py): a spare has little to unwind
    waiting       at the read of its orders, as the leader of its session, its limits imposed
    taken         it is told the environment of a request, and is that request's program
    dismissed     it reads the end of its orders, and ends: nothing asked for it within a second,
                  or what it was forked for has changed

How many: one for a script that is asked for now and then, and twice as many each time that they
run out within a second.
"""

import marshal
import os
import socket
import time
from marshal import loads
from typing import Dict, List, NamedTuple, Optional, Tuple

from forkhttpd.channel import close_all
from forkhttpd.spawner.cgroup import Cgroup
from forkhttpd.spawner.program import NOTHING, make_pipes
from forkhttpd.spawner.scripts import FRESH, Script

_PATIENCE = 1.0  # seconds
_MOST = 16  # in a burst
_MOST_WAITING = 32

# What a spare is told: the environment of its request, and what /proc is to show of it.
Orders = Tuple[Dict[bytes, bytes], bytes]

# Bytes of orders that are sent at a time: to receive more costs pages.
_PART = 1 << 14


class Plan(NamedTuple):
    """What a spare is forked for: a script, the directory it runs in, a file to be its stdin.

    has_input: whether stdin is a pipe where there is no such file, else it is /dev/null;
    changed: when there was a change, in nanoseconds, in the directory that the script lies in: a
    module that is put there since is to be found before one of ours.
    """

    script: Script
    directory: bytes
    spool: Optional[int]
    has_input: bool
    changed: int

    @property
    def serves_many(self) -> bool:
        """Whether a spare for it is good for any request that asks for it."""
        return (
            self.spool is None
            and self.script.code is not None
            and time.time_ns() - self.changed > FRESH
        )


class Nest(NamedTuple):
    """The descriptors of a spare that is going to be forked: our ends, and its own."""

    orders: int
    ends: List[int]
    its_orders: int
    its_stdio: List[int]

    def close_its(self) -> None:
        """Close the spare's ends, which are its own from the fork on."""
        close_all([self.its_orders, *self.its_stdio])

    def close_ours(self) -> None:
        """Close our ends."""
        close_all([self.orders, *self.ends])


class Spares:
    """Those that wait, by what they wait for."""

    __slots__ = ("_appetite", "_asked", "_waiting")

    def __init__(self) -> None:
        self._waiting: Dict[Plan, List[Tuple[int, Nest]]] = {}
        self._asked: Dict[Plan, float] = {}  # when a plan was asked for last
        self._appetite: Dict[Plan, int] = {}  # how many were forked last

    def __contains__(self, plan: Plan) -> bool:
        return plan in self._waiting

    def pids(self) -> List[int]:
        """Return the processes that wait."""
        return [pid for waiting in self._waiting.values() for pid, _ in waiting]

    def count(self, plan: Plan, *, now: float) -> int:
        """Return how many to fork for a plan, as none waits for it."""
        if not plan.serves_many or now - self._asked.get(plan, 0.0) > _PATIENCE:
            return 1
        return min(_MOST, 2 * self._appetite.get(plan, 1))

    def add(self, plan: Plan, born: List[Tuple[int, Nest]]) -> None:
        """Keep those that have been forked."""
        if not born:
            return
        if sum(map(len, self._waiting.values())) + len(born) > _MOST_WAITING:
            self.dismiss_all()
        self._waiting[plan] = born
        if plan.serves_many:
            self._appetite[plan] = len(born)
            self._asked[plan] = time.monotonic()

    def take(self, plan: Plan, orders: Orders, cgroup: Optional[Cgroup]) -> Tuple[int, List[int]]:
        """Let one that waits for this plan run; return its pid and our ends of its pipes.

        Raises BrokenPipeError if it has ended before its time, OSError if it does not take its
        orders; then it is gone.
        """
        waiting = self._waiting[plan]
        pid, nest = waiting.pop(0)
        if not waiting:
            del self._waiting[plan]
        if plan in self._asked:
            self._asked[plan] = time.monotonic()
        try:
            if cgroup is not None:
                cgroup.take(pid)
            _give_orders(nest.orders, orders)
        except OSError:
            close_all(nest.ends)
            raise
        finally:
            os.close(nest.orders)
        return pid, nest.ends

    def dismiss_idle(self, now: float) -> None:
        """Let those go that nothing has asked for."""
        for plan in [plan for plan, asked in self._asked.items() if now - asked > _PATIENCE]:
            del self._asked[plan]
            self._appetite.pop(plan, None)
            self._dismiss(plan)

    def dismiss_all(self) -> None:
        """Let all go."""
        for plan in list(self._waiting):
            self._dismiss(plan)

    def forget(self, pid: int) -> None:
        """One may have ended before its time."""
        for plan, waiting in list(self._waiting.items()):
            for each in [each for each in waiting if each[0] == pid]:
                waiting.remove(each)
                each[1].close_ours()
            if not waiting:
                del self._waiting[plan]

    def _dismiss(self, plan: Plan) -> None:
        for _, nest in self._waiting.pop(plan, ()):
            nest.close_ours()


def make_nests(plan: Plan, count: int) -> List[Nest]:
    """Make the descriptors of so many spares.  Raises OSError, and leaves nothing open then."""
    nests: List[Nest] = []
    try:
        for _ in range(count):
            nests.append(_make_nest(plan.spool, has_input=plan.has_input))
    except OSError:
        for nest in nests:
            nest.close_ours()
            nest.close_its()
        raise
    return nests


def _make_nest(spool: Optional[int], *, has_input: bool) -> Nest:
    fed = has_input and spool is None
    ours: List[int] = []
    theirs: List[int] = []
    try:
        make_pipes(ours, theirs, with_stdin=fed)
        if not fed:
            theirs.insert(0, os.dup(NOTHING if spool is None else spool))
        orders, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        close_all([*ours, *theirs])
        raise
    orders.setblocking(False)
    its.settimeout(None)
    return Nest(orders.detach(), ours, its.detach(), theirs)


def _give_orders(orders: int, told: Orders) -> None:
    """Send orders in the marshal format, which the spare, the same interpreter, reads at once.

    To take an environment apart there would cost five times as much as here.
    """
    words = marshal.dumps(told)
    for start in range(0, len(words), _PART):
        os.write(orders, words[start : start + _PART])


def await_orders(orders: int) -> Orders:
    """Wait, in a spare, for its orders; end if there are none to come.

    Raises EOFError if they do not come whole.
    """
    words = os.read(orders, _PART)
    more = words
    while more:
        more = os.read(orders, _PART)
        words += more
    if not words:
        os._exit(0)
    os.close(orders)
    told: Orders = loads(words)  # noqa: S302 - of our own parent
    return told
