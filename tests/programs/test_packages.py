"""README.md's list of Debian's programs: what it says to write can be written (C18)."""

import re
from pathlib import Path

from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from tests.programs.manual import section

LISTEN = '[[listen]]\naddress = "127.0.0.1:0"\n[pool.backuppc]\n[pool.ikiwiki]\n'
ROWS = [
    row.split(" | ")
    for row in section("Other programs of Debian").splitlines()
    if row.startswith("| ") and " `/" in row
]


def test_C18_each_row_is_a_mount(tmp_path: Path) -> None:
    assert len(ROWS) > 10
    for number, (package, path, keys) in enumerate(ROWS):
        mount = [f'path = "{path.strip("` ")}"', *re.findall(r"`(\w+ += [^`]+)`", keys)]
        if "as PHP above" in keys:
            mount.append('docroot = "/usr/share/dokuwiki"')
        file = tmp_path / f"{number}.conf"
        file.write_text(f"{LISTEN}[[site]]\n[[site.mount]]\n{chr(10).join(mount)}\n")
        (site,) = parse(read(file)).site
        assert site.mount[0].cgi or site.mount[0].docroot, package
