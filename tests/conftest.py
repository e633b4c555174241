"""What all tests take for granted of the process that runs them."""

import signal
from pathlib import Path

import pytest

# A shell without job control starts what is in its background with SIGINT ignored, and whoever is
# executed from here would go on ignoring it: Ctrl-C could not be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Directories whose tests share what is dear to make: booted machines, a browser, repositories.
_TOGETHER = ("browser", "programs", "systemd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, on one of the processes that test side by side, what shares fixtures."""
    tests = Path(__file__).parent
    for item in items:
        directory, *_ = item.path.relative_to(tests).parts
        group = directory if directory in _TOGETHER else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
