"""Files named .htaccess, by which Apache keeps people out of a directory: nothing reads them here.

Many an application brings some for its data, and whoever moves it here shows to everybody what
those keep back.  To find them takes a walk through all docroots, so only `-t` does (O2).
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from forkhttpd.config.bypasses import guards, mount_of, path_to
from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config, Mount, Site

NAME = ".htaccess"

_MOST_DIRECTORIES = 10_000  # of a mount; nobody waits for more
_MOST_BYTES = 65536

# What is about some names in a directory leaves the others to everybody.
_FOR_SOME = re.compile(
    rb"^[ \t]*<(Files(?:Match)?)\b(?![ \t]+\"?\*\"?>).*?^[ \t]*</\1>",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_FORBIDS = re.compile(
    rb"^[ \t]*(?:deny[ \t]+from|require[ \t]+(?!all[ \t]+granted)|auth(?:type|userfile))\b",
    re.IGNORECASE | re.MULTILINE,
)


def warnings(config: Config) -> Iterator[Finding]:
    """Yield directories that such a file keeps people from, and we show to everybody."""
    for index, site in enumerate(config.site):
        for number, mount in enumerate(site.mount):
            if mount.docroot and not any(guards(site, mount)):
                for path, directory in _shown(site, mount, mount.docroot):
                    risk = f"{directory}/{NAME} keeps people out, but nothing reads it here"
                    hint = f'write a mount for {path}, with deny = ["all"] or a password_file'
                    yield ("site", index, "mount", number, "docroot"), f"{risk}; {hint}"


def _shown(site: Site, mount: Mount, docroot: Path) -> Iterator[tuple[str, Path]]:
    """Yield the path of each directory that was to be hidden and is this mount's, and itself."""
    for directory, directories, files in islice(os.walk(docroot), _MOST_DIRECTORIES):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        place = Path(directory)
        if NAME in files and _forbids(place / NAME):
            directories.clear()  # all below it is meant, too
            path = path_to(place, mount)
            if path and mount_of(site, path) is mount:
                yield path, place


def _forbids(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as opened:
        return bool(_FORBIDS.search(_FOR_SOME.sub(b"", opened.read(_MOST_BYTES))))
    return False
