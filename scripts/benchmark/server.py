"""The servers: which program runs with which configuration, what it can do and how it ends.

A server's settings are not here but in `scripts/peers/`, to be read and doubted.  Words between @
signs in them are filled in: PORT, DOCROOT, CGI (directories), STATE (a directory of the server's
own), USER and GROUP.
"""

import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.case import Ability
from scripts.benchmark.site import SMALL

SUBJECT = "forkhttpd"
FLOOR = "floor"

_ROOT = Path(__file__).resolve().parents[2]
_PEERS = _ROOT / "scripts" / "peers"
_FLOOR_PROGRAM = Path(__file__).with_name("floor.py")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How to run one server in the foreground.

    `arguments` and the file `configuration` may hold words between @ signs, the former also
    @CONFIG@, the filled-in configuration.  `needs` are files without which it cannot run.
    """

    name: str
    package: str
    program: Path
    arguments: tuple[str, ...]
    abilities: frozenset[Ability]
    configuration: Path | None = None
    needs: tuple[Path, ...] = ()
    stop: signal.Signals = signal.SIGTERM
    keeps_log: bool = True
    waits_for_programs: bool = True

    def missing(self) -> str | None:
        """Why the server cannot be measured here, or None."""
        for file in (self.program, *self.needs):
            if not os.access(file, os.R_OK):
                return f"{file} is not there, or not for us; {self.package} brings it"
        return None


def fill_in(text: str, words: Mapping[str, str]) -> str:
    """Replace every @WORD@ in `text`.  Raises KeyError for a word that is not in `words`."""
    return re.sub(r"@([A-Z]+)@", lambda match: words[match[1]], text)


def servers() -> tuple[Server, ...]:
    """All servers that we know to run, in the order of the report."""
    files = frozenset({Ability.FIXED, Ability.STATIC})
    everything = frozenset(Ability)
    return (
        Server(
            name=SUBJECT,
            package="scripts/serve",
            program=_ours("forkhttpd"),
            arguments=("-c", "@CONFIG@"),
            configuration=_PEERS / "forkhttpd.conf",
            abilities=everything,
            stop=signal.SIGQUIT,  # at once: nobody is asking any more
        ),
        Server(
            name="nginx",
            package="apt-get install nginx-light",
            program=_installed("nginx"),
            arguments=("-e", "stderr", "-p", "@STATE@", "-c", "@CONFIG@"),
            configuration=_PEERS / "nginx.conf",
            abilities=files,
        ),
        Server(
            name="lighttpd",
            package="apt-get install lighttpd",
            program=_installed("lighttpd"),
            arguments=("-D", "-f", "@CONFIG@"),
            configuration=_PEERS / "lighttpd.conf",
            abilities=everything,
        ),
        Server(
            name="apache",
            package="apt-get install apache2",
            program=_installed("apache2"),
            arguments=("-D", "FOREGROUND", "-f", "@CONFIG@"),
            configuration=_PEERS / "apache.conf",
            abilities=everything,
            needs=(Path("/usr/lib/apache2/modules/mod_cgid.so"),),
            waits_for_programs=False,  # mod_cgid's daemon ignores SIGCHLD
        ),
        Server(
            name=FLOOR,
            package="Python",
            program=_ours("python"),
            arguments=(str(_FLOOR_PROGRAM), "@PORT@", f"@DOCROOT@{SMALL}", "@USER@"),
            abilities=frozenset({Ability.FIXED}),
            keeps_log=False,
        ),
    )


def _ours(program: str) -> Path:
    """A program of our virtual environment: the floor runs under the interpreter that we do."""
    inside = _ROOT / ".venv" / "bin" / program
    if os.access(inside, os.X_OK):
        return inside
    return Path(sys.executable if program == "python" else shutil.which(program) or inside)


def _installed(program: str) -> Path:
    return Path(
        shutil.which(program) or shutil.which(program, path=_SBIN) or f"/usr/sbin/{program}"
    )
