"""The corpus: NAME.http is what a client sends, NAME.json what the parser has to make of it.

why         what the case is about
requests    those that are received, in order: method, path and body always; further members
            (query, version, host, length, keep_alive, expects_continue, fields) where they
            matter; body is null when it is malformed, text is latin-1
error       the status that ends the connection
incomplete  the last message has no end
closes      the last request lets no other follow
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """One file of raw bytes and what is expected of it."""

    name: str
    raw: bytes
    requests: list[dict[str, Any]]
    error: int | None
    incomplete: bool
    closes: bool

    @property
    def goes_on(self) -> bool:
        """Whether another request can follow."""
        return self.error is None and not self.incomplete and not self.closes


def load() -> list[Case]:
    return [_load(path) for path in sorted(Path(__file__).parent.glob("*.http"))]


def _load(path: Path) -> Case:
    expected = json.loads(path.with_suffix(".json").read_text())
    unknown = expected.keys() - {"why", "requests", "error", "incomplete", "closes"}
    if unknown or not expected["why"]:
        raise ValueError(f"{path.stem}: {unknown or 'no reason'}")
    return Case(
        name=path.stem,
        raw=path.read_bytes(),
        requests=expected["requests"],
        error=expected.get("error"),
        incomplete=expected.get("incomplete", False),
        closes=expected.get("closes", False),
    )
