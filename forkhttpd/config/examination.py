"""A configuration file, from its text to what this machine says to it.

Who imports this has pydantic for good, so a master leaves it to a `Reader`.
"""

import os
from pathlib import Path

from forkhttpd.config.check import Report, check
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from forkhttpd.config.tables import Config
from forkhttpd.errors import ConfigError


def examine(file: Path, *, allow_root: bool) -> tuple[Config, Report]:
    """Return a configuration and what this machine says to it.  Raises ConfigError."""
    source = read(file)
    config = parse(source)
    return config, check(config, source, uid=os.geteuid(), allow_root=allow_root)


def accept(file: Path, *, allow_root: bool) -> tuple[Config, list[str]]:
    """Return a configuration that can run here, and its warnings.  Raises ConfigError."""
    config, report = examine(file, allow_root=allow_root)
    if report.problems:
        raise ConfigError(report.problems)
    return config, report.warnings
