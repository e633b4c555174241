"""One run of wrk: exact numbers, or an error."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.case import Case, Field

_SCRIPT = Path(__file__).with_name("wrk.lua")
_VARIED = Path(__file__).with_name("varied.lua")
_MARK = "RESULT "
_FAILURES = ("connect", "read", "write", "timeout", "status")
_FIRST_ERROR_STATUS = 400


class LoadError(Exception):
    """wrk failed, or saw an answer or a connection fail: the numbers would mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw.  Latencies in µs are those that wrk's clients waited; `failures`
    counts the kinds that occurred, "status" every answer of 400 and above."""

    requests: int
    seconds: float
    received: int
    p50: int
    p99: int
    failures: Mapping[str, int]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def threads() -> int:
    """Threads of wrk: half the cores.  More of them on a small machine take from the server what
    it is measured with: on two cores nginx answers 87 000/s to one thread, 71 000/s to two."""
    return max(1, (os.cpu_count() or 1) // 2)


def run_wrk(
    wrk: Path, case: Case, *, port: int, seconds: int, fields: Sequence[Field] = ()
) -> Load:
    """Put `case` on a server for `seconds`, with `fields` beside its own.  Raises LoadError."""
    with running_wrk(wrk, case, port=port, seconds=seconds, fields=fields) as process:
        return finish(process)


@contextmanager
def running_wrk(
    wrk: Path, case: Case, *, port: int, seconds: int, fields: Sequence[Field] = ()
) -> Iterator[subprocess.Popen[str]]:
    """wrk at work, for something else to be done meanwhile; `finish` gives what it saw."""
    headers = [f"-H{name}: {value}" for name, value in (*case.request_fields, *fields)]
    size = [f"-t{min(threads(), case.connections)}", f"-c{case.connections}", f"-d{seconds}s"]
    script = _VARIED if case.varied else _SCRIPT
    scheme = "https" if case.tls else "http"
    url = f"{scheme}://127.0.0.1:{port}{case.path}"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [wrk, *size, "--timeout", "10s", "-s", script, *headers, url],
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(process: subprocess.Popen[str]) -> Load:
    """Wait until wrk has ended, and read what it saw.  Raises LoadError."""
    output, complaint = process.communicate()
    if process.returncode != 0:
        raise LoadError(f"wrk ended with status {process.returncode}: {complaint.strip()}")
    return parse_result(output)


def parse_result(output: str) -> Load:
    """Read what `wrk.lua` had wrk print.  Raises LoadError without it, or without any answer."""
    results = [line for line in output.splitlines() if line.startswith(_MARK)]
    if len(results) != 1:
        raise LoadError(f"wrk printed no result:\n{output}")
    result = json.loads(results[0].removeprefix(_MARK))
    failures = {kind: result[kind] for kind in _FAILURES if result[kind]}
    if not result["requests"]:
        raise LoadError(f"not one request was answered: {_told(failures)}")
    seconds = result["duration"] / 1e6
    return Load(
        result["requests"], seconds, result["bytes"], result["p50"], result["p99"], failures
    )


def check(load: Load, case: Case, *, keeps: bool) -> None:
    """Raise LoadError if anything failed that must not.

    Of a case whose status is an error, all answers are.  A server that closes every connection
    may do so unannounced (busybox does after a program), which to wrk is a failure to read on.
    """
    failures = dict(load.failures)
    if case.status >= _FIRST_ERROR_STATUS:
        failures["status"] = load.requests - failures.get("status", 0)
    if not keeps and failures.get("read", 0) <= load.requests:
        failures.pop("read", None)
    if any(failures.values()):
        raise LoadError(f"errors among {load.requests} requests: {_told(failures)}")


def _told(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in failures.items() if count)
