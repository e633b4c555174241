"""The old master of an upgrade, as the new one knows it.

It serves until we are ready, and goes on if we fail.  Ready, we tell it; it hangs up the channel
when the service is ours.  It drains after that, and is gone when its pidfd says so; until then it
gets the signals that end us, so that a stop of the service is a stop of both.
"""

import contextlib
import os
import signal

from forkhttpd.master.daemon import Readiness
from forkhttpd.master.handover import Handover, Heirloom


class Predecessor:
    """word: readable when it hangs up; process: a pidfd, readable when it is gone."""

    __slots__ = ("_stderr", "process", "word")

    def __init__(self, handover: Handover) -> None:
        self.word = handover.heirlooms[Heirloom.WORD]
        self.process = handover.heirlooms[Heirloom.PREDECESSOR]
        self._stderr = handover.heirlooms.get(Heirloom.STDERR, -1)

    def readiness(self) -> Readiness:
        """Return what tells it how our start went, once."""
        return Readiness(os.dup(self.word))

    def restore_stderr(self) -> None:
        """Write to the real standard error again, instead of its notepad."""
        if self._stderr >= 0:
            os.dup2(self._stderr, 2)
            os.close(self._stderr)
            self._stderr = -1

    def urge(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, number)

    def close(self) -> None:
        """Forget it."""
        os.close(self.word)
        os.close(self.process)
