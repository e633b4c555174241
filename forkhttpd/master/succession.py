"""One master follows another: an upgrade as the policy sees it, from either end.

The old one, told USR2, starts a successor: the same command again, on the same listeners, with
whatever code and configuration are on disk now.  Until the successor is READY nothing changes; if
it fails, hangs or dies before, nothing has changed.  Then the old one hands over and retires.

The new one starts like any master, but announces itself to its predecessor instead of the service
manager, and is silent towards that one until it was named its main process: two masters that
speak at once would be misheard, and one that fails would stop the service that serves.

    old    serving ── USR2 ──> upgrading ── successor ready ──> retiring ──> gone
              ^                   │
              └── successor gone ─┘
    new    starting ── all ready ──> announced ── predecessor retires ──> serving

There is one upgrade at a time, and none while a predecessor is still there: so two masters share
a scoreboard at most, and two programs' worth of memory is all that an upgrade can cost.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from logging import INFO, WARNING

from forkhttpd.master import actions
from forkhttpd.master.child import NEVER, Step
from forkhttpd.master.family import Family
from forkhttpd.scoreboard import SLOTS

LAUNCH = 20.0  # seconds for a new master to boot, beside those that its children have


@dataclass(frozen=True, slots=True)
class Situation:
    """The world that a policy begins in.

    slots: those of the scoreboard that are ours; watchdog: seconds that the service manager waits
    for a sign of life; has_predecessor: whether another master serves until we are ready; alone:
    why there can be no master after us, or "".
    """

    daemonized: bool = False
    slots: Sequence[int] = range(SLOTS)
    watchdog: float = NEVER
    has_predecessor: bool = False
    alone: str = ""


class Predecessor(Enum):
    """The master before us."""

    ABSENT = "absent"
    SERVING = "serving"  # and waits for our word
    TOLD = "told"  # that we are ready
    RETIRING = "retiring"


class Succession:
    """Who comes after us, and who was before.  wanted: whether a USR2 waits for its turn."""

    __slots__ = ("_do", "_family", "_refusal", "predecessor", "wanted")

    def __init__(
        self, do: Callable[[actions.Action], None], family: Family, situation: Situation
    ) -> None:
        self._do = do
        self._family = family
        self._refusal = situation.alone
        self.wanted = False
        has_one = situation.has_predecessor
        self.predecessor = Predecessor.SERVING if has_one else Predecessor.ABSENT

    @property
    def is_subordinate(self) -> bool:
        """Whether another master still speaks for the service."""
        return self.predecessor in (Predecessor.SERVING, Predecessor.TOLD)

    @property
    def may_launch(self) -> bool:
        """Whether a USR2 waits that can be obeyed, as far as we are concerned."""
        return self.wanted and self.predecessor is Predecessor.ABSENT

    @property
    def is_alone(self) -> bool:
        """Whether nobody before or after us has to leave first."""
        return self._family.successor is None and self.predecessor is not Predecessor.RETIRING

    # The old master's side.

    def ask(self, *, busy: bool) -> None:
        """Take in a USR2; of many that wait together the first is worth a line."""
        if self._refusal:
            self._do(actions.Log(WARNING, f"upgrade refused: {self._refusal}"))
            return
        if self.wanted:
            return
        if self.predecessor is not Predecessor.ABSENT:
            self._do(actions.Log(INFO, "upgrade: waits until the old master has left"))
        elif busy:
            self._do(actions.Log(INFO, "upgrade: waits until the last change is done"))
        self.wanted = True

    def launch(self, now: float, *, start: float) -> None:
        """Start a successor, whose children have `start` seconds to become ready."""
        self.wanted = False
        self._family.launch(now + LAUNCH + start)

    def hand_over(self, *, reload: bool) -> None:
        """Leave everything to the successor, a HUP and a USR2 that came too late for us, too."""
        successor, self._family.successor = self._family.successor, None
        if successor is None:
            return
        self._do(actions.Log(INFO, f"{successor} takes over, what runs here may finish"))
        self._do(actions.HandOver())
        if reload:
            self._do(actions.Kill(successor, signal.SIGHUP))
        if self.wanted:
            self._do(actions.Kill(successor, signal.SIGUSR2))

    def lose(self, code: int, report: str) -> str:
        """The successor is gone before it was ready; return why."""
        successor, self._family.successor = self._family.successor, None
        end = successor.describe_end(code) if successor and successor.pid else "not started"
        return f"{end}: {report}" if report else end

    # The new master's side.

    def announce(self) -> bool:
        """Say, once, that we are ready; return whether it is our turn to serve."""
        if self.predecessor is Predecessor.SERVING:
            self.predecessor = Predecessor.TOLD
            self._do(actions.Announce())
        return not self.is_subordinate

    def relieve(self) -> None:
        """The predecessor speaks for the service no more."""
        if self.is_subordinate:
            self.predecessor = Predecessor.RETIRING

    def lead(self) -> None:
        """The predecessor is gone."""
        self.predecessor = Predecessor.ABSENT

    # Both.

    def pass_on(self, number: signal.Signals) -> None:
        """Let those who belong to us know a signal that is for the whole service."""
        if self._family.successor is not None:
            self._do(actions.Kill(self._family.successor, number))
        if self.predecessor is Predecessor.RETIRING:
            self._do(actions.Urge(number))

    def stop(self, step: Step, now: float) -> None:
        """Let a successor that is not ready stop with us, and a predecessor that retires."""
        self.wanted = False
        if self._family.successor is not None:
            self._family.push(self._family.successor, step, now)
        if self.predecessor is Predecessor.RETIRING and step.signal is not None:
            self._do(actions.Urge(step.signal))
