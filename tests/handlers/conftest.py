"""Fixtures of the handlers' tests."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from forkhttpd.config import Mount
from forkhttpd.handlers.cache import Cache
from forkhttpd.handlers.docroot import Docroot
from forkhttpd.handlers.resolver import BY_KERNEL, BY_WALKING, Opener, Symlinks
from forkhttpd.handlers.static import Static
from tests.config.files import table
from tests.handlers.driver import MEDIA_TYPES, Serve

NOBODY = 65534


@pytest.fixture(params=[BY_KERNEL, BY_WALKING], ids=["kernel", "walking"])
def openers(request: pytest.FixtureRequest) -> Mapping[Symlinks, Opener]:
    """Each resolver in turn: what holds for the one holds for the other."""
    chosen: Mapping[Symlinks, Opener] = request.param
    return chosen


@pytest.fixture
def opener(openers: Mapping[Symlinks, Opener]) -> Opener:
    """Each resolver in turn, by the policy that a mount has by default."""
    return openers["inside"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty docroot; beside it lies what must not be served."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.txt").write_text("SECRET")
    directory = tmp_path / "www"
    directory.mkdir()
    return directory


@pytest.fixture
def serve(root: Path, openers: Mapping[Symlinks, Opener]) -> Serve:
    """Make a handler for the docroot; keys of a mount, a cache and a clock by name."""

    def make(
        *,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.time,
        directory: Path = root,
        is_program: Callable[[int], bool] | None = None,
        **keys: object,
    ) -> Static:
        mount = table(Mount, {"docroot": str(directory), **keys})
        return Static(
            mount,
            media_types=MEDIA_TYPES,
            docroot=Docroot(directory, opener=openers[mount.symlinks]),
            cache=cache,
            is_program=is_program,
            clock=clock,
        )

    return make


@pytest.fixture
def page(root: Path) -> Path:
    """A small file of ten bytes that was last changed at a full second, years ago."""
    path = root / "page.html"
    path.write_bytes(b"0123456789")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def powerless(root: Path) -> Iterator[Path]:
    """A docroot while we are not root, for whom every file is readable."""
    directory = Path(tempfile.mkdtemp(prefix="forkhttpd-test-"))
    directory.chmod(0o755)
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(directory, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield directory
    finally:
        if was_root:
            os.seteuid(0)
        for path, _, _ in os.walk(directory):
            os.chmod(path, 0o755)
        shutil.rmtree(directory)
