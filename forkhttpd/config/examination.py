"""A configuration file, from its text to what this machine says to it.

A file that still says what it said need not be parsed again: with pydantic's import that is half of
what a reload costs (232 ms of CPU become 108).  A new certificate or a new list of passwords, which
most reloads are for, leaves the file as it is.
"""

import os
from pathlib import Path

from forkhttpd.config.check import Report, check
from forkhttpd.config.reading import Reading
from forkhttpd.config.source import Source, read
from forkhttpd.config.tables import Config
from forkhttpd.errors import ConfigError


def examine(file: Path, *, allow_root: bool) -> tuple[Config, Report]:
    """Return a configuration and what this machine says to it.  Raises ConfigError."""
    source = read(file)
    config = _parse(source)
    return config, _check(config, source, allow_root=allow_root)


def accept(file: Path, *, allow_root: bool, last: Reading | None = None) -> Reading:
    """Return what a file comes to that can run here.  Raises ConfigError.

    last: what the same file came to before.
    """
    source = read(file)
    config = last.config if last and last.text == source.text else _parse(source)
    report = _check(config, source, allow_root=allow_root)
    if report.problems:
        raise ConfigError(report.problems)
    return Reading(source.text, config, report.warnings)


def _parse(source: Source) -> Config:
    from forkhttpd.config.load import parse

    return parse(source)


def _check(config: Config, source: Source, *, allow_root: bool) -> Report:
    return check(config, source, uid=os.geteuid(), allow_root=allow_root)
