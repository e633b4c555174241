"""Nagios as README.md shows it: where each address of Debian's package leads, and who asks (C18).

The package brings a web server of its own along, so what stands in for its files here is ours: in
the same places, and of the same kinds.
"""

from collections.abc import Iterator

import pytest

from tests.live.daemon import Daemon, daemon
from tests.programs.curl import curl
from tests.programs.manual import changed, example, section, with_mounts
from tests.programs.peers import need

HTDOCS, STYLES, CGI = "/usr/share/nagios4/htdocs", "/etc/nagios4/stylesheets", "/usr/lib/cgi-bin"


@pytest.fixture(scope="module")
def nagios(pool: str) -> Iterator[Daemon]:
    """A daemon with README's example, and a password as the text below it has it."""
    need("php-cgi", package="php-cgi")
    with daemon(start=False) as running:
        here = running.directory
        running.write("jquery.js", "// of another package")
        running.write("htdocs/index.php", "<?php echo 'frames';")
        running.write("htdocs/images/logo.png", b"png")
        (here / "htdocs/js").mkdir()
        (here / "htdocs/js/jquery.js").symlink_to("../../jquery.js")
        running.write("stylesheets/common.css", "body { color: teal }")
        running.write(
            "bin/nagios4/tac.cgi",
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' \"$REMOTE_USER\"\n",
            mode=0o755,
        )
        running.write("passwords", "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")  # secret
        places = {HTDOCS: f"{here}/htdocs", STYLES: f"{here}/stylesheets", CGI: f"{here}/bin"}
        places['user = "www-data"'] = ""  # whom only root could make of us
        text = with_mounts(changed(example("Nagios", "toml"), **places), pool=pool)
        login = '[[site]]\npassword_file = "passwords"\nrealm = "nagios"\n'
        running.configure(text.replace("[[site]]\n", login, 1))
        running.start()
        yield running


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/nagios4/", "frames"),
        ("/nagios4/images/logo.png", "png"),
        ("/nagios4/js/jquery.js", "// of another package"),
        ("/nagios4/stylesheets/common.css", "body { color: teal }"),
        ("/cgi-bin/nagios4/tac.cgi", "alice"),
    ],
)
def test_C18_nagios_for_who_knows_a_password(nagios: Daemon, path: str, text: str) -> None:
    assert "`password_file` and `realm` in its `[[site]]`" in section("Nagios")
    url = f"http://127.0.0.1:{nagios.port}{path}"
    assert curl(url).status == 401
    assert curl(url, "-u", "alice:secret").text == text
