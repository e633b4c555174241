"""The metrics of the server in the words of Prometheus (prometheus.io/docs/practices/naming).

This module alone needs prometheus_client, of the extra `metrics`, and is loaded where a mount shows
metrics and nowhere else: it is 40 ms and some 5 MiB in each worker.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from forkhttpd.chronicle import BOUNDS
from forkhttpd.overview import Overview

_BUCKETS = (*map(str, BOUNDS), "+Inf")
_STATES = ("starting", "ready", "draining")


def expose(overview: Overview, accept: str) -> tuple[str, bytes]:
    """Return the type and the text of a scrape, in the format that `accept` asks for."""
    encode, content_type = choose_encoder(accept)
    return content_type, encode(_Collector(overview))


class _Collector(Collector):
    """What prometheus_client collects from: one overview."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterable[Metric]:
        yield from _server(self._overview)
        yield from _answers(self._overview)
        yield from _processes(self._overview)
        yield from _pools(self._overview)


def _server(overview: Overview) -> Iterator[Metric]:
    build = InfoMetricFamily("forkhttpd_build", "The version of forkhttpd.")
    build.add_metric((), {"version": overview.version})
    yield build
    yield _gauge("start_time_seconds", "When counting began, since the epoch.", overview.since)
    yield _gauge("generation", "Number of the configuration that serves.", overview.generation)
    reloads = CounterMetricFamily(
        "forkhttpd_reloads", "Reloads, by their verdict.", labels=("verdict",)
    )
    for verdict, count in overview.reloads.items():
        reloads.add_metric((verdict,), count)
    yield reloads


def _answers(overview: Overview) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "forkhttpd_requests", "Requests answered.", labels=("site", "method", "status")
    )
    for labels, count in sorted(overview.totals.answers.items()):
        requests.add_metric(labels, count)
    yield requests
    sent = CounterMetricFamily(
        "forkhttpd_sent_bytes", "Bytes of the bodies of answers.", labels=("site",)
    )
    for site, size in sorted(overview.totals.sent.items()):
        sent.add_metric((site,), size)
    yield sent
    times = HistogramMetricFamily(
        "forkhttpd_request_duration_seconds",
        "From a request's whole header to the last byte of its answer: by us, or by a program.",
        labels=("kind",),
    )
    for kind, one in overview.totals.times.items():
        counts = zip(_BUCKETS, accumulate(one.buckets), strict=True)
        times.add_metric((kind,), list(counts), one.seconds)
    yield times


def _processes(overview: Overview) -> Iterator[Metric]:
    workers = overview.workers
    active = sum(one.in_flight for one in workers)
    connections = sum(one.connections for one in workers)
    yield _gauge("requests_in_flight", "Requests that are being answered.", active)
    yield _gauge("connections", "Open connections.", connections)
    states = GaugeMetricFamily("forkhttpd_workers", "Workers, by state.", labels=("state",))
    for state in _STATES:
        states.add_metric((state,), sum(one.state == state for one in workers))
    yield states
    words = "Seconds in which the loop of a worker had something to do."
    yield CounterMetricFamily("forkhttpd_worker_busy_seconds", words, value=overview.busy)
    words = "Connections that a limit kept out."
    yield CounterMetricFamily("forkhttpd_turned_away", words, value=overview.turned_away)
    ended = CounterMetricFamily(
        "forkhttpd_processes_ended", "Workers and spawners that have ended.", labels=("role",)
    )
    memory = GaugeMetricFamily(
        "forkhttpd_memory_bytes",
        "Resident memory; what processes share is counted in each.",
        labels=("role",),
    )
    for role, processes in (("worker", workers), ("spawner", overview.spawners)):
        ended.add_metric((role,), overview.ended[role])
        memory.add_metric((role,), sum(one.memory for one in processes))
    yield ended
    yield memory


def _pools(overview: Overview) -> Iterator[Metric]:
    for name, words in _POOL_GAUGES.items():
        gauge = GaugeMetricFamily(f"forkhttpd_pool_{name}", words, labels=("pool",))
        for pool, counts in overview.pools.items():
            gauge.add_metric((pool,), getattr(counts, name))
        yield gauge
    for name, words in _POOL_COUNTERS.items():
        counter = CounterMetricFamily(f"forkhttpd_pool_{name}", words, labels=("pool",))
        for pool, counts in overview.pools.items():
            counter.add_metric((pool,), getattr(counts, name.removesuffix("_seconds")))
        yield counter
    cpu = CounterMetricFamily(
        "forkhttpd_pool_cpu_seconds", "CPU time of programs that ended.", labels=("pool", "mode")
    )
    for pool, counts in overview.pools.items():
        cpu.add_metric((pool, "user"), counts.user)
        cpu.add_metric((pool, "system"), counts.system)
    yield cpu


_POOL_GAUGES = {
    "running": "Programs that run.",
    "queued": "Requests that wait for a place in the pool.",
}
_POOL_COUNTERS = {
    "started": "Programs started.",
    "refused": "Requests that the pool had no place for.",
    "failed": "Programs that exited with another code than 0.",
    "killed": "Programs that a signal ended.",
    "overdue": "Programs that were ended because their time was up.",
    "starved": "Programs that were ended for needing more memory than they may have.",
    "wall_seconds": "How long programs ran, of those that ended.",
    "waited_seconds": "How long requests waited for their place.",
}


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"forkhttpd_{name}", words, value=value)
