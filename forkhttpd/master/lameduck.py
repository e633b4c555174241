"""The time between the word that we stop and the stop: lame duck, for whoever balances loads.

All goes on as before: connections are accepted, workers that die are replaced.  But workers say on
each answer that it is the connection's last, and that they are not ready where they are asked for
that; so a balancer has time to notice, and nobody is ever refused.
"""

import signal
from collections.abc import Callable, Iterable
from logging import INFO

from forkhttpd.inheritance import Role
from forkhttpd.master import actions
from forkhttpd.master.child import NEVER, Child
from forkhttpd.master.roster import Roster, Stage

# Of workers alone, and once they are READY; what it says is theirs to know.
SOON = signal.SIGUSR2


class LameDuck:
    """until: when the stop begins; NEVER before and after."""

    __slots__ = ("_do", "until")

    def __init__(self, do: Callable[[actions.Action], None]) -> None:
        self._do = do
        self.until = NEVER

    def begin(self, rosters: Iterable[Roster], now: float) -> bool:
        """Tell those that serve; False if no time was asked for."""
        serving = [roster for roster in rosters if roster.stage is Stage.SERVING]
        patience = max((roster.plan.lame_duck for roster in serving), default=0.0)
        if not patience:
            return False
        self.until = now + patience
        self._do(actions.Log(INFO, f"stopping in {patience:g} s, and not ready from now on"))
        for child in [child for roster in serving for child in roster.workers.members]:
            if child.is_running:
                self._do(actions.Kill(child, SOON))
        return True

    def greet(self, child: Child) -> None:
        """Tell a worker that has just become ready."""
        if self.until < NEVER and child.role is Role.WORKER:
            self._do(actions.Kill(child, SOON))

    def is_over(self, now: float) -> bool:
        """Whether the stop is to begin; once."""
        if now < self.until:
            return False
        self.until = NEVER
        return True
