"""What a master has from its start on, whether it was made or inherited."""

from dataclasses import dataclass

from forkhttpd.master.daemon import Readiness
from forkhttpd.master.generations import Generations
from forkhttpd.master.pidfile import PidFile
from forkhttpd.master.predecessor import Predecessor
from forkhttpd.master.successor import Command
from forkhttpd.master.systemd import Notifier
from forkhttpd.scoreboard import Scoreboard


@dataclass(frozen=True, slots=True)
class Estate:
    """command: how we were started; lock: the PID file, None without one; predecessor: the old
    master of an upgrade, None for everybody else; readiness: who waits for word of our start.
    """

    command: Command
    generations: Generations
    lock: PidFile | None
    notifier: Notifier
    predecessor: Predecessor | None
    readiness: Readiness
    scoreboard: Scoreboard
