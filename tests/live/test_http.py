"""HTTP/1.1 and 1.0 over the wire: messages, connections, and what is refused."""

import re
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.http1.transcript import LIMITS
from tests.live.client import chunked, get, open_client, post
from tests.live.daemon import SITE, Daemon, daemon
from tests.live.site import ECHO, PAGE, PICTURE
from tests.wire.corpus import Case, load

REFUSED = [case for case in load() if case.error and not case.requests]


# Messages


def test_a_page_and_a_picture(site: Daemon) -> None:
    page, picture = site.get("/"), site.get("/test.png")
    assert (page.status, page.text) == (200, PAGE)
    assert page.fields["content-type"] == "text/html; charset=utf-8"
    assert (picture.status, picture.body) == (200, PICTURE)
    assert picture.fields["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path", ["/", "/test.png", "/large.bin", "/none", "/cgi-bin/echo.sh", "/cgi-bin"]
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_H14_head_has_the_fields_of_get_and_no_body(site: Daemon, path: str, version: str) -> None:
    with open_client(site) as client:
        keep = "Connection: keep-alive"
        head = client.ask(get(path, keep, method="HEAD", version=version), "HEAD")
    with open_client(site) as client:
        whole = client.ask(get(path, keep, version=version))
    assert head.status == whole.status
    assert [*head.fields] == [*whole.fields]
    # An error's page has the request's name in it, which may be a digit longer.
    apart = {"date", "content-length"} if head.status >= 400 else {"date"}
    assert all(head.fields[name] == whole.fields[name] for name in head.fields.keys() - apart)


def test_H14_nothing_follows_the_fields_of_head(site: Daemon) -> None:
    for path in ("/", "/test.png", "/large.bin", "/none", "/cgi-bin/echo.sh"):
        with open_client(site) as client:
            client.send(get(path, method="HEAD") + get("/0.txt"))
            client.reply("HEAD")
            assert client.reply().text == "file 0\n"


def test_H14_date_is_always_there_and_now(site: Daemon) -> None:
    for path in ("/", "/none", "/cgi-bin/echo.sh", "/cgi-bin"):
        date = site.get(path).fields["date"]
        assert date.endswith(" GMT")
        age = abs(parsedate_to_datetime(date).timestamp() - time.time())
        assert age < 10
    assert b"\r\nDate: " in site.exchange(b"nonsense\r\n\r\n")


def test_H14_server_says_its_name_unless_told_not_to(site: Daemon) -> None:
    assert site.get("/").fields["server"] == "forkhttpd"
    with daemon('server = ""\n' + SITE) as running:
        running.script("echo.sh", ECHO)
        for path in ("/", "/none", "/cgi-bin/echo.sh"):
            assert "server" not in running.get(path).fields
        assert b"Server:" not in running.exchange(b"nonsense\r\n\r\n")


# Connections


def test_keep_alive_is_the_default_of_1_1(site: Daemon) -> None:
    with open_client(site) as client:
        for number in range(5):
            reply = client.ask(get(f"/{number}.txt"))
            assert reply.text == f"file {number}\n" * (number + 1)
            assert "connection" not in reply.fields


def test_H14_keep_alive_on_1_0_is_for_who_asks(site: Daemon) -> None:
    with open_client(site) as client:
        for _ in range(3):
            reply = client.ask(get("/0.txt", "Connection: Keep-Alive", version="1.0"))
            assert reply.fields["connection"] == "keep-alive"
        client.send(get("/0.txt", version="1.0"))
        assert "connection" not in client.reply().fields
        assert client.rest() == b""


def test_H14_a_1_0_client_needs_no_host_and_gets_no_chunks(site: Daemon) -> None:
    got = site.exchange(b"GET /cgi-bin/echo.sh HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"Transfer-Encoding" not in head
    assert b"keep-alive" not in head  # where it ends is told by its end
    assert body == b"length \n"


@pytest.mark.parametrize("path", ["/0.txt", "/large.bin", "/none", "/cgi-bin/echo.sh"])
def test_close_is_answered_with_close(site: Daemon, path: str) -> None:
    with open_client(site) as client:
        client.send(get(path, "Connection: close") + get("/1.txt"))
        assert client.reply().fields["connection"] == "close"
        assert client.rest() == b""


# H1 to H7: what is refused


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_H4_nothing_behind_a_refused_request_is_answered(strict: Daemon, case: Case) -> None:
    with open_client(strict) as client:
        client.send(case.raw + get())
        reply = client.reply()
        assert (reply.status, reply.fields["connection"]) == (case.error, "close")
        assert client.rest() == b""


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (get("/" + "a" * 250), 414),
        (get("/", "X: " + "a" * 700), 431),
        (get("/", *(f"X-{n}: y" for n in range(12))), 431),
        (post("/cgi-bin/echo.sh", bytes(1025)), 413),
        (chunked("/cgi-bin/echo.sh", bytes(1000), bytes(25)), 413),
        (get(version="1.2"), 505),
        (get(version="2.0"), 505),
        (get(method="CONNECT"), 501),
        (get(method="BREW"), 501),
        (get(method="TRACE"), 405),
    ],
)
def test_H7_each_limit_has_its_status_and_ends_the_connection(
    strict: Daemon, data: bytes, status: int
) -> None:
    with open_client(strict) as client:
        client.send(data + get())
        reply = client.reply()
        assert (reply.status, reply.fields["connection"]) == (status, "close")
        assert client.rest() == b""


def test_H7_what_is_just_within_the_limits_is_answered(strict: Daemon) -> None:
    with open_client(strict) as client:
        for data in (
            get("/?" + "a" * (LIMITS.request_line - len("GET /? HTTP/1.1"))),
            get("/", *(f"X-{n}: y" for n in range(LIMITS.header_fields - 1))),
            post("/cgi-bin/echo.sh", bytes(1024)),
            chunked("/cgi-bin/echo.sh", bytes(1000), bytes(24)),
        ):
            assert client.ask(data).status == 200


def test_H6_an_upgrade_with_a_body_does_not_get_the_connection_out_of_step(site: Daemon) -> None:
    """What `curl --http2 -d hello` sends."""
    upgrade = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    )
    with open_client(site) as client:
        client.send(
            post("/cgi-bin/echo.sh", b"hello", *upgrade)
            + get("/0.txt", *upgrade)
            + chunked("/cgi-bin/echo.sh", b"bye").replace(b"Host", b"Upgrade: websocket\r\nHost")
            + get("/1.txt")
        )
        assert client.reply().text == "length 5\nhello"
        assert client.reply().text == "file 0\n"
        assert client.reply().text == "length 3\nbye"
        assert client.reply().text == "file 1\n" * 2


def test_H13_fields_with_an_underscore_are_dropped(site: Daemon) -> None:
    site.script("env.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\nenv\n")
    with open_client(site) as client:
        data = get("/cgi-bin/env.sh", "X_Spoofed: 1", "Content_Length: 9", "X-Kept: 1")
        text = client.ask(data).text
        assert "HTTP_X_KEPT=1" in text
        assert "SPOOFED" not in text
        assert "CONTENT_LENGTH" not in text
        assert client.ask(get("/0.txt")).text == "file 0\n"


@pytest.mark.parametrize(
    "field",
    [
        r"X-A: b\rSet-Cookie: evil=1",
        r"X-A: b\r\rSet-Cookie: evil=1",
        r"X-A\r: b",
        r"X-A: b\n Set-Cookie: evil=1",
        r"X-A: b\000c",
        r"X-A : b",
        r"Location: /x\rSet-Cookie: evil=1",
        r"Content-Length: 5\r6",
        r"Status: 200 OK\rSet-Cookie: evil=1",
    ],
)
def test_H12_a_script_cannot_smuggle_a_line_end_into_a_field(site: Daemon, field: str) -> None:
    site.script("evil.sh", f"#!/bin/sh\nprintf 'Content-Type: a/b\\n{field}\\n\\nbody'\n")
    with open_client(site) as client:
        reply = client.ask(get("/cgi-bin/evil.sh"))
        assert reply.status == 502
        assert not reply.fields.keys() & {"set-cookie", "x-a", "location"}
        assert client.ask(get("/0.txt")).text == "file 0\n"


# H14: targets


def test_H14_options_of_the_server_as_a_whole(site: Daemon) -> None:
    with open_client(site) as client:
        for target in ("*", "http://localhost"):
            reply = client.ask(get(target, method="OPTIONS"))
            assert (reply.status, reply.body) == (204, b"")
            assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(reply.fields["allow"].split(", "))
        assert client.ask(get("/0.txt")).text == "file 0\n"


def test_H14_options_of_a_file(site: Daemon) -> None:
    reply = site.get("/0.txt", method="OPTIONS")
    assert (reply.status, reply.fields["allow"]) == (204, "GET, HEAD, OPTIONS")


def test_H14_an_absolute_target(site: Daemon) -> None:
    with open_client(site) as client:
        assert client.ask(get("http://localhost/0.txt")).text == "file 0\n"
        assert client.ask(get("HTTP://other.example:99/1.txt")).text == "file 1\n" * 2
        assert client.ask(get("http://localhost")).text == PAGE


def test_H5_trailers_are_dropped(site: Daemon) -> None:
    site.script("env.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\nenv\n")
    head = get("/cgi-bin/env.sh", "Transfer-Encoding: chunked", "Trailer: X-T", method="POST")
    with open_client(site) as client:
        reply = client.ask(head + b"1\r\na\r\n0\r\nX-T: evil\r\nHost: evil\r\n\r\n")
        assert "evil" not in reply.text
        assert re.findall("CONTENT_LENGTH=(.*)", reply.text) == ["1"]
        assert client.ask(get("/0.txt")).text == "file 0\n"
