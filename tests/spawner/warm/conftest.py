"""Here a test says itself whether a pool is warm."""

from pathlib import Path

import pytest

from tests.spawner.interpreters import find
from tests.spawner.warm.scripts import Scripts


@pytest.fixture(autouse=True)
def _pools() -> None:
    """Instead of running everything twice."""


@pytest.fixture(params=["3.9", "3.11", "3.13", "/usr/bin/python3"])
def interpreter(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    found = name if name.startswith("/") and Path(name).exists() else find(name)
    if found is None:
        pytest.skip(f"no Python {name} here")
    return found


@pytest.fixture
def scripts(directory: Path, interpreter: str) -> Scripts:
    return Scripts(directory, interpreter)
