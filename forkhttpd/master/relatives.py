"""The masters before and after us, as processes: what is handed over, and who says when.

    new master                                     old master
    starts its workers; all are READY
    writes its pid into the PID file
    says so ─────────────── word ───────────────>  lets it go: it becomes whose child we are
                                                   tells the service manager: MAINPID=
                                                   leaves files that have a name to the new one
               <─────────── hangs up ────────────  and drains
    tells the service manager: READY=1

MAINPID= comes from the old one, because nobody else is listened to where the unit has
NotifyAccess=main, and before it hangs up, because the new one may only then be listened to.
"""

import contextlib
import logging
import os
import select
from collections.abc import Container, Iterable, Iterator

from setproctitle import getproctitle, setproctitle

from forkhttpd import __version__
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.master import actions, events
from forkhttpd.master.child import Child
from forkhttpd.master.estate import Estate
from forkhttpd.master.handover import Heirloom, heirloom_name
from forkhttpd.master.successor import Successor, launch
from forkhttpd.master.systemd import Named

_LOGGER = logging.getLogger("forkhttpd")


class Relatives:
    """Owns what we know the other masters by, and registers it in `poll`."""

    __slots__ = ("_estate", "_poll", "_predecessor", "_successor")

    def __init__(self, estate: Estate, poll: select.poll) -> None:
        self._estate = estate
        self._poll = poll
        self._predecessor = estate.predecessor
        self._successor: Successor | None = None
        if self._predecessor is not None:
            for fd in (self._predecessor.word, self._predecessor.process):
                poll.register(fd, select.POLLIN)

    def close(self) -> None:
        """Forget them."""
        if self._successor is not None:
            self._successor.close()
        if self._predecessor is not None:
            self._predecessor.close()

    def pids(self) -> set[int]:
        """Return those of them that are, or may become, our children."""
        successor = self._successor
        return {successor.pid, successor.nurse} if successor is not None else set()

    # What they say.

    def hear(self, ready: Container[int]) -> Iterator[events.Event]:
        """Return what there is to hear, where these descriptors are readable."""
        successor, predecessor = self._successor, self._predecessor
        if successor is not None and successor.fileno() in ready:
            self._poll.unregister(successor.fileno())  # it has one thing to say
            if successor.listen():
                yield events.SuccessorReady()
        if predecessor is not None and predecessor.word in ready:
            self._poll.unregister(predecessor.word)
            self._take_office()
            yield events.Relieved()
        if predecessor is not None and predecessor.process in ready:
            self._poll.unregister(predecessor.process)
            predecessor.close()
            self._predecessor = None
            _LOGGER.info("the old master has left")
            yield events.PredecessorExited()

    def bury(self, pid: int, status: int) -> Iterator[events.Event]:
        """Return what follows from the end of a process that may be one of them."""
        successor = self._successor
        if successor is not None and successor.nurse == pid:
            successor.nurse = 0
        if successor is None or successor.pid != pid:
            return
        if not successor.is_relieved:
            self._write_pid()
            report = successor.report or successor.last_words()
            yield events.SuccessorExited(os.waitstatus_to_exitcode(status), report)
            with contextlib.suppress(KeyError):  # it has said its one thing
                self._poll.unregister(successor.fileno())
        successor.close()
        self._successor = None

    # What we do for them.

    def perform(self, action: actions.ForRelatives, *, serving: int) -> Iterable[events.Event]:
        """Do one of the actions that are about them; `serving` is the generation that serves."""
        match action:
            case actions.Launch():
                return self._launch(action.child, serving)
            case actions.HandOver():
                self._hand_over()
            case actions.Announce():
                self._write_pid()
                self._estate.readiness.report(ExitCode.STOPPED)
            case actions.Urge():
                if self._predecessor is not None:
                    self._predecessor.urge(action.signal)
        return ()

    def _launch(self, child: Child, serving: int) -> Iterable[events.Event]:
        ourselves = -1
        try:
            ourselves = os.pidfd_open(os.getpid())
            fds = [*self._estate.generations.to_hand_on(serving), *self._heirlooms(ourselves)]
            environment = self._estate.notifier.environment
            self._successor = launch(self._estate.command, fds, environment=environment)
        except OSError as error:
            return (events.SuccessorExited(ExitCode.OSERR, describe(error)),)
        finally:
            if ourselves >= 0:
                os.close(ourselves)
        self._poll.register(self._successor.fileno(), select.POLLIN)
        child.pid = self._successor.pid
        return ()

    def _heirlooms(self, ourselves: int) -> Iterator[Named]:
        yield heirloom_name(Heirloom.PREDECESSOR), ourselves
        yield heirloom_name(Heirloom.SCOREBOARD), self._estate.scoreboard.fd
        if self._estate.lock is not None:
            yield heirloom_name(Heirloom.PID_FILE), self._estate.lock.fileno()

    def _hand_over(self) -> None:
        if self._successor is None:
            return
        self._successor.let_go()
        self._estate.notifier.name_main(self._successor.pid)
        self._estate.generations.leave_files()
        self._successor.hang_up()
        setproctitle(f"{getproctitle()} (retiring)")

    def _take_office(self) -> None:
        self._write_pid()
        self._estate.scoreboard.serve()
        _LOGGER.info("forkhttpd %s takes over", __version__)

    def _write_pid(self) -> None:
        try:
            if self._estate.lock is not None:
                self._estate.lock.write()
        except StartupError as error:
            _LOGGER.error("%s", error)
