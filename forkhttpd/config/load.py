"""From a file to a Config: every problem of the file at once, or a value that can be trusted.

Nothing here looks at the machine (`forkhttpd.config.check` does), so the same file gives the same
answer everywhere.
"""

from pathlib import Path

from forkhttpd.config import conflicts
from forkhttpd.config.reading import read_value
from forkhttpd.config.source import Source, read
from forkhttpd.config.tables import Config
from forkhttpd.errors import ConfigError


def load(path: Path) -> Config:
    """Return the file's configuration.

    Raises ConfigError with every problem, one line each and in the order of the file:
    `FILE:LINE: [table] key: what is wrong; what would be right`.
    """
    return parse(read(path))


def parse(source: Source) -> Config:
    """Return the configuration that a source spells.  Raises ConfigError with every problem."""
    config: Config | None
    config, problems = read_value(Config, source.document, source.directory)
    problems += conflicts.findings(source)
    if config is None or problems:
        raise ConfigError(source.tell(problems))
    return config
