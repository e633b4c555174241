"""What is measured in which order, and the samples that come of it.

Rounds are the outermost loop: a bad minute of the machine spoils one round of every case, not
every round of one case.  Within a round the servers of a case follow each other at once, in an
order drawn anew each time, so that none always comes after the same neighbour.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.case import Case
from scripts.benchmark.load import Load, LoadError, run_wrk
from scripts.benchmark.probe import WrongAnswerError, await_right_answer
from scripts.benchmark.running import RunningServer, ServerError
from scripts.benchmark.site import Site

_WARM_UP_SECONDS = 1
# Until servers have written their batched log lines and programs that were cut off have ended.
_SETTLE = 0.1
# No line of an access log is shorter: address, time, request, status, length.
_SHORTEST_LOG_LINE = 60


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: measure `server` with `case` in `round` (0 is the warm-up)."""

    round: int
    case: Case
    server: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What one step measured; `cpu` is the server's CPU time per request in µs, None if unknown."""

    round: int
    case: str
    server: str
    load: Load
    cpu: float | None


def plan(entries: Sequence[tuple[Case, Sequence[str]]], *, rounds: int, seed: int) -> list[Step]:
    """The steps of a run: a warm-up, then `rounds` rounds.  `entries` are the cases, each with the
    names of its servers; the same seed draws the same orders."""
    draw = random.Random(seed)
    return [
        Step(number, case, server)
        for number in range(rounds + 1)
        for case, servers in entries
        for server in draw.sample(servers, len(servers))
    ]


@dataclass(frozen=True, slots=True)
class Bench:
    """The things that a run needs: wrk, the site, and the running servers by name."""

    wrk: Path
    site: Site
    servers: dict[str, RunningServer]
    seconds: int

    def run(self, steps: Iterable[Step], announce: Callable[[Step], None]) -> Iterator[Sample]:
        """Take the steps, each announced first, and give the samples of all but the warm-up.

        Raises ServerError, which names the case and the server, at the first thing that is wrong.
        """
        answered: dict[str, int] = dict.fromkeys(self.servers, 0)
        for step in steps:
            announce(step)
            sample = self._take(step)
            answered[step.server] += sample.load.requests
            if step.round > 0:
                yield sample
        for name, requests in answered.items():
            self._check_log(self.servers[name], requests)

    def _take(self, step: Step) -> Sample:
        running = self.servers[step.server]
        try:
            if step.round == 0:
                body = self.site.bodies[step.case.path]
                await_right_answer(running.port, step.case, body)
            return self._measure(running, step)
        except (LoadError, WrongAnswerError) as error:
            what = f"{step.server}, case {step.case.name}: {error}"
            raise ServerError(f"{what}\n{running.complaints()}") from error

    def _measure(self, running: RunningServer, step: Step) -> Sample:
        seconds = self.seconds if step.round > 0 else _WARM_UP_SECONDS
        before = running.cpu_seconds()
        load = run_wrk(self.wrk, step.case, port=running.port, seconds=seconds)
        time.sleep(_SETTLE)
        cpu = (running.cpu_seconds() - before) * 1e6 / load.requests
        running.take_log()
        known = cpu if running.counts(step.case.ability) else None
        return Sample(step.round, step.case.name, step.server, load, known)

    def _check_log(self, running: RunningServer, requests: int) -> None:
        """A server that keeps no log has less to do.  Its end makes it write what it held back."""
        running.stop()
        logged = running.take_log()
        if running.server.keeps_log and logged < requests * _SHORTEST_LOG_LINE:
            raise ServerError(
                f"{running.server.name} answered {requests} requests, but its access log had only "
                f"{logged} bytes: not every request was logged"
            )
