"""What all connections of a worker share: its loop, limits, router, logs and counters."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from forkhttpd.access.proxies import proxies_of
from forkhttpd.config import Config
from forkhttpd.http1.account import Account
from forkhttpd.http1.dates import format_date
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.limits import ParserLimits
from forkhttpd.http1.memory import HeadMemory
from forkhttpd.http1.request import Endpoint, Request
from forkhttpd.http1.response import Response
from forkhttpd.loop import Loop
from forkhttpd.scoreboard import Cell, Slot
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.answers import Answer, Answers, Kind
from forkhttpd.worker.pace import Pace
from forkhttpd.worker.tally import Tally

# Seconds that the line of an answer waits for the end of its program: longer than one that is told
# to end may take (a pool's kill_grace); a line that comes later tells what is known by then.
SETTLE_PATIENCE = 5.0

Refuse = Callable[[Request, HTTPError], Response]


class Retiring(Protocol):
    """A connection, as far as the worker is concerned."""

    @property
    def request(self) -> Request | None:
        """The request that is being answered, if one is."""

    def retire(self, patience: float) -> None:
        """Serve no more than the request at hand, or one that comes within `patience` seconds."""


class Context:
    """One per worker.  Connections count here; once a turn it is published to the scoreboard."""

    __slots__ = (
        "_second",
        "access_log",
        "active",
        "answers",
        "answers_over_tls",
        "bytes_sent",
        "complained",
        "connections",
        "date",
        "draining",
        "limits",
        "log",
        "loop",
        "memory",
        "name",
        "names_answers",
        "pace",
        "patience",
        "proxies",
        "refuse",
        "requests",
        "server",
        "tally",
        "timeouts",
        "unsettled",
    )

    def __init__(
        self,
        config: Config,
        *,
        name: str,
        loop: Loop,
        refuse: Refuse,
        access_log: AccessLog,
        log: logging.Logger,
        tally: Tally | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name = name  # distinguishes the requests of this worker from all others
        self.loop = loop
        self.refuse = refuse
        self.access_log = access_log
        self.log = log
        self.tally = tally
        self.pace = pace
        self.timeouts = config.timeouts
        self.limits = config.limits
        self.server = config.server
        self.proxies = proxies_of(config)
        self.names_answers = config.request_id
        self.memory = HeadMemory(
            ParserLimits(
                request_line=config.limits.request_line,
                header=config.limits.header,
                header_fields=config.limits.header_fields,
            )
        )
        self.answers = Answers()
        self.answers_over_tls = Answers()  # an absolute target may be right here and wrong there
        self.draining = False
        self.patience = config.timeouts.idle  # with a client that asks for nothing
        self.connections: set[Retiring] = set()
        self.unsettled: dict[Request, tuple[int, int, float]] = {}  # status, bytes, when
        self.active = 0
        self.requests = 0
        self.bytes_sent = 0
        self.complained = 0  # bytes of programs' standard error
        self._second = 0
        self.set_time(time.time())

    def set_time(self, seconds: float) -> None:
        """Take the wall clock's time for Date fields and logs; answers of one second share it."""
        second = int(seconds)
        if second != self._second:
            self._second = second
            self.date = format_date(second)
            self.access_log.set_time(second)

    def count(self, request: Request, status: int, sent: int) -> None:
        """Count and log an answer; `sent` is the bytes of its body."""
        self.requests += 1
        self.bytes_sent += sent
        if self.tally is not None:
            self.tally.count(request, status, sent)
        if request.account is None:
            self.access_log.add(request, status, sent, now=self.loop.now)
        elif request.account.is_settled:
            self._log(request, request.account, status, sent, now=self.loop.now)
        else:
            self.unsettled[request] = (status, sent, self.loop.now)
            request.account.tell(partial(self._log_settled, request, request.account))

    def count_known(
        self, who: str, kind: Kind, answer: Answer, sent: int, *, told: str, received: float
    ) -> None:
        """Count and log an answer as `count` would; who, told: parts of its line."""
        self.requests += 1
        self.bytes_sent += sent
        if self.tally is not None:
            host, method = kind.section.host, answer.line.method
            self.tally.count_file(host, method, answer.response.status, sent, received=received)
        self.access_log.add_parts(who, told, kind.told, now=self.loop.now)

    def drain(self) -> None:
        """Answer every request as the last one of its connection."""
        self.draining = True
        for known in (self.answers, self.answers_over_tls):
            known.close()  # they promise that the connection stays

    def log_overdue(self) -> None:
        """Log the answers that have waited long enough for their programs to end."""
        late = self.loop.now - SETTLE_PATIENCE
        while self.unsettled:
            request, (_, _, when) = next(iter(self.unsettled.items()))  # the oldest
            if when > late or request.account is None:
                return
            self._log_settled(request, request.account)

    def _log_settled(self, request: Request, account: Account) -> None:
        """Log an answer when its program has ended, which nothing else waits for (C19)."""
        known = self.unsettled.pop(request, None)
        if known is not None:
            status, sent, now = known
            self._log(request, account, status, sent, now=now)

    def _log(
        self, request: Request, account: Account, status: int, sent: int, *, now: float
    ) -> None:
        self.complained += account.stderr
        self.access_log.add(request, status, sent, now=now)

    def finish(self) -> None:
        """Log what still waits to be logged: there is no time left to wait."""
        for request in list(self.unsettled):
            if request.account is not None:
                self._log_settled(request, request.account)

    def count_refused(self, client: Endpoint, status: int, sent: int) -> None:
        """Count and log the answer to what was no request."""
        self.requests += 1
        self.bytes_sent += sent
        if self.tally is not None:
            self.tally.count_refused(status, sent)
        self.access_log.add_refused(client, status, sent, now=self.loop.now)

    def publish(self, slot: Slot) -> None:
        """Show the counters to the master; what is going on last, for it reads that first."""
        slot.set(Cell.REQUESTS, self.requests)
        slot.set(Cell.BYTES, self.bytes_sent)
        if self.complained:
            slot.set(Cell.COMPLAINED, self.complained)
        slot.set(Cell.CONNECTIONS, len(self.connections))
        slot.set(Cell.ACTIVE, self.active)
