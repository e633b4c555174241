"""All of a worker that decides who may ask, and how much, joined from the configuration."""

import logging

from forkhttpd.access import htpasswd
from forkhttpd.access.htpasswd import Verifiers
from forkhttpd.access.meter import Meter
from forkhttpd.config import Config
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.inheritance import Inheritance
from forkhttpd.loop import Loop
from forkhttpd.worker import headcount
from forkhttpd.worker.counting import Counting
from forkhttpd.worker.desk import Desk
from forkhttpd.worker.guards import Guards, asks_for_passwords
from forkhttpd.worker.headcount import Headcount
from forkhttpd.worker.notice import Notice
from forkhttpd.worker.pace import Pace


def load_verifiers(config: Config) -> Verifiers:
    """Return what passwords are verified by, {} where none are asked for.

    Before rights are dropped: a package may lie where only root reads it.  Raises StartupError.
    """
    if not asks_for_passwords(config):
        return {}
    try:
        return htpasswd.load_verifiers()
    except ImportError as error:
        words = f"passwords cannot be verified: {error}; {htpasswd.INSTALL}"
        raise StartupError(words, exit_code=ExitCode.CONFIG) from None


class Gate:
    """guards: for the mounts; headcount and pace: None where nothing is limited."""

    __slots__ = ("_desk", "_needs_desk", "guards", "headcount", "pace")

    def __init__(
        self, inheritance: Inheritance, *, known: Verifiers, loop: Loop, log: logging.Logger
    ) -> None:
        """`known`: what passwords are verified by, {} where none are asked for."""
        config, census = inheritance.config, inheritance.census
        limits, counting = config.limits, Counting(config, census)
        self._desk = Desk(loop, known=known, log=log, error_log=inheritance.error_log)
        self._needs_desk = bool(known)
        self.guards = Guards(
            config,
            census=census,
            counting=counting,
            loop=loop,
            log=log,
            verify=self._desk.verify,
        )
        self.headcount: Headcount | None = None
        if headcount.is_wanted(limits):
            notice = Notice("connection refused", loop=loop, log=log)
            slot = inheritance.slot
            self.headcount = Headcount(limits, census, counting=counting, slot=slot, notice=notice)
        self.pace: Pace | None = None
        if limits.rate is not None:
            meter = Meter(census.meter("requests"), limits.rate, burst=limits.burst)
            notice = Notice("requests refused", loop=loop, log=log)
            self.pace = Pace(meter, counting=counting, loop=loop, notice=notice)

    def open(self) -> None:
        """Start what has to run beside the worker.  Raises OSError."""
        if self._needs_desk:
            self._desk.start()
