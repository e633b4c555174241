"""A visit to one mount of files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.visit import AGENT, LAST, PAGE, Visit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "www"
    root.mkdir()
    (root / "page.html").write_bytes(b"one")
    return root


@pytest.fixture
def visit(root: Path, tmp_path: Path) -> Iterator[Visit]:
    visit = Visit(root, log=tmp_path / "access.log")
    yield visit
    visit.close()


@pytest.fixture
def large(visit: Visit, root: Path) -> bytes:
    """The content of a page that is sent from its file, and known already."""
    content = os.urandom(300_000)
    (root / "page.html").write_bytes(content)
    client = visit.connect()
    for request in (PAGE, AGENT, LAST):
        assert visit.ask(client, request).endswith(content)
    return content
