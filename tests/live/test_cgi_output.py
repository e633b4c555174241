"""What a program says, and what becomes of it (C9), behind the real daemon."""

import re
import socket

import pytest

from tests.live.daemon import SITE, Daemon, daemon, read_all

ECHO = """\
#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
echo "$REQUEST_METHOD $REQUEST_URI $QUERY_STRING ${CONTENT_LENGTH-none} $UNIQUE_ID"
"""


@pytest.fixture(scope="module")
def served(pooled: Daemon) -> Daemon:
    return pooled


def say(running: Daemon, output: str, *, name: str = "say.py") -> str:
    """Make a program that writes exactly this; return its path."""
    code = f"#!/usr/bin/env python3\nimport sys\nsys.stdout.buffer.write({output.encode()!r})\n"
    running.script(name, code)
    return f"/cgi-bin/{name}"


# Local redirects


def test_C9_a_local_redirect_is_answered_by_the_other_path(served: Daemon) -> None:
    served.write("www/target.txt", "a file")
    reply = served.get(say(served, "Location: /target.txt\n\n"))
    assert (reply.status, reply.text) == (200, "a file")
    assert "location" not in reply.fields


def test_C9_a_local_redirect_asks_by_GET_with_its_own_query_and_no_body(served: Daemon) -> None:
    served.script("echo.sh", ECHO)
    path = say(served, "Location: /cgi-bin/echo.sh?a=b&c\n\n")
    reply = served.ask("POST", f"{path}?old", body=b"a form")
    method, uri, query, length, unique = reply.text.split()
    assert (method, uri, query, length) == ("GET", "/cgi-bin/echo.sh?a=b&c", "a=b&c", "none")
    assert unique.endswith("-1-1"), "the first request of a connection, redirected once"


def test_C9_the_connection_goes_on_after_a_local_redirect_of_a_post(served: Daemon) -> None:
    served.write("www/target.txt", "a file")
    path = say(served, "Location: /target.txt\n\n")
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n".encode()
    got = served.exchange(
        request + b"\r\n" + bytes(70000) + request + b"Connection: close\r\n\r\n" + bytes(70000)
    )
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert got.count(b"a file") == 2


def test_C9_a_range_and_a_condition_apply_to_the_file_that_is_sent_instead(served: Daemon) -> None:
    served.write("www/target.txt", "a file")
    path = say(served, "Location: /target.txt\n\n")
    part = served.get(path, Range="bytes=2-5")
    assert (part.status, part.text) == (206, "file")
    assert served.get(path, If_None_Match=part.fields["etag"]).status == 304


def test_C9_a_loop_of_local_redirects_ends(served: Daemon) -> None:
    reply = served.get(say(served, "Location: /cgi-bin/loop.py\n\n", name="loop.py"))
    assert reply.status == 502
    served.await_log("redirected inside more than 5 times")


@pytest.mark.parametrize(
    ("location", "status"), [("/none", 404), ("/a%zz", 502), ("/../x", 502), ("/a b", 502)]
)
def test_C9_a_local_redirect_to_nowhere(served: Daemon, location: str, status: int) -> None:
    assert served.get(say(served, f"Location: {location}\n\n")).status == status


@pytest.mark.parametrize(
    "output",
    [
        "Location: //example.org/x\n\n",
        "Location: http://example.org/x\n\n",
        "Location: /x\nSet-Cookie: a=b\n\n",
        "Location: /x\nContent-Type: text/html\n\n<a href='/x'>x</a>",
        "Status: 302 Found\nLocation: /x\n\n",
        "Location: relative\n\n",
    ],
)
def test_C9_any_other_location_is_for_the_client(served: Daemon, output: str) -> None:
    location = re.findall("Location: (.*)\n", output)
    reply = served.get(say(served, output))
    assert (reply.status, [reply.fields["location"]]) == (302, location)
    assert reply.text == output.partition("\n\n")[2]


# Documents


def test_C9_the_phrase_of_a_status_is_kept(served: Daemon) -> None:
    path = say(served, "Status: 299 Quite Fine\nContent-Type: a/b\n\nx")
    got = served.exchange(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 299 Quite Fine\r\n")


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_C9_an_answer_without_body_has_none_whatever_the_script_says(
    served: Daemon, status: int, method: str
) -> None:
    path = say(served, f'Status: {status}\nETag: "e"\nContent-Type: a/b\n\nHTTP/1.1 200 no')
    served.write("www/next", "next")
    got = served.exchange(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        + b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    first, _, rest = got.partition(b"\r\n\r\n")
    assert first.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Transfer-Encoding" not in first
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(b"\r\n\r\nnext")


def test_C9_hop_by_hop_fields_and_those_that_are_ours_are_dropped(served: Daemon) -> None:
    ours = (
        "Connection: keep-alive\nKeep-Alive: timeout=5\nTransfer-Encoding: gzip\nTE: x\n"
        "Trailer: x\nUpgrade: h2c\nProxy-Connection: x\nServer: script\nDate: never\n"
    )
    path = say(served, f"Content-Type: a/b\n{ours}X-Mine: kept\n\nbody")
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode()
    got = served.exchange(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
    head = got.partition(b"\r\n\r\n")[0].decode().lower()
    assert "x-mine: kept" in head
    assert "transfer-encoding: chunked" in head
    assert not [word for word in ("gzip", "h2c", "timeout=5", "script", "never") if word in head]
    assert got.count(b"X-Mine: kept") == 2, "the connection stays open"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("Content-Type: a/b\nContent-Length: 1\nContent-Length: 1\n\nx", "more than one"),
        ("Content-Type: a/b\nX: a\0b\n\nx", "not a header line"),
        ("Content-Type: a/b\nContent-Length: 0x1\n\nx", "not a length"),
        ("Content-Type: a/b\nContent-Length: -1\n\nx", "not a length"),
        ("Content-Type: a/b\n folded\n\nx", "not a header line"),
        ("Content-Type : a/b\n\nx", "not a header line"),
        ("Content-Type: a/b\rX: y\n\nx", "not a header line"),
        ("Status: 200\nStatus: 404\n\nx", "more than one"),
        ("Status: 99\n\nx", "not a status"),
        ("Status: 101\nUpgrade: x\n\nx", "not a status"),
        ("Content-Type: a/b\n" + "X: y\n" * 20000 + "\nx", "header over"),
        ("X" * 70000, "header over"),
    ],
)
def test_C9_what_makes_no_sense_is_502_and_never_200(
    served: Daemon, output: str, words: str
) -> None:
    reply = served.get(say(served, output))
    assert reply.status == 502
    unique = re.search(r"request ([\w-]+)", reply.text)
    assert unique is not None
    served.await_log(unique[1])
    assert words in next(line for line in served.log.splitlines() if unique[1] in line)


def test_C9_a_header_that_comes_byte_by_byte_is_read(served: Daemon) -> None:
    served.script(
        "drip.py",
        "#!/usr/bin/env python3\nimport os\n"
        "for byte in b'Content-Type: text/plain\\r\\n\\r\\nslow':\n"
        "    os.write(1, bytes([byte]))\n",
    )
    assert served.get("/cgi-bin/drip.py").text == "slow"


@pytest.mark.parametrize("length", [3, 30])
def test_C9_a_false_length_cannot_smuggle_an_answer(served: Daemon, length: int) -> None:
    """Shorter: the rest is not sent.  Longer: the connection does not go on."""
    smuggled = "HTTP/1.1 200 OK\r\n\r\n"
    path = say(served, f"Content-Type: a/b\nContent-Length: {length}\n\nabc{smuggled}"[: 60 + 3])
    served.write("www/next", "next")
    with served.connect() as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        connection.shutdown(socket.SHUT_WR)
        got = read_all(connection)
    body = got.partition(b"\r\n\r\n")[2]
    if length == 3:
        assert body.startswith(b"abcHTTP/1.1 200 OK\r\nDate:")
        assert got.endswith(b"next")
    else:
        assert b"next" not in got


# NPH


def test_C9_an_nph_script_speaks_for_itself(served: Daemon) -> None:
    answer = "HTTP/1.1 418 Short and Stout\r\nX-Raw: yes\r\n\r\ntea"
    path = say(served, answer, name="nph-tea.py")
    got = served.exchange(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 2)
    assert got == answer.encode(), "exactly that, and then the end"
    served.await_access_log('nph-tea.py HTTP/1.1" 418 ')


def test_C9_an_nph_script_that_speaks_no_HTTP_is_502(served: Daemon) -> None:
    reply = served.get(say(served, "Content-Type: text/plain\n\nx", name="nph-wrong.py"))
    assert reply.status == 502
    served.await_log('its output must begin like "HTTP/1.1 200 OK"')


# Files that a program has sent


def test_C9_sendfile_sends_a_file_with_the_fields_of_the_program() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nsendfile_roots = ["private"]')
    with daemon(config, start=False) as running:
        file = running.write("private/deep/report.txt", "0123456789" * 30000)
        running.write("secret.txt", "secret")
        running.write("private/.hidden", "hidden")
        (running.directory / "private" / "link").symlink_to("../secret.txt")
        running.start()
        reply = running.get(
            say(running, f"X-Sendfile: {file}\nContent-Type: text/x\nX-Mine: 1\n\nnot this")
        )
        assert (reply.status, len(reply.body)) == (200, 300000)
        assert reply.fields["content-type"] == "text/x"
        assert reply.fields["x-mine"] == "1"
        assert "x-sendfile" not in reply.fields
        part = running.get("/cgi-bin/say.py", Range="bytes=10-12")
        assert (part.status, part.text) == (206, "012")
        several = running.get("/cgi-bin/say.py", Range="bytes=0-1,200000-200001")
        assert several.status == 206
        assert several.fields["content-type"].startswith("multipart/byteranges")
        assert running.get("/cgi-bin/say.py", If_None_Match=reply.fields["etag"]).status == 304
        assert running.get("/cgi-bin/say.py", method="HEAD").fields["content-length"] == "300000"
        assert running.ask("POST", "/cgi-bin/say.py", body=b"x").status == 200
        for name, status in {
            running.directory / "secret.txt": 502,
            running.directory / "private/../secret.txt": 502,
            "report.txt": 502,
            running.directory / "private/link": 404,
            running.directory / "private/.hidden": 404,
            running.directory / "private/none": 404,
            running.directory / "private/deep": 404,
        }.items():
            refused = running.get(say(running, f"X-Sendfile: {name}\nContent-Type: a/b\n\n"))
            assert (refused.status, b"secret" in refused.body) == (status, False), name


def test_C9_sendfile_repeats_with_304_what_the_program_says_of_caching() -> None:
    """RFC 9110 §15.4.5, and a cookie is no less meant because the client has the file."""
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nsendfile_roots = ["private"]')
    with daemon(config) as running:
        file = running.write("private/report.txt", "report")
        fields = "Cache-Control: private\nVary: Cookie\nSet-Cookie: a=b\nContent-Language: en\n"
        path = say(running, f"X-Sendfile: {file}\nContent-Type: text/x\n{fields}\n")
        whole = running.get(path)
        same = running.get(path, If_None_Match=whole.fields["etag"])
        assert same.status == 304
        for name in ("cache-control", "vary", "set-cookie", "etag"):
            assert same.fields[name] == whole.fields[name]
        assert not {"content-type", "content-language", "last-modified"} & same.fields.keys()


def test_C9_without_roots_sendfile_is_a_field_like_any_other(served: Daemon) -> None:
    reply = served.get(say(served, "X-Sendfile: /etc/passwd\nContent-Type: text/plain\n\nx"))
    assert (reply.text, reply.fields["x-sendfile"]) == ("x", "/etc/passwd")


# A program that stands for its directory


def test_C8_an_index_program_stands_for_its_directory() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nindex = ["no.cgi", "index.cgi"]')
    with daemon(config) as running:
        script = "#!/bin/sh\necho 'Content-Type: a/b\n'\necho \"$SCRIPT_NAME ${PATH_INFO-none}\"\n"
        running.script("index.cgi", script)
        running.script("sub/index.cgi", script)
        running.script("none/other.cgi", script)
        running.script("plain/index.cgi", script, mode=0o644)
        assert running.get("/cgi-bin/").text == "/cgi-bin/index.cgi none\n"
        assert running.get("/cgi-bin/sub/?q").text == "/cgi-bin/sub/index.cgi none\n"
        assert running.get("/cgi-bin/sub/index.cgi/x").text == "/cgi-bin/sub/index.cgi /x\n"
        moved = running.get("/cgi-bin/sub?q")
        assert (moved.status, moved.fields["location"]) == (301, "/cgi-bin/sub/?q")
        assert running.get("/cgi-bin").fields["location"] == "/cgi-bin/"
        assert running.get("/cgi-bin/none/").status == 403
        assert running.get("/cgi-bin/plain/").status == 403
        running.await_log("plain/index.cgi is not executable")
