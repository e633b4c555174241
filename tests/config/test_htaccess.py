"""What .htaccess keeps people from, and nobody is kept from here: `-t` tells (O2)."""

from pathlib import Path

import pytest

from forkhttpd.config import htaccess
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from tests.config.files import WHOLE, write

DATA = '[[site.mount]]\npath = "/data/"\ndocroot = "www/data"\n'


def found(site: Path, *, text: str = WHOLE) -> list[tuple[object, str]]:
    config = parse(read(write(site, text)))
    return [(place, words.replace(str(site), "SITE")) for place, words in htaccess.warnings(config)]


def add(site: Path, directory: str, text: str) -> None:
    (site / directory).mkdir(parents=True, exist_ok=True)
    (site / directory / ".htaccess").write_text(text)


def test_O2_a_directory_that_apache_would_keep_is_told(site: Path) -> None:
    add(site, "www/data", "Deny from all\n")
    add(site, "www/data/deeper", "Deny from all\n")
    add(site, "www/.git", "Deny from all\n")
    assert found(site) == [
        (
            ("site", 0, "mount", 0, "docroot"),
            (
                "SITE/www/data/.htaccess keeps people out, but nothing reads it here; write a "
                'mount for /data/, with deny = ["all"] or a password_file'
            ),
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<IfModule mod_authz_core.c>\n    Require all denied\n</IfModule>\n",
        "order allow,deny\ndeny from all\n",
        '<Files *>\nDeny from All\n</Files>\n<Files "x">\n</Files>\n',
        "AuthType Basic\nAuthUserFile /etc/passwords\nRequire valid-user\n",
        "Require ip 10.0.0.0/8\n",
    ],
)
def test_O2_the_ways_to_keep_people_out(site: Path, text: str) -> None:
    add(site, "www/data", text)
    assert len(found(site)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RewriteEngine on\nRewriteRule . index.php [L]\n",
        "# Deny from all\nRequire all granted\n",
        '<FilesMatch "^README$">\n  Require all denied\n</FilesMatch>\nOptions -Indexes\n',
    ],
)
def test_O2_what_keeps_nobody_out_of_the_whole_is_not_told(site: Path, text: str) -> None:
    add(site, "www/data", text)
    assert found(site) == []


@pytest.mark.parametrize(
    "text",
    [
        f'{WHOLE}{DATA}deny = ["all"]\n',
        WHOLE.replace("[[site]]", '[[site]]\nallow = ["10.0.0.0/8"]', 1),
    ],
)
def test_O2_what_is_kept_here_too_is_not_told(site: Path, text: str) -> None:
    add(site, "www/data", "Deny from all\n")
    assert found(site, text=text) == []
