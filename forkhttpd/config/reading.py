"""What the reading of a configuration file came to."""

from dataclasses import dataclass

from forkhttpd.config.tables import Config


@dataclass(frozen=True, slots=True)
class Reading:
    """A configuration that can run here, and its warnings, a line each.

    text: of the file.  The configuration depends on that and on the file's directory alone, so a
    file with the same text has the same; what the machine says to it may be something else by now.
    """

    text: str
    config: Config
    warnings: list[str]
