"""The directory that the configurations here are about."""

from pathlib import Path

import pytest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with what the configurations here name."""
    for name in ("www", "cgi-bin", "cgi-bin/inner", "empty"):
        (tmp_path / name).mkdir()
    for name, mode in (("file", 0o644), ("program", 0o755), ("cgi-bin/php", 0o755)):
        (tmp_path / name).touch(mode)
    (tmp_path / "link").symlink_to("cgi-bin")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path
