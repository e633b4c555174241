"""Layouts that work and are risky (O2): one mistake away from a leak, so the operator is warned."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config


def warnings(config: Config, file: Path) -> Iterator[Finding]:
    """Yield what is risky in a configuration that was read from `file`."""
    mounts = list(config.mounts())
    docroots = [mount.docroot for _, mount in mounts if mount.docroot]
    scripts = [mount.cgi for _, mount in mounts if mount.cgi and mount.cgi.is_dir()]
    for position, mount in mounts:
        if mount.docroot and _inside(file, mount.docroot):
            risk = f"this configuration file is in {mount.docroot}, where everyone can read it"
            yield (*position, "docroot"), f"{risk}; move one of them"
        if mount.cgi:
            # Programs by suffix lie among files on purpose, and no mount sends such a file.
            for risk in _risks_of_programs(mount.cgi, [] if mount.suffix else docroots):
                yield (*position, "cgi"), risk
        if mount.interpreter:
            for risk in _risks_of_interpreter(mount.interpreter, scripts):
                yield (*position, "interpreter"), risk
    yield from _shared_counts(config)


def _shared_counts(config: Config) -> Iterator[Finding]:
    """Yield pools whose limit of processes counts those of others, too: the kernel has it by user.

    One program that forks without end then keeps all of them from starting any (C14).
    """
    users: dict[str, list[str]] = {}
    for name, pool in config.pool.items():
        users.setdefault(pool.user or config.user, []).append(name)
    for name, pool in config.pool.items():
        others = [other for other in users[pool.user or config.user] if other != name]
        if pool.user_processes and others:
            risk = f"the kernel counts by user, and {', '.join(others)} has the same"
            yield ("pool", name, "user_processes"), f"{risk}; give each pool a user of its own"


def _risks_of_programs(cgi: Path, docroots: list[Path]) -> Iterator[str]:
    for docroot in docroots:
        if _inside(cgi, docroot):
            yield (
                f"{cgi} is in {docroot}, so that one mistake shows the programs' source; "
                "move it out of there"
            )
    if _everyone_writes(cgi):
        yield (
            f"everyone on this machine can write to {cgi}, and so run programs here; "
            "take the right away: chmod o-w"
        )


def _risks_of_interpreter(interpreter: Path, scripts: list[Path]) -> Iterator[str]:
    for directory in scripts:
        if _inside(interpreter, directory):
            yield (
                f"{interpreter} is in {directory}, so that everyone can call it as a script; "
                "move it out of there"
            )


def _everyone_writes(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _inside(path: Path, directory: Path) -> bool:
    """Whether a path lies in a directory, or is it, by whatever names."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))
