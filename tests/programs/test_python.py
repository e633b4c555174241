"""Python scripts as people have them: wsgiref, the module cgi, and multipart from PyPI (C18).

The pool's interpreter is that of a virtual environment, which the scripts' first lines name.
"""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from tests.live.daemon import Daemon
from tests.programs.curl import curl
from tests.programs.manual import section

SHEBANG = f"#!{sys.executable}\n"
PICTURE = os.urandom(1 << 20)
DIGEST = hashlib.md5(PICTURE).hexdigest()

WSGI = """\
from wsgiref.handlers import CGIHandler
from wsgiref.util import application_uri, request_uri
from wsgiref.validate import validator

def application(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise RuntimeError("as it was asked to")
    start_response("201 Made", [("Content-Type", "text/plain"), ("X-Made-By", "wsgiref")])
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    yield f"application {application_uri(environ)}\\n".encode()
    yield f"request {request_uri(environ)}\\n".encode()
    yield f"method {environ['REQUEST_METHOD']}\\n".encode()
    yield b"body " + body + b"\\n"

CGIHandler().run(validator(application))
"""

# `import cgi` warns from 3.11 on, which would only fill the log.
FIELD_STORAGE = """\
import warnings
warnings.simplefilter("ignore")
import cgi, hashlib

form = cgi.FieldStorage()
picture = form["picture"]
print("Content-Type: text/plain; charset=utf-8\\n")
print("picture", picture.filename, picture.type, hashlib.md5(picture.file.read()).hexdigest())
print("title", form.getfirst("title"))
print("colours", form.getlist("colour"))
"""

TRACEBACK = """\
import warnings
warnings.simplefilter("ignore")
import cgitb
cgitb.enable()
print("Content-Type: text/plain; charset=utf-8")
1 / 0
print("\\nnone of the page")
"""

(UPLOADS,) = (
    paragraph
    for paragraph in section("A form in Python").split("\n\n")
    if "multipart" in paragraph and "import" in paragraph
)


def url(served: Daemon, name: str) -> str:
    return f"http://127.0.0.1:{served.port}/cgi-bin/{name}"


@pytest.fixture
def upload(tmp_path: Path) -> tuple[str, ...]:
    """curl's options to send a form with a picture, and to send it in chunks."""
    picture = tmp_path / "my picture.png"
    picture.write_bytes(PICTURE)
    return (
        "-F", f"picture=@{picture};type=image/png", "-F", "title=Zoë & <Ümit>",
        "-F", "colour=red", "-F", "colour=blue",
    )  # fmt: skip


IN_CHUNKS = ("-H", "Transfer-Encoding: chunked")


# The pools are what the tests' names say.


def test_C17_scripts_share_a_hash_seed_where_they_are_forks(served: Daemon, pool: str) -> None:
    served.script("seed.py", f"{SHEBANG}print('Content-Type: text/plain\\n', hash('x'), sep='\\n')")
    seeds = {served.get("/cgi-bin/seed.py").text for _ in range(5)}
    assert len(seeds) == (1 if "warm = true" in pool else 5)


# wsgiref


@pytest.fixture
def wsgi(served: Daemon) -> str:
    """The address of a WSGI application, which is checked at every step."""
    assert "`wsgiref.handlers.CGIHandler().run(application)`" in section("A form in Python")
    served.script("application.py", SHEBANG + WSGI)
    return url(served, "application.py")


def test_C18_wsgiref_application(wsgi: str) -> None:
    reply = curl(f"{wsgi}/some/path?page=1", "-d", "name=me")
    assert reply.status == 201
    assert reply.fields["x-made-by"] == "wsgiref"
    assert reply.text.splitlines() == [
        f"application {wsgi}",
        f"request {wsgi}/some/path?page=1",
        "method POST",
        "body name=me",
    ]


def test_C3_C18_wsgiref_application_with_a_body_in_chunks(wsgi: str) -> None:
    assert "body name=me\n" in curl(f"{wsgi}/", "-d", "name=me", *IN_CHUNKS).text


def test_C18_wsgiref_head_and_get_agree(wsgi: str) -> None:
    head, get = curl(f"{wsgi}/", "--head"), curl(f"{wsgi}/")
    assert (head.status, head.fields["x-made-by"]) == (get.status, get.fields["x-made-by"])


def test_C13_C18_wsgiref_application_that_fails(served: Daemon, wsgi: str) -> None:
    reply = curl(f"{wsgi}/fails")
    assert reply.status == 500
    assert "as it was asked to" not in reply.text
    served.await_log("RuntimeError: as it was asked to")


# Uploads


def test_C18_cgi_field_storage_takes_an_upload(served: Daemon, upload: tuple[str, ...]) -> None:
    """Of the standard library until Python 3.12, then of legacy-cgi."""
    assert "`pip install legacy-cgi`" in section("A form in Python")
    served.script("storage.py", SHEBANG + FIELD_STORAGE)
    for framing in ((), IN_CHUNKS):
        assert curl(url(served, "storage.py"), *upload, *framing).text.splitlines() == [
            f"picture my picture.png image/png {DIGEST}",
            "title Zoë & <Ümit>",
            "colours ['red', 'blue']",
        ]


def test_C18_cgitb_shows_what_was_not_caught(served: Daemon) -> None:
    """As everybody has it who followed the manual of the module cgi; legacy-cgi brings it, too."""
    served.script("uncaught.py", SHEBANG + TRACEBACK)
    reply = curl(url(served, "uncaught.py"))
    assert reply.status == 500
    assert reply.fields["content-type"] == "text/html"
    assert "ZeroDivisionError" in reply.text
    assert "none of the page" not in reply.text


def test_C18_multipart_takes_an_upload(served: Daemon, upload: tuple[str, ...]) -> None:
    """With README's three lines."""
    saved = served.directory / "picture"
    lines = [line.strip() for line in UPLOADS.splitlines()]
    assert lines[-1] == 'files["picture"].save_as("/srv/forms/uploads/picture")'
    script = [
        "import os, sys",
        *lines[:-1],
        f"files['picture'].save_as({str(saved)!r})",
        "print('Content-Type: text/plain; charset=utf-8\\n')",
        "print(fields['title'], fields.getall('colour'), files['picture'].filename)",
    ]
    served.script("uploads.py", SHEBANG + "\n".join(script))
    for framing in ((), IN_CHUNKS):
        reply = curl(url(served, "uploads.py"), *upload, *framing)
        assert reply.text == "Zoë & <Ümit> ['red', 'blue'] my picture.png\n"
        assert saved.read_bytes() == PICTURE
        saved.unlink()
