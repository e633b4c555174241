"""The servers that we know to run: ours, its peers, and the floor.

A server's settings are not here but in `scripts/peers/`, to be read and doubted.  Words between @
signs in them are filled in: PORT, TLSPORT, CERTIFICATE, KEY, DOCROOT, CGI (directories), STATE (a
directory of the server's own), USER, GROUP and PYTHON.  Servers that take no configuration have all
their settings here, in the command line.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from scripts.benchmark.case import Ability
from scripts.benchmark.server import Server
from scripts.benchmark.site import PYTHON, SMALL

SUBJECT = "forkhttpd"
WARM = "forkhttpd-warm"
FLOOR = "floor"

_ROOT = Path(__file__).resolve().parents[2]
_PEERS = _ROOT / "scripts" / "peers"
_FLOOR_PROGRAM = Path(__file__).with_name("floor.py")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_APACHE_MODULES = Path("/usr/lib/apache2/modules")

_LIGHTTPD_TLS = Path("/usr/lib/lighttpd/mod_openssl.so")

_PROGRAMS = frozenset({Ability.PROGRAMS, Ability.SCRIPTS})
_CLOSING = frozenset({Ability.FILES}) | _PROGRAMS


def servers() -> tuple[Server, ...]:
    """All servers, in the order of the report."""
    return (
        _forkhttpd(SUBJECT, frozenset(Ability), warm=False),
        _forkhttpd(WARM, frozenset({Ability.KEEPS, Ability.SCRIPTS}), warm=True),
        *_nginxes(),
        Server(
            name="lighttpd",
            package="apt-get install lighttpd lighttpd-mod-openssl",
            program=_installed("lighttpd"),
            arguments=("-D", "-f", "@CONFIG@"),
            configuration=_PEERS / "lighttpd.conf",
            needs=(_LIGHTTPD_TLS,),
            abilities=frozenset(Ability),
            reload=signal.SIGUSR1,
            quick=True,
        ),
        *_apaches(),
        *_closing_servers(),
        Server(
            name=FLOOR,
            package="Python",
            program=_ours("python"),
            arguments=(str(_FLOOR_PROGRAM), "@PORT@", f"@DOCROOT@{SMALL}", "@USER@"),
            abilities=frozenset({Ability.FIXED, Ability.KEEPS}),
            log=None,
            quick=True,
        ),
    )


def _forkhttpd(name: str, abilities: frozenset[Ability], *, warm: bool) -> Server:
    return Server(
        name=name,
        package="scripts/serve",
        program=_ours("forkhttpd"),
        arguments=("-c", "@CONFIG@"),
        configuration=_PEERS / "forkhttpd.conf",
        words=(("WARM", str(warm).lower()),),
        abilities=abilities,
        stop=signal.SIGQUIT,  # at once: nobody is asking any more
        reload=signal.SIGHUP,
        quick=True,
    )


def _nginxes() -> tuple[Server, Server]:
    """nginx, and nginx with fcgiwrap: with files, which those two serve alike, only the first."""
    nginx = Server(
        name="nginx",
        package="apt-get install nginx-light",
        program=_installed("nginx"),
        arguments=("-e", "stderr", "-p", "@STATE@", "-c", "@CONFIG@"),
        configuration=_PEERS / "nginx.conf",
        abilities=frozenset(Ability) - _PROGRAMS,
        reload=signal.SIGHUP,
        quick=True,
    )
    both = Server(
        name="nginx+fcgiwrap",
        package="apt-get install nginx-light fcgiwrap",
        program=_PEERS / "nginx-fcgiwrap",
        arguments=("@STATE@", "@CONFIG@", "@USER@", "@GROUP@"),
        configuration=nginx.configuration,
        needs=(nginx.program, _installed("fcgiwrap")),
        abilities=frozenset({Ability.KEEPS}) | _PROGRAMS,
        unwaited=_PROGRAMS,  # fcgiwrap ignores SIGCHLD
    )
    return nginx, both


def _apaches() -> tuple[Server, Server]:
    """Apache with threads and mod_cgid, and with a process per connection and mod_cgi."""
    event = Server(
        name="apache-event",
        package="apt-get install apache2",
        program=_installed("apache2"),
        arguments=("-D", "FOREGROUND", "-f", "@CONFIG@"),
        configuration=_PEERS / "apache.conf",
        needs=(_APACHE_MODULES / "mod_cgid.so", _APACHE_MODULES / "mod_ssl.so"),
        abilities=frozenset(Ability)
        - {Ability.PATIENCE},  # a thread for each until its head is read
        unwaited=_PROGRAMS,  # mod_cgid's daemon ignores SIGCHLD
        reload=signal.SIGUSR1,
    )
    prefork = Server(
        name="apache-prefork",
        package=event.package,
        program=event.program,
        arguments=("-D", "PREFORK", *event.arguments),
        configuration=event.configuration,
        needs=(_APACHE_MODULES / "mod_mpm_prefork.so", _APACHE_MODULES / "mod_cgi.so"),
        abilities=event.abilities - {Ability.CROWDS},
        reload=signal.SIGUSR1,
    )
    return event, prefork


def _closing_servers() -> tuple[Server, Server]:
    """Servers without settings, which close each connection after its one request."""
    root = os.geteuid() == 0
    busybox = Server(
        name="busybox",
        package="apt-get install busybox",
        program=_installed("busybox"),
        arguments=(
            *("httpd", "-f", "-p", "127.0.0.1:@PORT@", "-h", "@DOCROOT@"),
            *(("-u", "@USER@:@GROUP@") if root else ()),
        ),
        trial=("/bin/sh", "-c", "busybox --list | grep -qx httpd"),
        abilities=_CLOSING,
        log=None,  # it can only say "response:200", which is none
        unwaited=frozenset(Ability),  # a process per connection, and SIGCHLD is ignored
    )
    python = Server(
        name="http.server",
        package="apt-get install python3, up to 3.14,",
        program=PYTHON,
        arguments=(
            *("-W", "ignore", "-m", "http.server", "--cgi"),
            *("--bind", "127.0.0.1", "--directory", "@DOCROOT@", "@PORT@"),
        ),
        trial=(str(PYTHON), "-W", "ignore", "-c", "from http.server import CGIHTTPRequestHandler"),
        abilities=_CLOSING,
        log="output",
    )
    return busybox, python


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
