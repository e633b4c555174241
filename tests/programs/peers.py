"""The programs of other hands that these tests run: they are installed, or the tests say so."""

import os
import shutil

import pytest


def need(program: str, *, package: str) -> str:
    """Return a program's path; without it the test is skipped, and with CI set it fails.

    program: a command or the path of any file; package: Debian's, that brings it.
    """
    found = program if os.path.exists(program) else shutil.which(program)
    if found is None:
        message = f"there is no {program}: apt-get install --no-install-recommends {package}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
