"""Configuration files for tests: the smallest right one, in two halves."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from forkhttpd.config.load import load
from forkhttpd.errors import ConfigError

T = TypeVar("T")

LISTEN = '[[listen]]\naddress = "127.0.0.1:8000"\n'  # lines 1 and 2
SITE = '[[site]]\n[[site.mount]]\ndocroot = "www"\n'  # lines 3 to 5; what is added is a mount's
WHOLE = LISTEN + SITE


def table(kind: type[T], keys: Mapping[str, object], *, directory: Path = Path("/")) -> T:
    """Return the table that has these keys, which are spelled as in a file of the directory."""
    meant = TypeAdapter(kind).validate_python(keys, context={"directory": directory})
    assert isinstance(meant, kind)
    return meant


def write(directory: Path, text: str, *, name: str = "forkhttpd.conf") -> Path:
    """Return the path of a configuration file with this text."""
    file = directory / name
    file.write_text(text)
    return file


def problems_of(file: Path) -> list[str]:
    """Return what is wrong with a file, without its name; [] if it loads."""
    try:
        load(file)
    except ConfigError as wrong:
        problems = wrong.problems
    else:
        problems = []
    prefix = f"{file}:"
    assert all(problem.startswith(prefix) for problem in problems)
    return [problem.removeprefix(prefix) for problem in problems]
