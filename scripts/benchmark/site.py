"""The site that every server serves: a few files, many small ones, and four CGI programs.

The files hold random bytes, new for every run.  So the right bytes in an answer also prove that
the server which gave them is one of this run, and not a stranger on a port that we thought free.

The programs say how long their answers are, as good ones do: so every server can pass them on as
they come, and a client knows the end of an answer without the end of the connection.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

SMALL = "/1k.txt"
MEDIUM = "/100k.bin"
LARGE = "/10m.bin"
MANY = "/many/{}.txt"  # 0 to 999
MANY_COUNT = 1000
ABSENT = "/absent.txt"
COMPILED = "/cgi-bin/tiny"
SHELL = "/cgi-bin/hello.sh"
FORM = "/cgi-bin/form.py?name=Ann+%26+Bob"
GUESTBOOK = "/cgi-bin/guestbook.py?name=Ann+%26+Bob"

PYTHON = Path("/usr/bin/python3")  # what the scripts' first lines name

_SIZES = {SMALL: 1 << 10, MEDIUM: 100 << 10, LARGE: 10 << 20}
_MANY_SIZE = 1 << 10
_PROGRAMS = Path(__file__).with_name("programs")
_OUTPUTS = {
    COMPILED: b"Hello from a program.\n",
    SHELL: b"Hello from a shell script.\n",
    FORM: b'{"greeting": "Hello, Ann &amp; Bob!"}\n',
    GUESTBOOK: b'{"greeting": "Hello, Ann &amp; Bob!", "mail": "Ann & Bob was here"}\n',
}


@dataclass(frozen=True, slots=True)
class Site:
    """`docroot` and `cgi` are directories, `certificate` and `key` are for TLS; `bodies` tells what
    each path must answer with, and `lacking` why there is none for a path."""

    docroot: Path
    cgi: Path
    certificate: Path
    key: Path
    bodies: dict[str, bytes] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)


def make_site(directory: Path) -> Site:
    """Fill `directory`.  What cannot be made here is in `lacking`, with what would bring it.

    Raises CalledProcessError if there is a compiler, or openssl, and it fails.
    """
    site = Site(
        docroot=directory / "www",
        cgi=directory / "cgi-bin",
        certificate=directory / "bench.pem",
        key=directory / "bench.key",
    )
    (site.docroot / "many").mkdir(parents=True)
    site.cgi.mkdir()
    # Some servers look for programs below the files, and nowhere else.
    (site.docroot / "cgi-bin").symlink_to(site.cgi)
    many = {MANY.format(number): _MANY_SIZE for number in range(MANY_COUNT)}
    for path, size in (_SIZES | many).items():
        site.bodies[path] = os.urandom(size)
        (site.docroot / path[1:]).write_bytes(site.bodies[path])
    _certify(site)
    _compile(site)
    for path in (SHELL, FORM, GUESTBOOK):
        _copy(site, path)
    return site


def _certify(site: Site) -> None:
    """Make a certificate of the kind that most servers have today: ECDSA with P-256."""
    options = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=localhost", "-days", "2")
    files = ("-out", site.certificate, "-keyout", site.key)
    command = ("openssl", "req", "-x509", *options, *names, *files)
    subprocess.run(command, check=True, capture_output=True)
    site.key.chmod(0o644)  # of a server of a minute, read by whoever serves


def _compile(site: Site) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        site.lacking[COMPILED] = "there is no C compiler; apt-get install gcc brings one"
        return
    program = site.cgi / Path(COMPILED).name
    source = (_PROGRAMS / program.name).with_suffix(".c")
    subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    site.bodies[COMPILED] = _OUTPUTS[COMPILED]


def _copy(site: Site, path: str) -> None:
    name = Path(path.partition("?")[0]).name
    if name.endswith(".py") and not PYTHON.exists():
        site.lacking[path] = f"there is no {PYTHON}; apt-get install python3 brings it"
        return
    shutil.copy(_PROGRAMS / name, site.cgi / name)  # with its mode: it may be executed
    site.bodies[path] = _OUTPUTS[path]
