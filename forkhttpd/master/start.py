"""The start of a master: what is done while there is still somebody to tell what went wrong.

Binding and locking come first, detaching after them, the PID file's text after that; only then is
there a Master.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from setproctitle import setproctitle

from forkhttpd.config import Config
from forkhttpd.master import daemon, pidfile
from forkhttpd.master.estate import Estate
from forkhttpd.master.generations import Generations
from forkhttpd.master.handover import Handover, Heirloom, take
from forkhttpd.master.master import Master, Programs
from forkhttpd.master.policy import Policy
from forkhttpd.master.predecessor import Predecessor
from forkhttpd.master.succession import Situation
from forkhttpd.master.successor import Command
from forkhttpd.master.systemd import Notifier
from forkhttpd.scoreboard import Scoreboard

# Its end would end the container, whoever serves by then.
_FIRST_PROCESS = "the master is process 1 here, and cannot leave to another; restart the container"


def run(
    config: Config,
    *,
    load: Callable[[], Config],
    programs: Programs,
    daemonize: bool,
    path: Path | None = None,
) -> int:
    """Serve until told to stop and return the exit code.

    `load` reads the configuration again for a reload and raises StartupError when it is wrong;
    `path` is its file, for the process title.  With `daemonize` the launching process leaves
    inside, with the daemon's verdict, and only the daemon returns.
    Raises StartupError when there is nothing to start: an address or the PID file is taken, a log
    cannot be opened.
    """
    command = Command.ours()
    daemon.fill_standard_streams()
    with contextlib.ExitStack() as closing:
        notifier = Notifier(os.environ)
        closing.callback(notifier.close)
        given = take(os.environ)
        predecessor = Predecessor(given) if given.is_upgrade else None
        generations = Generations(given.activation, given.listeners)
        closing.callback(generations.close_all)
        # Binding and locking come first: what fails now is told to the person who is looking.
        lock = _claim(config.pid_file, given, closing)
        generations.open(1, config)
        held = [*generations.fds(), notifier.fileno(), lock.fileno() if lock else -1]
        readiness = _let_go(held, predecessor, daemonize=daemonize)
        with readiness.telling():
            estate = Estate(
                command=command,
                generations=generations,
                lock=lock,
                notifier=notifier,
                predecessor=predecessor,
                readiness=readiness,
                scoreboard=_scoreboard(given),
            )
            if daemonize or predecessor is not None:
                generations.reopen_logs()  # "stdout" and "stderr" are others now
            if lock is not None and predecessor is None:
                lock.write()
            setproctitle(f"forkhttpd: master [{path}]" if path else "forkhttpd: master")
            situation = _situation(estate, daemonize=daemonize)
            policy = Policy(generations[1].plan(), situation)
            master = Master(policy, estate, load=load, programs=programs)
            closing.callback(master.close)
        return master.serve()


def _claim(
    path: Path | None, given: Handover, closing: contextlib.ExitStack
) -> pidfile.PidFile | None:
    fd = given.heirlooms.get(Heirloom.PID_FILE)
    lock = pidfile.inherit(path, fd) if fd is not None else None
    if lock is None and path is not None:
        lock = pidfile.claim(path)
    if lock is not None:
        closing.callback(lock.remove)
    return lock


def _let_go(
    held: list[int], predecessor: Predecessor | None, *, daemonize: bool
) -> daemon.Readiness:
    """Let go of the launching command, or of the old master; return how it hears from us."""
    if predecessor is not None:  # we are as detached as it was
        predecessor.restore_stderr()
        if daemonize:
            os.chdir("/")
        return predecessor.readiness()
    return daemon.detach(fd for fd in held if fd >= 0) if daemonize else daemon.Readiness(-1)


def _scoreboard(given: Handover) -> Scoreboard:
    fd = given.heirlooms.get(Heirloom.SCOREBOARD)
    if fd is not None:
        try:
            return Scoreboard.follow(fd)
        except ValueError:  # of a version that counts differently
            os.close(fd)
    return Scoreboard.create()


def _situation(estate: Estate, *, daemonize: bool) -> Situation:
    return Situation(
        daemonized=daemonize,
        slots=estate.scoreboard.free_slots(),
        watchdog=estate.notifier.watchdog,
        has_predecessor=estate.predecessor is not None,
        alone=_FIRST_PROCESS if os.getpid() == 1 else "",
    )
