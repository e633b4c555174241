"""What only the machine can tell about a configuration, asked before anything is bound.

Problems keep the daemon from starting: it would fail later, and less clearly.  Warnings are about
what works and is risky; the daemon starts.  Nothing is opened, made or started here.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from forkhttpd.config import accounts, bypasses, certificates, exposure, passwords, risks
from forkhttpd.config.extras import installing
from forkhttpd.config.lines import Position
from forkhttpd.config.phrases import quoted
from forkhttpd.config.source import Finding, Source
from forkhttpd.config.tables import Config, Mount
from forkhttpd.errors import describe


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, a line each, in the order of the file."""

    problems: list[str]
    warnings: list[str]


def check(config: Config, source: Source, *, uid: int, allow_root: bool) -> Report:
    """Return what this machine would make of `config`, if `uid` started it.

    `source` is the file that it was read from, for the lines.  `allow_root` is the operator's word
    that workers and programs may run as root, which is then for loopback listeners only (M16).
    """
    problems = chain(
        accounts.problems(config, uid=uid, allow_root=allow_root),
        chain.from_iterable(_mount_problems(*mount) for mount in config.mounts()),
        _page_problems(config),
        certificates.problems(config),
        passwords.problems(config),
        _pool_problems(config),
        _places_to_write(config),
    )
    warnings = chain(
        accounts.warnings(config, uid=uid),
        certificates.warnings(config),
        exposure.warnings(config, uid=uid),
        risks.warnings(config, source.path),
        passwords.warnings(config),
        bypasses.warnings(config),
    )
    return Report(source.tell(problems), source.tell(warnings, kind="warning: "))


def _mount_problems(position: Position, mount: Mount) -> Iterator[Finding]:
    if mount.docroot:
        yield from _docroot_problems((*position, "docroot"), mount.docroot)
    if mount.cgi:
        yield from _cgi_problems(position, mount, mount.cgi)
    if mount.interpreter:
        yield from _program_problems((*position, "interpreter"), mount.interpreter)
    for suffix, interpreter in mount.interpreters.items():
        yield from _program_problems((*position, "interpreters", suffix), interpreter)
    if mount.show == "metrics" and find_spec("prometheus_client") is None:
        wrong = "the package prometheus_client is not installed"
        yield (*position, "show"), f"{wrong}; run: {installing('metrics')}"


def _page_problems(config: Config) -> Iterator[Finding]:
    for index, site in enumerate(config.site):
        for status, page in site.error_pages.items():
            place = ("site", index, "error_pages", status)
            mode = _mode(page)
            if isinstance(mode, str):
                yield place, f"{page}: {mode}; make this file, or write another"
            elif not stat.S_ISREG(mode):
                yield place, f"{page} is no file; write the page that is shown"
            elif not _may(page, os.R_OK):
                yield place, f"{page}: Permission denied; let us read it: chmod a+r"


def _docroot_problems(position: Position, docroot: Path) -> Iterator[Finding]:
    mode = _mode(docroot)
    if isinstance(mode, str):
        yield position, f"{docroot}: {mode}; make this directory, or write another"
    elif not stat.S_ISDIR(mode):
        yield position, f"{docroot} is no directory; write the directory that the files are in"
    elif not _may(docroot, os.R_OK | os.X_OK):
        yield position, f"{docroot}: Permission denied; let us read it: chmod a+rx"


def _cgi_problems(position: Position, mount: Mount, cgi: Path) -> Iterator[Finding]:
    place = (*position, "cgi")
    mode = _mode(cgi)
    if isinstance(mode, str):
        yield place, f"{cgi}: {mode}; make it, or write another directory or program"
    elif stat.S_ISDIR(mode):
        if not _may(cgi, os.X_OK):
            yield place, f"{cgi}: Permission denied; let us enter it: chmod a+x"
    elif not mount.interpreter:
        yield from _program_problems(place, cgi)
    if not isinstance(mode, str) and not stat.S_ISDIR(mode) and mount.suffix:
        yield (*position, "suffix"), f"{cgi} is one program; suffixes are for a directory of them"


def _program_problems(position: Position, program: Path) -> Iterator[Finding]:
    mode = _mode(program)
    if isinstance(mode, str):
        yield position, f"{program}: {mode}; install it, or write where it is"
    elif not stat.S_ISREG(mode):
        yield position, f"{program} is no file; write the path of a program"
    elif not _may(program, os.X_OK):
        yield position, f"{program} is not executable; make it so: chmod a+x"


def _pool_problems(config: Config) -> Iterator[Finding]:
    for name, pool in config.pool.items():
        if shutil.which(pool.python, path=pool.search_path) is None:
            where = "" if "/" in pool.python else f" in {pool.search_path}"
            wrong = f"there is no program {quoted(pool.python)}{where}"
            yield ("pool", name, "python"), f"{wrong}; install Python 3.9 or newer, or write where"


def _places_to_write(config: Config) -> Iterator[Finding]:
    files: dict[Position, Path | str | None] = {
        ("pid_file",): config.pid_file,
        ("control_socket",): config.control_socket,
        ("log", "access"): config.log.access,
        ("log", "error"): config.log.error,
    }
    for index, listen in enumerate(config.listen):
        if listen.address.kind == "unix" and not listen.address.host.startswith("@"):
            files["listen", index, "address"] = Path(listen.address.host)
    for position, path in files.items():
        if isinstance(path, Path):
            yield from _file_problems(position, path)


def _file_problems(position: Position, path: Path) -> Iterator[Finding]:
    """Yield why a file could not be written, or made in its directory."""
    directory, mode = _mode(path.parent), _mode(path)
    if isinstance(directory, str):
        yield position, f"{path.parent}: {directory}; make this directory, or write another"
    elif not stat.S_ISDIR(directory):
        yield position, f"{path.parent} is no directory; write the path of a file in one"
    elif isinstance(mode, int) and stat.S_ISDIR(mode):
        yield position, f"{path} is a directory; write the path of a file"
    elif isinstance(mode, int) and not _may(path, os.W_OK):
        yield position, f"{path}: Permission denied; let us write it, or write another"
    elif isinstance(mode, str) and not _may(path.parent, os.W_OK | os.X_OK):
        yield position, f"{path.parent}: Permission denied; let us write there, or write another"


def _mode(path: Path) -> int | str:
    """Return a file's mode, or in words why it cannot be told."""
    try:
        return path.stat().st_mode
    except OSError as error:
        return describe(error)


def _may(path: Path, access: int) -> bool:
    return os.access(path, access, effective_ids=True)
