"""Mounts that a password opens: whether it can, and whether it stays one."""

import importlib.util
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from forkhttpd.config.extras import installing
from forkhttpd.config.lines import Position
from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config
from forkhttpd.errors import describe

# What the extra [auth] brings, by the names that are imported; libpass has kept its old one.
_PACKAGES = {"passlib": "libpass", "bcrypt": "bcrypt"}


def problems(config: Config) -> Iterator[Finding]:
    """Yield password files that cannot be read, and what is missing to verify passwords."""
    missing = [_PACKAGES[name] for name in _PACKAGES if importlib.util.find_spec(name) is None]
    for position, file in _files(config):
        if missing:
            wrong = f"passwords need what is not installed: {', '.join(missing)}"
            yield position, f"{wrong}; run: {installing('auth')}"
        try:
            mode = file.stat().st_mode
        except OSError as error:
            yield position, f"{file}: {describe(error)}; make it: htpasswd -cB {file} NAME"
            continue
        if not stat.S_ISREG(mode):
            yield position, f"{file} is no file; write the path of one that htpasswd has made"
        elif not os.access(file, os.R_OK, effective_ids=True):
            yield position, f"{file}: Permission denied; let us read it, and nobody else"


def warnings(config: Config) -> Iterator[Finding]:
    """Yield passwords that others can read: on the wire, or in their file."""
    plain = [one for one in config.listen if not (one.tls or one.redirect_to_https)]
    open_to = [one.address for one in plain if not one.address.is_loopback]
    docroots = [mount.docroot for _, mount in config.mounts() if mount.docroot]
    for position, file in _files(config):
        if open_to:
            risk = f"{open_to[0]} is no https and open to others, who can read the passwords"
            yield position, f"{risk}; write tls = true there, or a loopback address"
        for docroot in docroots:
            if Path(os.path.realpath(file)).is_relative_to(os.path.realpath(docroot)):
                yield position, f"{file} is in {docroot}, where everyone can read it; move it"


def _files(config: Config) -> Iterator[tuple[Position, Path]]:
    for index, site in enumerate(config.site):
        if site.password_file is not None:
            yield ("site", index, "password_file"), site.password_file
    for position, mount in config.mounts():
        if isinstance(mount.password_file, Path):
            yield (*position, "password_file"), mount.password_file
