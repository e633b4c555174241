"""The site that every server serves: three files and one program, below one directory.

The files hold random bytes, new for every run.  So the right bytes in an answer also prove that
the server which gave them is one of this run, and not a stranger on a port that we thought free.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SMALL = "/1k.txt"
MEDIUM = "/100k.bin"
LARGE = "/10m.bin"
PROGRAM = "/cgi-bin/tiny"

_SIZES = {SMALL: 1 << 10, MEDIUM: 100 << 10, LARGE: 10 << 20}
_SOURCE = Path(__file__).with_name("tiny.c")
_PROGRAM_OUTPUT = b"Hello from a program.\n"


@dataclass(frozen=True, slots=True)
class Site:
    """`docroot` and `cgi` are directories; `bodies` tells what each path must answer with."""

    docroot: Path
    cgi: Path
    bodies: dict[str, bytes]


def make_site(directory: Path) -> Site:
    """Fill `directory`.  Without a C compiler the program is missing, from `bodies` too.

    Raises CalledProcessError if there is a compiler and it fails.
    """
    site = Site(directory / "www", directory / "cgi-bin", {})
    site.docroot.mkdir(parents=True)
    site.cgi.mkdir()
    for path, size in _SIZES.items():
        site.bodies[path] = os.urandom(size)
        (site.docroot / path[1:]).write_bytes(site.bodies[path])
    if compiler := shutil.which("gcc") or shutil.which("cc"):
        program = site.cgi / Path(PROGRAM).name
        subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
        site.bodies[PROGRAM] = _PROGRAM_OUTPUT
    return site
