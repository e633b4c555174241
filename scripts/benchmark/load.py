"""One run of wrk: exact numbers, or an error."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.case import Case

_SCRIPT = Path(__file__).with_name("wrk.lua")
_MARK = "RESULT "
_ERRORS = ("connect", "read", "write", "timeout", "status")


class LoadError(Exception):
    """wrk failed, or saw an answer or a connection fail: the numbers would mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw.  Latencies in µs are those that wrk's clients waited."""

    requests: int
    seconds: float
    received: int
    p50: int
    p99: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def threads() -> int:
    """Threads of wrk: half the cores.  More of them on a small machine take from the server what
    it is measured with: on two cores nginx answers 87 000/s to one thread, 71 000/s to two."""
    return max(1, (os.cpu_count() or 1) // 2)


def run_wrk(wrk: Path, case: Case, *, port: int, seconds: int) -> Load:
    """Put `case` on a server for `seconds`.  Raises LoadError."""
    fields = [f"-H{name}: {value}" for name, value in case.fields]
    size = [f"-t{min(threads(), case.connections)}", f"-c{case.connections}", f"-d{seconds}s"]
    url = f"http://127.0.0.1:{port}{case.path}"
    done = subprocess.run(
        [wrk, *size, "--timeout", "10s", "-s", _SCRIPT, *fields, url],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise LoadError(f"wrk ended with status {done.returncode}: {done.stderr.strip()}")
    return parse_result(done.stdout)


def parse_result(output: str) -> Load:
    """Read what `wrk.lua` had wrk print.  Raises LoadError without it, or if it tells of errors."""
    results = [line for line in output.splitlines() if line.startswith(_MARK)]
    if len(results) != 1:
        raise LoadError(f"wrk printed no result:\n{output}")
    result = json.loads(results[0].removeprefix(_MARK))
    failures = [f"{kind} {result[kind]}" for kind in _ERRORS if result[kind]]
    if failures:
        raise LoadError(f"errors among {result['requests']} requests: {', '.join(failures)}")
    if not result["requests"]:
        raise LoadError("not one request was answered")
    seconds = result["duration"] / 1e6
    return Load(result["requests"], seconds, result["bytes"], result["p50"], result["p99"])
