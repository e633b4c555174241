"""A directory served at once, without a file: the drop-in for `python -m http.server --cgi` (O4).

What comes out is an ordinary Config, which `-T` prints, so that who outgrows this has the file to
go on with.  Where it differs from http.server, README.md says so, and why.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from forkhttpd.config import Address, Config, Listen, Log, Mount, Pool, Site
from forkhttpd.errors import ExitCode, StartupError, describe

LOOPBACK = "127.0.0.1"
PORT = 8000

_PROGRAMS = ("cgi-bin", "htbin")
_INDEX = ("index.html", "index.htm")
_ANY = {"::": ("::", "0.0.0.0")}  # what http.server listens on for it, our listeners have one each


@dataclass(frozen=True, slots=True)
class Wish:
    """What to serve where.  host: an address, or a name of one; port: 0 is any that is free."""

    directory: Path
    host: str
    port: int
    cgi: bool

    def __str__(self) -> str:
        programs = f", and the programs in its {' and '.join(_PROGRAMS)}" if self.cgi else ""
        return f"{self.directory.absolute()}{programs}"


def configure(wish: Wish) -> Config:
    """Return the configuration that serves it.

    Raises StartupError(USAGE) for what cannot be served from here.
    """
    directory = _checked(wish.directory.absolute())
    files = Mount(path="/", docroot=directory, index=_INDEX, listing=True)
    programs = [_programs(directory / name) for name in _PROGRAMS] if wish.cgi else []
    return Config(
        workers=1,
        listen=tuple(Listen(address=address) for address in _addresses(wish.host, wish.port)),
        log=Log(format="console"),
        pool={"default": Pool(python=sys.executable, search_path=_search_path())},
        site=(Site(mount=(files, *programs)),),
    )


def warnings(config: Config, *, uid: int) -> Iterator[str]:
    """Yield what is risky if `uid` serves that.

    Raises StartupError(USAGE) where root would serve others than this machine (M16).
    """
    if uid != 0:
        return
    public = next((one.address for one in config.listen if not one.address.is_loopback), None)
    if public is not None:
        wrong = f"{public} is open to others, and everything here would run as root"
        hint = "start it as another user, or keep a file (-T) and write a user into it"
        raise StartupError(f"{wrong}; {hint}", exit_code=ExitCode.USAGE)
    yield "root serves, and programs run as root"


def kept(config: Config) -> tuple[Config, list[str]]:
    """Return what of it a file can say, and what is left out: a directory that is not there.

    Served at once it may come later; in a file it is a mistake.
    """
    site = config.site[0]
    missing = [mount for mount in site.mount if mount.cgi and not mount.cgi.is_dir()]
    there = tuple(mount for mount in site.mount if mount not in missing)
    left_out = [
        f"{mount.cgi} is not there, so no mount is written for it; make it first if it is wanted"
        for mount in missing
    ]
    return replace(config, site=(replace(site, mount=there),)), left_out


def hint(cause: BaseException | None) -> str:
    """Return what is to be added where a port could not be had."""
    if isinstance(cause, OSError) and cause.errno in (errno.EADDRINUSE, errno.EACCES):
        return "; port 0 is any that is free"
    return ""


def _programs(directory: Path) -> Mount:
    """Return a mount for scripts; those in Python need no +x, and write when they say so.

    http.server runs its own Python with -u where it starts it itself.
    """
    python = Path(sys.executable)
    return Mount(
        path=f"/{directory.name}/",
        cgi=directory,
        interpreters={".py": python, ".pyw": python},
        env={"PYTHONUNBUFFERED": "1"},
    )


def _checked(directory: Path) -> Path:
    try:
        os.listdir(directory)
    except OSError as error:
        message = f"{directory}: {describe(error)}; write a directory that is here and ours to read"
        raise StartupError(message, exit_code=ExitCode.USAGE) from None
    return directory


def _addresses(host: str, port: int) -> Iterator[Address]:
    """Yield where to listen.  Raises StartupError(USAGE)."""
    for name in _ANY.get(host, (host,)):
        try:
            family, *_, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:  # the latter for a label of more than 63 letters
            reason = describe(error) if isinstance(error, OSError) else "not a name of a host"
            wrong = f"{host} is no address of this machine: {reason}"
            hint = 'write one like "127.0.0.1", or "0.0.0.0" for all'
            raise StartupError(f"{wrong}; {hint}", exit_code=ExitCode.USAGE) from None
        yield Address("inet6" if family == socket.AF_INET6 else "inet", str(address[0]), port)


def _search_path() -> str:
    """Return our own PATH, as far as a program may be looked up by it from anywhere."""
    places = os.environ.get("PATH", "").split(":")
    return ":".join(place for place in places if place.startswith("/")) or os.defpath
