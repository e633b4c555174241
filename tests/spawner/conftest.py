"""Spawners to test, and what they run under."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON, can_uncover, find

USERS = ("", "nobody") if os.geteuid() == 0 else ("",)


@pytest.fixture(params=[False, True], ids=["cold", "warm"], autouse=True)
def _pools(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever holds for a pool holds for one that is warm."""
    Driver.warm = request.param
    yield
    Driver.warm = False


@pytest.fixture(params=["3.9", "3.11", "3.13"])
def python(request: pytest.FixtureRequest) -> str:
    found = find(request.param)
    if found is None:
        pytest.skip(f"no Python {request.param} here")
    return found


@pytest.fixture(params=USERS, ids=lambda user: user or "self")
def user(request: pytest.FixtureRequest, python: str) -> str:
    name: str = request.param
    if name and not can_uncover(python):
        pytest.skip(f"{name} cannot reach {python}, and there are no mount name spaces here")
    return name


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that every user can reach, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="spawner-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def driver() -> Iterator[Driver]:
    with Driver(PYTHON, kill_grace="500ms") as driver:
        yield driver
