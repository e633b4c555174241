"""Samples as a run would give them, from the few numbers that a test is about."""

from scripts.benchmark.report import Report
from scripts.benchmark.rounds import Sample


def sample(
    server: str, number: int, *, case: str = "1k", cpu: float | None = 10.0, rate: float = 1000
) -> Sample:
    """What `server` did in round `number`: `rate` requests in one second, `cpu` µs for each."""
    values = {"rate": rate} if cpu is None else {"rate": rate, "cpu": cpu}
    return Sample(number, case, server, values)


def report(samples: list[Sample], **changes: object) -> Report:
    """A report of two rounds with `samples`, and all else as it does not matter."""
    values: dict[str, object] = {
        "samples": samples,
        "servers": ["forkhttpd", "forkhttpd-warm", "nginx", "lighttpd", "floor"],
        "left_out": {},
        "rounds": 2,
        "seconds": 1,
        "seed": 1,
        "accounting": "cgroup v2",
    }
    return Report(**(values | changes))  # type: ignore[arg-type]
