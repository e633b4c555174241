"""One step each: a case put on a running server, and the values that come of it.

The names of the values are those of the quantities in `summary`.
"""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.benchmark.case import Ability, Case, Field
from scripts.benchmark.crowd import crowd, crowd_size
from scripts.benchmark.latency import LatencyError, latencies, percentile
from scripts.benchmark.load import check, finish, run_wrk, running_wrk
from scripts.benchmark.memory import proportional_bytes
from scripts.benchmark.probe import await_first_answer
from scripts.benchmark.running import RunningServer, ServerError, Surroundings
from scripts.benchmark.server import Server
from scripts.benchmark.site import SMALL
from scripts.benchmark.slow import MOST as MOST_SLOW
from scripts.benchmark.slow import slow_clients

# Until servers have written their batched log lines and programs that were cut off have ended.
_SETTLE = 0.1
# Until a server that has just started, or just answered, does nothing more.
_CALM = 0.3
_RAMP = 0.5  # until as many programs run as will, and all that have connected are accepted
_VISITS = 200  # a second
_RELOADS_LEAST = 3
_RELOAD_DEADLINE = 5.0
_FEWEST_IN_A_CROWD = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The values of a step, and how many requests the server should have logged for it."""

    values: Mapping[str, float]
    requests: int


def measure_load(
    wrk: Path, running: RunningServer, case: Case, fields: tuple[Field, ...], *, seconds: int
) -> Outcome:
    """Requests and CPU time.  Raises LoadError."""
    before = running.cpu_seconds()
    port = running.port_for(case)
    load = run_wrk(wrk, case, port=port, seconds=seconds, fields=fields)
    check(load, case, keeps=running.server.keeps)
    time.sleep(_SETTLE)
    cpu = (running.cpu_seconds() - before) * 1e6 / load.requests
    values = {"rate": load.rate}
    if running.counts(case.needs):
        values["cpu"] = cpu
    return Outcome(values, load.requests)


def measure_busy(wrk: Path, running: RunningServer, case: Case, *, seconds: int) -> Outcome:
    """How long a visitor waits for a file while the server is busy with programs.

    Raises LoadError, LatencyError.
    """
    with running_wrk(wrk, case, port=running.port, seconds=seconds + 1) as process:
        time.sleep(_RAMP)
        waits = latencies(running.port, SMALL, rate=_VISITS, seconds=seconds)
        load = finish(process)
    check(load, case, keeps=running.server.keeps)
    time.sleep(_SETTLE)
    values = {
        "wait50": percentile(waits, 0.5) * 1e3,
        "wait99": percentile(waits, 0.99) * 1e3,
        "programs": load.rate,
    }
    return Outcome(values, load.requests + len(waits))


def measure_slow(running: RunningServer, *, seconds: int) -> Outcome:
    """How long a visitor waits for a file beside thousands of slow clients.

    Raises LatencyError, also when there cannot be thousands.
    """
    size = min(MOST_SLOW, crowd_size())
    if size < _FEWEST_IN_A_CROWD:
        raise LatencyError(f"the limit on descriptors allows {size} slow clients only")
    with slow_clients(running.port, size=size):
        time.sleep(_RAMP)
        waits = latencies(running.port, SMALL, rate=_VISITS, seconds=seconds)
    time.sleep(_SETTLE)
    values = {"slow50": percentile(waits, 0.5) * 1e3, "slow99": percentile(waits, 0.99) * 1e3}
    return Outcome(values, len(waits))


def measure_reload(wrk: Path, running: RunningServer, case: Case, *, seconds: int) -> Outcome:
    """What clients notice of reloads.  Raises LoadError; ServerError if there were none."""
    calm = run_wrk(wrk, case, port=running.port, seconds=seconds)
    check(calm, case, keeps=running.server.keeps)
    reloads = max(seconds, _RELOADS_LEAST)
    with running_wrk(wrk, case, port=running.port, seconds=reloads) as process:
        for _ in range(reloads):
            time.sleep(0.5)
            known = _pids(running)
            running.reload()
            time.sleep(0.5)
        disturbed = finish(process)
    _await_others(running, known)
    values = {
        "failures": float(sum(disturbed.failures.values())),
        "p99-calm": calm.p99 / 1e3,
        "p99-reload": disturbed.p99 / 1e3,
        "slowdown": disturbed.p99 / calm.p99,
    }
    return Outcome(values, calm.requests + disturbed.requests)


def _await_others(running: RunningServer, known: set[int]) -> None:
    """Wait for processes that are not among the `known` ones: a reload has brought them.

    lighttpd begins within a second, after its old workers have ended.
    """
    deadline = time.monotonic() + _RELOAD_DEADLINE
    while _pids(running) <= known:
        if time.monotonic() > deadline:
            raise ServerError(f"{running.server.name} was told to reload and did not")
        time.sleep(_SETTLE)
    time.sleep(_CALM)


def _pids(running: RunningServer) -> set[int]:
    return {process.pid for process in running.members()}


def measure_alone(server: Server, surroundings: Surroundings) -> Outcome:
    """Start a server of its own; how long until it answers, and what it holds when idle.

    Raises ServerError, WrongAnswerError, LatencyError.
    """
    with tempfile.TemporaryDirectory(dir=surroundings.directory) as name:
        directory = Path(name)
        directory.chmod(0o755)
        running = RunningServer(server, replace(surroundings, directory=directory))
        try:
            running.start(surroundings)
            await_first_answer(running.port, SMALL, surroundings.site.bodies[SMALL])
            values = {"start": (time.monotonic() - running.launched) * 1e3}
            return Outcome(values | _weigh(running), 1)
        finally:
            running.stop()


def _weigh(running: RunningServer) -> dict[str, float]:
    """The memory of the whole tree, and of one idle connection more; empty if we may not look."""
    before = _settled_bytes(running)
    if before is None:
        return {}
    values = {"memory": before / (1 << 20)}
    size = crowd_size()
    if Ability.CROWDS in running.server.abilities and size >= _FEWEST_IN_A_CROWD:
        with crowd(running.port, SMALL, size=size):
            after = _settled_bytes(running)
        if after is not None:
            values["connection"] = (after - before) / size / 1024
    return values


def _settled_bytes(running: RunningServer) -> int | None:
    time.sleep(_CALM)
    return proportional_bytes(process.pid for process in running.members())
