"""From a file to a Config: every problem of the file at once, or a value that can be trusted.

Nothing here looks at the machine (`forkhttpd.config.check` does), so the same file gives the same
answer everywhere.
"""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from forkhttpd.config import conflicts, wording
from forkhttpd.config.source import Finding, Source, read
from forkhttpd.config.tables import Config
from forkhttpd.errors import ConfigError

_config = TypeAdapter[Config](Config)


def load(path: Path) -> Config:
    """Return the file's configuration.

    Raises ConfigError with every problem, one line each and in the order of the file:
    `FILE:LINE: [table] key: what is wrong; what would be right`.
    """
    return parse(read(path))


def parse(source: Source) -> Config:
    """Return the configuration that a source spells.  Raises ConfigError with every problem."""
    problems: list[Finding] = []
    config: Config | None = None
    try:
        config = _config.validate_python(source.document, context={"directory": source.directory})
    except ValidationError as error:
        problems += wording.findings(error.errors(include_url=False))
    problems += conflicts.findings(source)
    if config is None or problems:
        raise ConfigError(source.tell(problems))
    return config
