"""Samples as a run would give them, from the few numbers that a test is about."""

from scripts.benchmark.load import Load
from scripts.benchmark.rounds import Sample


def sample(
    server: str, number: int, *, case: str = "1k", cpu: float | None = 10.0, rate: int = 1000
) -> Sample:
    """What `server` did in round `number`: `rate` requests in one second, `cpu` µs for each."""
    return Sample(number, case, server, Load(rate, 1.0, rate * 1024, 300, 900), cpu)
