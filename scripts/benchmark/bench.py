"""The bench itself: takes the steps of a plan.

Where forkhttpd fails it stops; a peer that cannot do what a case asks is left out of that case.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmark.case import Field, Kind
from scripts.benchmark.latency import LatencyError
from scripts.benchmark.load import LoadError
from scripts.benchmark.measure import (
    Outcome,
    measure_alone,
    measure_busy,
    measure_load,
    measure_reload,
    measure_slow,
)
from scripts.benchmark.peers import SUBJECT, WARM
from scripts.benchmark.probe import WrongAnswerError, await_right_answer
from scripts.benchmark.rounds import Sample, Step
from scripts.benchmark.running import RunningServer, ServerError, Surroundings
from scripts.benchmark.server import Server

_WARM_UP_SECONDS = 1
# No line of an access log is shorter: address, time, request, status, length.
_SHORTEST_LOG_LINE = 60

Announce = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """The things that a run needs: wrk, the servers by name, and how long each is measured.

    failures: why a peer is left out of a case, by both their names.
    """

    wrk: Path
    surroundings: Surroundings
    servers: dict[str, Server]
    seconds: int
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    _fields: dict[tuple[str, str], tuple[Field, ...]] = field(default_factory=dict)

    def run(self, steps: Iterable[Step], announce: Announce) -> Iterator[Sample]:
        """Take the steps, each announced first, and give the samples of all but the warm-up.

        What a server does alone comes first, before any other runs: memory that they share would
        count by the part.  Raises ServerError, which names the case and the server, at the first
        thing that is wrong with ours, or with a peer before or after the cases.
        """
        alone: list[Step] = []
        together: list[Step] = []
        for step in steps:
            (alone if step.case.kind is Kind.ALONE else together).append(step)
        for step in alone:
            announce(step)
            if (step.server, step.case.name) in self.failures:
                continue
            server = self.servers[step.server]
            with self._attempt(step) as outcomes:
                outcomes.append(measure_alone(server, self.surroundings))
            yield from _samples(step, outcomes)
        yield from self._run_together(together, announce)

    def _run_together(self, steps: list[Step], announce: Announce) -> Iterator[Sample]:
        answered = dict.fromkeys((step.server for step in steps), 0)
        with ExitStack() as stack:
            running = {name: self._start(name, stack) for name in answered}
            for step in steps:
                announce(step)
                if (step.server, step.case.name) in self.failures:
                    continue
                with self._attempt(step, running[step.server]) as outcomes:
                    outcomes.append(self._measure(running[step.server], step))
                answered[step.server] += sum(outcome.requests for outcome in outcomes)
                yield from _samples(step, outcomes)
            for name, requests in answered.items():
                _check_log(running[name], requests)

    @contextmanager
    def _attempt(self, step: Step, running: RunningServer | None = None) -> Iterator[list[Outcome]]:
        """Have a step measured; of a peer that cannot do it the outcome stays out."""
        try:
            with _explained(step, running):
                yield []
        except ServerError as error:
            if step.server in (SUBJECT, WARM):
                raise
            self.failures[step.server, step.case.name] = str(error)

    def _start(self, name: str, stack: ExitStack) -> RunningServer:
        running = RunningServer(self.servers[name], self.surroundings)
        stack.callback(running.stop)
        running.start(self.surroundings)
        return running

    def _measure(self, running: RunningServer, step: Step) -> Outcome:
        case, keeps = step.case, running.server.keeps
        known = (case.name, step.server)
        if known not in self._fields:
            site = self.surroundings.site
            self._fields[known] = await_right_answer(
                running.port_for(case), case, site, keeps=keeps
            )
        seconds = self.seconds if step.round > 0 else _WARM_UP_SECONDS
        if case.kind is Kind.BUSY:
            outcome = measure_busy(self.wrk, running, case, seconds=seconds)
        elif case.kind is Kind.SLOW:
            outcome = measure_slow(running, seconds=seconds)
        elif case.kind is Kind.RELOAD:
            outcome = measure_reload(self.wrk, running, case, seconds=seconds)
        else:
            fields = self._fields[known]
            outcome = measure_load(self.wrk, running, case, fields, seconds=seconds)
        running.take_log()
        return outcome


def _samples(step: Step, outcomes: Iterable[Outcome]) -> list[Sample]:
    """The sample of a step; none of the warm-up."""
    if step.round == 0:
        return []
    return [Sample(step.round, step.case.name, step.server, each.values) for each in outcomes]


@contextmanager
def _explained(step: Step, running: RunningServer | None = None) -> Iterator[None]:
    """Whatever goes wrong becomes a ServerError that says where, and what the server said."""
    try:
        yield
    except (LoadError, LatencyError, WrongAnswerError, OSError) as error:
        what = f"{step.server}, case {step.case.name}: {error}"
        said = f"\n{running.complaints()}" if running else ""
        raise ServerError(f"{what}{said}") from error


def _check_log(running: RunningServer, requests: int) -> None:
    """A server that keeps no log has less to do.  Its end makes it write what it held back."""
    running.stop()
    logged = running.take_log()
    if running.server.log and logged < requests * _SHORTEST_LOG_LINE:
        raise ServerError(
            f"{running.server.name} answered {requests} requests, but its access log had only "
            f"{logged} bytes: not every request was logged"
        )
