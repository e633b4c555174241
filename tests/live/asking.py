"""What a running daemon says about itself, for tests that count."""

from pathlib import Path
from typing import Any

from forkhttpd.inquiry import ask
from tests.live.daemon import DEADLINE, Daemon, wait_for


def control(running: Daemon) -> Path:
    """Return the path of its control socket, beside its PID file."""
    return running.directory / "forkhttpd.control"


def status(running: Daemon) -> dict[str, Any]:
    """Return what `forkhttpd status --json` prints."""
    return ask(control(running), "status", patience=DEADLINE)


def ready_workers(running: Daemon) -> list[dict[str, Any]]:
    """Return the workers that serve."""
    return [one for one in status(running)["workers"] if one["state"] == "ready"]


def await_workers(running: Daemon, count: int) -> None:
    """Wait until so many workers serve, no more and no fewer."""
    wait_for(lambda: len(ready_workers(running)) == count, f"{count} workers")
