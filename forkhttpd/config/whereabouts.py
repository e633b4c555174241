"""Where a running master can be found, by its configuration file.

The file may have gone wrong since the master took it up, and that must not keep anybody from
stopping it or asking it how it is: so these read the document, not the typed tables.
"""

from pathlib import Path

from forkhttpd.config.source import Source
from forkhttpd.config.values import control_beside


def pid_file(source: Source) -> Path | None:
    """Return the PID file's path; None if the document names none."""
    return _path(source, source.document.get("pid_file"))


def control_socket(source: Source) -> Path | None:
    """Return the control socket's path; None if there is none."""
    text = source.document.get("control_socket", "auto")
    if text != "auto":
        return _path(source, text)
    beside = pid_file(source)
    return control_beside(beside) if beside else None


def _path(source: Source, text: object) -> Path | None:
    return source.directory / text if isinstance(text, str) and text else None
