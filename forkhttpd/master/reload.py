"""A reload as the policy sees it: asked for, tried, and judged.

    serving ── HUP ──> loading ──> swapping: the next generation starts,
       ^                  │            │     then serves, and the last one's workers yield
       ├── refused ───────┴────────────┤
       └── reloaded ───────────────────┘

`reloaded` is what an operator takes it for: no worker of the last generation accepts connections
any more, so whoever connects after the verdict is answered by the new configuration.  A worker
that does not yield is killed after `timeouts.heartbeat`, so the verdict comes in any case.
"""

from collections.abc import Callable
from logging import ERROR, INFO

from forkhttpd.errors import ExitCode
from forkhttpd.master import actions
from forkhttpd.master.roster import Roster


class Reload:
    """wanted: whether a HUP waits for its turn; newest: the last generation that was asked for."""

    __slots__ = ("_do", "newest", "wanted")

    def __init__(self, do: Callable[[actions.Action], None], newest: int) -> None:
        self._do = do
        self.newest = newest
        self.wanted = False

    def ask(self, *, busy: bool) -> None:
        """Take in a HUP; of many that wait together the first is worth a line."""
        if busy and not self.wanted:
            self._do(actions.Log(INFO, "reload: waits until the last change is done"))
        self.wanted = True

    def load(self) -> None:
        """Ask for the next generation."""
        self.wanted = False
        self.newest += 1
        self._do(actions.Load(self.newest))

    def succeed(self, roster: Roster) -> None:
        """It serves, and alone."""
        words = f"reloaded: {roster}"
        self._do(actions.Log(INFO, words))
        self._do(actions.Verdict(self.newest, ExitCode.STOPPED, words))

    def fail(self, reason: str, *, code: int) -> str:
        """It cannot be; return the verdict."""
        words = f"reload refused, nothing changed: {reason}"
        self._do(actions.Log(ERROR, words))
        self._do(actions.Verdict(self.newest, code, words))
        return words

    def leave(self) -> None:
        """Who waits for the next one need not: a new master reads the file."""
        if self.wanted:
            words = "a new master has taken over, and reads the file"
            self._do(actions.Verdict(self.newest + 1, ExitCode.STOPPED, words))
        self.wanted = False
