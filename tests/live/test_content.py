"""What an operator says of files, over the wire: parts, codings, fields, pages, redirects."""

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import Daemon, Reply, daemon, wait_for

LARGE = os.urandom(1 << 20) * 3
PAGE = b"<p>" + b"hello " * 5000
CONFIG = """\
workers = 1
pid_file = "forkhttpd.pid"
types = { ".oops" = "text/x-oops" }

[[listen]]
address = "127.0.0.1:0"

[log]
access = "access.log"

[[site]]
error_pages = { 404 = "pages/404.html", 502 = "pages/502.html", 405 = "pages/405.html" }

[[site.mount]]
path = "/"
docroot = "www"
precompressed = true
headers = { X-Frame-Options = "DENY" }
expires = "1h"
charset = "iso-8859-1"

[[site.mount]]
path = "/app/"
docroot = "app"
fallback = ["/index.html"]

[[site.mount]]
path = "/files/"
docroot = "files"
listing = true
symlinks = "never"

[[site.mount]]
path = "/links/"
docroot = "files"
symlinks = "all"

[[site.mount]]
path = "/moved/"
redirect = "/files/"
status = 308

[[site.mount]]
path = "/cgi-bin/"
cgi = "cgi-bin"
headers = { X-Frame-Options = "DENY", X-Own = "ours" }

[[site]]
names = ["other.example", "*.other.example"]

[[site.mount]]
docroot = "app"
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    with daemon(CONFIG, start=False) as running:
        running.write("www/large.bin", LARGE)
        running.write("www/page.html", PAGE)
        running.write("www/page.html.gz", gzip.compress(PAGE))
        running.write("www/a.oops", "oops")
        running.write("app/index.html", "application")
        running.write("files/a b.txt", "12345")
        running.write("files/big", bytes(3000))
        running.write("files/folder/x", "x")
        (running.directory / "files/link").symlink_to(running.directory / "www/a.oops")
        for status in (404, 405, 502):
            running.write(f"pages/{status}.html", f"our own {status}")
        running.script("broken.sh", "#!/bin/sh\necho nonsense\n")
        running.script(
            "own.sh",
            "#!/bin/sh\nprintf 'Status: 404 Not Found\\nX-Own: mine\\n'\n"
            "printf 'Content-Type: text/plain\\n\\nthe program speaks'\n",
        )
        running.start()
        yield running


@pytest.fixture
def client(site: Daemon) -> Iterator[Client]:
    with open_client(site) as opened:
        yield opened


def parts(reply: Reply) -> list[tuple[str, bytes]]:
    """Return Content-Range and a digest of each part."""
    head = f"Content-Type: {reply.fields['content-type']}\r\n\r\n".encode()
    boundary = re.search("boundary=(.+)", reply.fields["content-type"])
    assert boundary
    pieces = reply.body.split(f"\r\n--{boundary[1]}".encode())[1:-1]
    assert len(pieces) == sum(isinstance(p, Message) for p in _payload(head + reply.body))
    found = []
    for piece in pieces:
        fields, _, content = piece.partition(b"\r\n\r\n")
        said = re.search(rb"Content-Range: (.*)", fields)
        assert said
        found.append((said[1].decode(), hashlib.sha256(content).digest()))
    return found


def _payload(message: bytes) -> list[object]:
    payload = message_from_bytes(message).get_payload()
    assert isinstance(payload, list)
    return list(payload)


def digest(start: int, end: int) -> bytes:
    return hashlib.sha256(LARGE[start : end + 1]).digest()


# S5


def test_S5_several_parts_of_a_large_file_and_the_connection_stays(client: Client) -> None:
    size = len(LARGE)
    wanted = [(0, 0), (5000, 1_500_000), (2_000_000, 2_000_099), (size - 7, size - 1)]
    value = ",".join(f"{start}-{end}" for start, end in wanted)
    for _ in range(3):
        reply = client.ask(get("/large.bin", f"Range: bytes={value}"))
        assert reply.status == 206
        assert "content-range" not in reply.fields
        assert int(reply.fields["content-length"]) == len(reply.body)
        assert parts(reply) == [(f"bytes {a}-{b}/{size}", digest(a, b)) for a, b in wanted]


def test_S5_parts_count_in_the_access_log(site: Daemon) -> None:
    reply = site.get("/large.bin?logged", range="bytes=0-99999,500000-599999")
    site.await_access_log(f'/large.bin?logged HTTP/1.1" 206 {len(reply.body)} ')


def test_S5_a_file_in_parts_is_not_read_into_memory(site: Daemon) -> None:
    (site.directory / "www/huge.bin").touch()
    os.truncate(site.directory / "www/huge.bin", 400 << 20)
    (worker,) = site.workers()
    site.get("/large.bin", range="bytes=0-0,1000-1000")
    before = worker.memory_info().rss
    with open_client(site) as client:
        client.send(get("/huge.bin", f"Range: bytes=0-{100 << 20},{150 << 20}-{300 << 20}"))
        reply = client.reply()
        assert len(reply.body) > 250 << 20
    assert worker.memory_info().rss < before + (4 << 20)


def test_S5_if_range_is_strong(client: Client) -> None:
    etag = client.ask(get("/large.bin", method="HEAD"), "HEAD").fields["etag"]
    ranges = "Range: bytes=0-0,1000-1000"
    assert client.ask(get("/large.bin", ranges, f"If-Range: {etag}")).status == 206
    for tag in (f"W/{etag}", '"other"'):
        assert client.ask(get("/large.bin", ranges, f"If-Range: {tag}")).status == 200


def test_S5_H14_head_knows_no_parts(client: Client) -> None:
    reply = client.ask(get("/large.bin", "Range: bytes=0-0,1000-1000", method="HEAD"), "HEAD")
    assert (reply.status, reply.fields["content-length"]) == (200, str(len(LARGE)))


def test_S5_S9_a_file_that_shrinks_between_its_parts_ends_the_connection(site: Daemon) -> None:
    path = site.directory / "www/shrinking.bin"
    path.write_bytes(bytes(64 << 20))
    with open_client(site) as client:
        client.connection.setsockopt(6, 10, 1 << 16)  # TCP_WINDOW_CLAMP: the rest has to wait
        client.send(get("/shrinking.bin", f"Range: bytes=0-{20 << 20},{30 << 20}-{60 << 20}"))
        client.connection.recv(1000)
        os.truncate(path, 25 << 20)
        received = 0
        try:
            while piece := client.connection.recv(1 << 20):
                received += len(piece)
        except ConnectionResetError:
            pass
        assert received < 30 << 20
    wait_for(lambda: "shrank" in site.log, "a line in the log")


# S7


def test_S7_a_coding_for_who_takes_it(client: Client) -> None:
    for _ in range(2):
        reply = client.ask(get("/page.html", "Accept-Encoding: gzip, br"))
        assert reply.fields["content-encoding"] == "gzip"
        assert reply.fields["content-type"] == "text/html; charset=iso-8859-1"
        assert reply.fields["vary"] == "Accept-Encoding"
        assert gzip.decompress(reply.body) == PAGE
        plain = client.ask(get("/page.html"))
        assert (plain.body, plain.fields["vary"]) == (PAGE, "Accept-Encoding")
        assert "content-encoding" not in plain.fields
        assert plain.fields["etag"] != reply.fields["etag"]
        tag = f"If-None-Match: {reply.fields['etag']}"
        assert client.ask(get("/page.html", "Accept-Encoding: gzip", tag)).status == 304
        assert client.ask(get("/page.html", tag)).status == 200


# S10


def test_S10_fields_types_and_charset(client: Client) -> None:
    reply = client.ask(get("/a.oops"))
    assert reply.fields["content-type"] == "text/x-oops; charset=iso-8859-1"
    assert reply.fields["x-frame-options"] == "DENY"
    assert reply.fields["cache-control"] == "max-age=3600"
    unchanged = client.ask(get("/a.oops", f"If-None-Match: {reply.fields['etag']}"))
    assert (unchanged.status, unchanged.fields["cache-control"]) == (304, "max-age=3600")


def test_S10_the_fallback_of_an_application(client: Client) -> None:
    for path in ("/app/", "/app", "/app/users/7?x=y", "/app/users/7/"):
        reply = client.ask(get(path))
        if path == "/app":
            assert (reply.status, reply.fields["location"]) == (301, "/app/")
        else:
            assert (reply.status, reply.text) == (200, "application")
    assert client.ask(get("/app/.git/config")).status == 404


def test_S10_error_pages_keep_status_and_fields(site: Daemon, client: Client) -> None:
    reply = client.ask(get("/missing"))
    assert (reply.status, reply.text) == (404, "our own 404")
    head = client.ask(get("/missing", method="HEAD"), "HEAD")
    assert (head.status, head.fields["content-length"]) == (404, "11")
    reply = client.ask(get("/page.html", method="PUT"))
    assert (reply.status, reply.text) == (405, "our own 405")
    assert reply.fields["allow"] == "GET, HEAD, OPTIONS"
    assert site.get("/missing", Host="a.other.example").text.startswith("<!DOCTYPE")


def test_S10_error_pages_of_programs_but_not_over_what_a_program_says(client: Client) -> None:
    reply = client.ask(get("/cgi-bin/broken.sh"))
    assert (reply.status, reply.text) == (502, "our own 502")
    reply = client.ask(get("/cgi-bin/own.sh"))
    assert (reply.status, reply.text) == (404, "the program speaks")
    assert (reply.fields["x-own"], reply.fields["x-frame-options"]) == ("mine", "DENY")


def test_S10_an_error_page_that_is_gone_is_no_loop(site: Daemon, client: Client) -> None:
    page = site.directory / "pages/404.html"
    page.rename(page.with_suffix(".away"))
    try:
        reply = client.ask(get("/missing"))
        assert reply.status == 404
        assert "There is nothing at this address." in reply.text
    finally:
        page.with_suffix(".away").rename(page)
    assert client.ask(get("/missing")).text == "our own 404"


def test_S10_what_has_moved(client: Client) -> None:
    for method in ("GET", "HEAD", "POST"):
        reply = client.ask(get("/moved/a%20b.txt?c=d", method=method), method)
        assert (reply.status, reply.fields["location"]) == (308, "/files/a%20b.txt?c=d")


def test_S10_options_and_allow(client: Client) -> None:
    reply = client.ask(get("/page.html", method="OPTIONS"))
    assert (reply.status, reply.fields["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert client.ask(get("/page.html", method="TRACE")).status == 405


# S2, S8


def test_S2_each_mount_has_its_policy(client: Client) -> None:
    assert client.ask(get("/files/link")).status == 404
    assert client.ask(get("/links/link")).text == "oops"


def test_S8_a_listing_for_programs_and_in_another_order(client: Client) -> None:
    reply = client.ask(get("/files/?sort=size&order=desc", "Accept: application/json"))
    assert reply.fields["content-type"] == "application/json"
    assert [item["href"] for item in json.loads(reply.body)["items"]] == [
        "folder/",
        "big",
        "a%20b.txt",
    ]
    page = client.ask(get("/files/?sort=size&order=asc"))
    assert page.text.index("a%20b.txt") < page.text.index('href="big"')
    assert page.fields["vary"] == "Accept"


def test_S10_a_configuration_that_names_a_missing_page_is_refused(site: Daemon) -> None:
    assert not site.reload(CONFIG.replace("pages/502.html", "pages/none.html"))
    site.await_log("none.html: No such file or directory")
    assert site.reload(CONFIG)
