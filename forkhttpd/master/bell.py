"""The bell that children ring when they have come further; their slots say who, and how far."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

from forkhttpd.master import events
from forkhttpd.master.child import Child, State
from forkhttpd.scoreboard import Cell, Scoreboard, SlotState

# What a child shows, and what that is to us while we take it to be in this state.
_NEWS: Mapping[tuple[State, int], type[events.Ready | events.Yielded]] = {
    (State.STARTING, SlotState.READY): events.Ready,
    (State.YIELDING, SlotState.DRAINING): events.Yielded,
}


class Bell:
    """fd: what children write to, and what becomes readable then."""

    __slots__ = ("_scoreboard", "fd")

    def __init__(self, scoreboard: Scoreboard) -> None:
        self._scoreboard = scoreboard
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def answer(self, children: Iterable[Child]) -> Iterator[events.Event]:
        """Return what is new of these, whoever rang."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.fd)
        return (event for child in children for event in self._news(child))

    def _news(self, child: Child) -> Iterator[events.Event]:
        slot = self._scoreboard.slot(child.slot)
        news = _NEWS.get((child.state, slot.get(Cell.STATE)))
        if news is not None:
            yield news(child.slot)
        if slot.get(Cell.WORN) and not child.worn:
            yield events.Worn(child.slot)
