"""PHP as README.md shows it: php-cgi behind a suffix, files beside it (C18)."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, daemon
from tests.programs.curl import curl
from tests.programs.manual import changed, example, section, with_mounts
from tests.programs.peers import need

PICTURE = os.urandom(1 << 20)
DIGEST = hashlib.md5(PICTURE).hexdigest()

INDEX = r"""<?php
header('Content-Type: text/plain');
echo "index of {$_SERVER['SCRIPT_NAME']}, path " . ($_SERVER['PATH_INFO'] ?? 'none') . "\n";
"""

FORM = r"""<?php
header('Content-Type: application/json');
echo json_encode(['get' => $_GET, 'post' => $_POST]);
"""

UPLOAD = r"""<?php
$file = $_FILES['picture'];
header('Content-Type: text/plain');
echo $file['name'], ' ', $file['error'], ' ', md5_file($file['tmp_name']), ' ', $_POST['title'];
"""

# A visit is counted in a file that the session's cookie names.
SESSION = r"""<?php
session_save_path(__DIR__ . '/../sessions');
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
echo "visit {$_SESSION['visits']}";
"""

MOVED = "<?php header('Location: /wiki/form.php?from=moved', true, 303);\n"
BROKEN = "<?php header('Content-Type: text/plain'); no_such_function();\n"


@pytest.fixture(scope="module")
def wiki(pool: str) -> Iterator[Daemon]:
    """A daemon with README's example."""
    need("php-cgi", package="php-cgi")
    with daemon(start=False) as running:
        (running.directory / "sessions").mkdir()
        for name, script in {
            "index.php": INDEX,
            "deep/index.php": INDEX,
            "form.php": FORM,
            "upload.php": UPLOAD,
            "session.php": SESSION,
            "moved.php": MOVED,
            "broken.php": BROKEN,
            "style.css": "body { color: teal }",
        }.items():
            running.write(f"wiki/{name}", script)
        text = changed(example("PHP", "toml"), **{"/srv/wiki": f"{running.directory}/wiki"})
        running.configure(with_mounts(text, pool=pool))
        running.start()
        yield running


def url(running: Daemon, path: str) -> str:
    return f"http://127.0.0.1:{running.port}/wiki/{path}"


def test_C18_php_index_and_the_files_beside_it(wiki: Daemon) -> None:
    assert curl(url(wiki, "")).text == "index of /wiki/index.php, path none\n"
    assert curl(url(wiki, "deep/")).text == "index of /wiki/deep/index.php, path none\n"
    assert curl(url(wiki, "deep"), "-L").text == "index of /wiki/deep/index.php, path none\n"
    assert curl(url(wiki, "index.php/a%20b/c")).text == "index of /wiki/index.php, path /a b/c\n"
    assert curl(url(wiki, "style.css")).text == "body { color: teal }"
    assert curl(url(wiki, "none.php")).status == 404


def test_C18_php_form(wiki: Daemon) -> None:
    sent = ("--data-urlencode", "name=Zoë & Ümit", "-d", "colour=blue")
    reply = curl(url(wiki, "form.php?page=1"), *sent)
    assert reply.fields["content-type"] == "application/json"
    assert '"get":{"page":"1"}' in reply.text
    assert r'"post":{"name":"Zo\u00eb & \u00dcmit","colour":"blue"}' in reply.text


def test_C3_C18_php_form_in_chunks(wiki: Daemon) -> None:
    reply = curl(url(wiki, "form.php"), "-H", "Transfer-Encoding: chunked", "-d", "name=me")
    assert '"post":{"name":"me"}' in reply.text


def test_C18_php_upload(wiki: Daemon, tmp_path: Path) -> None:
    picture = tmp_path / "my picture.png"
    picture.write_bytes(PICTURE)
    reply = curl(url(wiki, "upload.php"), "-F", f"picture=@{picture}", "-F", "title=Sunset")
    assert reply.text == f"my picture.png 0 {DIGEST} Sunset"


def test_C18_php_session(wiki: Daemon, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies"
    jar = ("-c", cookies, "-b", cookies)
    assert [curl(url(wiki, "session.php"), *jar).text for _ in range(3)] == [
        "visit 1",
        "visit 2",
        "visit 3",
    ]
    assert curl(url(wiki, "session.php")).text == "visit 1"


def test_C18_php_redirect(wiki: Daemon) -> None:
    reply = curl(url(wiki, "moved.php"))
    assert (reply.status, reply.fields["location"]) == (303, "/wiki/form.php?from=moved")
    assert '"from":"moved"' in curl(url(wiki, "moved.php"), "-L").text


def test_C13_C18_what_php_complains_of_stands_in_the_log(wiki: Daemon) -> None:
    assert curl(url(wiki, "broken.php")).status == 500
    wiki.await_log("PHP Fatal error:  Uncaught Error: Call to undefined function no_such_function")
    line = next(line for line in wiki.log.splitlines() if "PHP Fatal" in line)
    assert f"{wiki.directory}/wiki/broken.php[" in line


def test_C18_what_htaccess_kept_elsewhere_is_kept_by_a_mount(pool: str) -> None:
    """And `-t` names it until then."""
    kept = next(part for part in section("PHP").split("\n\n") if "deny    = " in part)
    with daemon(start=False) as running:
        running.write("wiki/data/.htaccess", "Require all denied\n")
        running.write("wiki/data/page.txt", "of members")
        running.write("wiki/data/page.php", "<?php echo 'of members';")
        running.write("wiki/open.txt", "of all")
        told = []
        for text in (example("PHP", "toml"), f"{example('PHP', 'toml')}\n{kept}\n"):
            text = changed(text, **{"/srv/wiki": f"{running.directory}/wiki"})
            running.configure(with_mounts(text, pool=pool))
            told.append(running.command("-t").stderr)
        assert "/wiki/data/.htaccess keeps people out, but nothing reads it here" in told[0]
        assert "htaccess" not in told[1]
        running.start()
        assert curl(url(running, "open.txt")).text == "of all"
        for name in ("page.txt", "page.php", ""):
            assert curl(url(running, f"data/{name}")).status == 403


def test_C18_php_program_for_addresses_without_a_file(pool: str) -> None:
    text = section("PHP")
    assert '`cgi = "/srv/wiki/index.php"`' in text
    assert "`/wiki/assets/`" in text
    mounts = (
        '[[site.mount]]\npath = "/wiki/"\ncgi = "wiki/index.php"\n'
        'interpreter = "/usr/bin/php-cgi"\n\n'
        '[[site.mount]]\npath = "/wiki/assets/"\ndocroot = "wiki/assets"\n'
    )
    need("php-cgi", package="php-cgi")
    with daemon(start=False) as running:
        running.write("wiki/index.php", INDEX)
        running.write("wiki/assets/style.css", "body { color: teal }")
        running.configure(with_mounts(mounts, pool=pool))
        running.start()
        assert curl(url(running, "")).text == "index of /wiki, path /\n"
        reply = curl(url(running, "2026/a%20post?x=1"), "-d", "name=me")
        assert reply.text == "index of /wiki, path /2026/a post\n"
        assert curl(url(running, "assets/style.css")).text == "body { color: teal }"


def test_C6_C18_options_in_a_query_are_no_options_of_php(wiki: Daemon) -> None:
    """CVE-2012-1823: php-cgi used to take them from its command line."""
    for query in ("-s", "-d+allow_url_include%3d1", "%ADs"):
        reply = curl(url(wiki, f"index.php?{query}"))
        assert reply.text == "index of /wiki/index.php, path none\n"
