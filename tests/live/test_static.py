"""Files over the wire: whole, in part, unchanged, changed while they are sent, and listed."""

import email.utils
import hashlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, read_all, wait_for

LARGE = os.urandom(1 << 20) * 10
SETTLED = 2.5  # seconds after which a file may be answered from memory
AWKWARD = (
    "plain.txt",
    "two words",
    " leading and trailing ",
    'quote\'s "double" `back`',
    "<b>&amp;",
    "100%",
    "%41",
    "a#b?c=d&e",
    "semi;colon",
    "scheme:name",
    "http:",
    "plus+plus",
    "back\\slash",
    "-rf",
    "~home",
    "ümläut",
    "emoji 🐑",
    "new\nline",
    "escape \x1b[31m",
    "\u202egpj.exe",
    os.fsdecode(b"latin-1 \xe4\xff"),
    "x" * 255,
)


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    """A daemon of one worker, so that what it remembers is asked for."""
    with daemon(SITE.replace("workers = 2", "workers = 1"), start=False) as running:
        running.write("www/index.html", "<p>hello")
        running.write("www/small.txt", "0123456789")
        running.write("www/large.bin", LARGE)
        running.write("www/many words/index.html", "words")
        running.write("www/100%/ü/index.html", "deep")
        running.write("www/evil.example/index.html", "good")
        running.write("www/list/a.txt", "a")
        for name in AWKWARD:
            running.write(f"www/awkward/{name}", name.encode("utf-8", "surrogateescape"))
        running.write("www/.htpasswd", "secret")
        running.write("www/list/.git/config", "secret")
        running.write("www/.well-known/security.txt", "Contact: us")
        running.start()
        yield running


@pytest.fixture
def client(site: Daemon) -> Iterator[Client]:
    with open_client(site) as connected:
        yield connected


# Large files


def test_a_large_file_arrives_whole(site: Daemon, client: Client) -> None:
    for _ in range(2):  # also with a connection and facts that were used before
        reply = client.ask(get("/large.bin"))
        assert reply.fields["content-length"] == str(len(LARGE))
        assert hashlib.sha256(reply.body).digest() == hashlib.sha256(LARGE).digest()
    assert client.ask(get("/small.txt")).text == "0123456789"


def test_large_files_to_several_clients_at_once(site: Daemon) -> None:
    clients = [open_client(site) for _ in range(5)]
    for client in clients:
        client.send(get("/large.bin"))
    for client in clients:
        with client:
            assert client.reply().body == LARGE


def test_S9_a_file_that_shrinks_while_it_is_sent_ends_the_connection(site: Daemon) -> None:
    path = site.write("www/shrinks.bin", LARGE)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE)
    with connection:
        connection.connect(("127.0.0.1", site.port))
        connection.sendall(get("/shrinks.bin") + get("/small.txt"))
        received = connection.recv(65536)
        assert b"Content-Length: %d\r\n" % len(LARGE) in received
        os.truncate(path, 1000)
        rest = read_all(connection)
        assert len(received + rest) < len(LARGE)
        assert b"HTTP/1.1" not in rest
    site.await_log("shrank")
    assert site.get("/shrinks.bin").body == LARGE[:1000]


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(site: Daemon) -> None:
    (worker,) = site.workers()
    before = worker.num_fds()
    for _ in range(20):
        with site.connect() as connection:
            connection.sendall(get("/large.bin"))
            connection.recv(1000)
    wait_for(lambda: worker.num_fds() <= before, "all descriptors closed")
    assert "Traceback" not in site.log


# S9: never stale


def _rewrite(path: Path) -> None:
    path.write_text("new")


def _rewrite_and_touch_back(path: Path) -> None:
    status = path.stat()
    path.write_text("new")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("new")
    os.replace(other, path)


def _replace_by_older(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("new")
    os.utime(other, (0, 0))
    os.replace(other, path)


def _replace_by_link(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("new")
    path.unlink()
    path.symlink_to(other.name)


def _replace_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name(f"{path.parent.name} before"))
    path.parent.mkdir()
    path.write_text("new")


CHANGES = (
    _rewrite,
    _rewrite_and_touch_back,
    _replace,
    _replace_by_older,
    _replace_by_link,
    _replace_directory,
)


@pytest.mark.parametrize("settled", [False, True], ids=["just made", "long there"])
def test_S9_a_changed_file_is_new_at_the_next_request(site: Daemon, settled: bool) -> None:
    """Of the same size and with every timestamp that a program can set, on one connection."""
    paths = [
        site.write(f"www/changing/{settled}{number}/page.txt", "old")
        for number, _ in enumerate(CHANGES)
    ]
    if settled:  # only then is a file kept in memory
        newest = max(path.stat().st_ctime for path in paths)
        wait_for(lambda: time.time() > newest + SETTLED, "the files to settle")
    with open_client(site) as client:
        for path, change in zip(paths, CHANGES, strict=True):
            target = "/" + str(path.relative_to(site.directory / "www"))
            assert [client.ask(get(target)).text for _ in range(3)] == ["old"] * 3
            change(path)
            assert client.ask(get(target)).text == "new", change.__name__
            path.unlink()
            assert client.ask(get(target)).status == 404
            path.write_text("back")
            assert client.ask(get(target)).text == "back"


def test_S9_a_changed_large_file_is_new_at_the_next_request(site: Daemon, client: Client) -> None:
    path = site.write("www/turning.bin", b"a" * 100_000)
    assert client.ask(get("/turning.bin")).body == b"a" * 100_000
    _replace(path)
    assert client.ask(get("/turning.bin")).text == "new"


# S5, S6: conditions and ranges


@pytest.mark.parametrize("path", ["/small.txt", "/large.bin", "/"])
def test_S6_what_the_client_has_is_not_sent_again(client: Client, path: str) -> None:
    whole = client.ask(get(path))
    for condition in (
        f"If-None-Match: {whole.fields['etag']}",
        f'If-None-Match: "x", W/{whole.fields["etag"]}',
        "If-None-Match: *",
        f"If-Modified-Since: {whole.fields['last-modified']}",
        f"If-Modified-Since: {email.utils.formatdate(usegmt=True)}",
    ):
        for method in ("GET", "HEAD"):
            reply = client.ask(get(path, condition, method=method), method)
            assert reply.status == 304, condition
            assert reply.fields["etag"] == whole.fields["etag"]
            assert "date" in reply.fields
            assert "content-length" not in reply.fields


@pytest.mark.parametrize("path", ["/small.txt", "/large.bin"])
def test_S6_what_the_client_does_not_have_is_sent(client: Client, path: str) -> None:
    whole = client.ask(get(path))
    early = email.utils.formatdate(0, usegmt=True)
    for conditions in (
        ('If-None-Match: "other"',),
        (f"If-Modified-Since: {early}",),
        ("If-Modified-Since: yesterday",),
        # The tag decides, RFC 9110 §13.1.3.
        ('If-None-Match: "other"', f"If-Modified-Since: {whole.fields['last-modified']}"),
    ):
        assert client.ask(get(path, *conditions)).body == whole.body, conditions
    for condition in ('If-Match: "other"', f"If-Unmodified-Since: {early}"):
        assert client.ask(get(path, condition)).status == 412


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("0-0", 0, 1),
        ("2-5", 2, 6),
        ("7-", 7, None),
        ("-3", -3, None),
        ("5-999999999999", 5, None),
        ("-999999999999", 0, None),
        ("0-", 0, None),
    ],
)
@pytest.mark.parametrize("path", ["/small.txt", "/large.bin"])
def test_S5_a_range(client: Client, path: str, wanted: str, start: int, end: int | None) -> None:
    content = LARGE if path == "/large.bin" else b"0123456789"
    expected = content[start:end]
    first = range(len(content))[start]
    reply = client.ask(get(path, f"Range: bytes={wanted}"))
    assert (reply.status, reply.body) == (206, expected)
    last = first + len(expected) - 1
    assert reply.fields["content-range"] == f"bytes {first}-{last}/{len(content)}"
    assert client.ask(get("/small.txt")).text == "0123456789"


def test_S5_a_large_file_in_parts_is_the_whole(client: Client) -> None:
    step = 1_700_003
    parts = [
        client.ask(get("/large.bin", f"Range: bytes={at}-{at + step - 1}")).body
        for at in range(0, len(LARGE), step)
    ]
    assert b"".join(parts) == LARGE


@pytest.mark.parametrize("wanted", ["10485760-", "99999999999-", "-0"])
def test_S5_a_range_behind_the_end_is_416(client: Client, wanted: str) -> None:
    reply = client.ask(get("/large.bin", f"Range: bytes={wanted}"))
    assert (reply.status, reply.fields["content-range"]) == (416, f"bytes */{len(LARGE)}")
    assert client.ask(get("/small.txt")).text == "0123456789"


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes", "bytes=--1"])
def test_S5_a_malformed_range_is_no_range(client: Client, wanted: str) -> None:
    reply = client.ask(get("/small.txt", f"Range: {wanted}"))
    assert (reply.status, reply.text) == (200, "0123456789")


@pytest.mark.parametrize("path", ["/small.txt", "/large.bin"])
def test_S5_S6_a_condition_and_a_range_together(client: Client, path: str) -> None:
    whole = client.ask(get(path))
    tag, date = whole.fields["etag"], whole.fields["last-modified"]
    part = "Range: bytes=1-3"

    def ask(*conditions: str) -> tuple[int, bytes]:
        reply = client.ask(get(path, part, *conditions))
        return reply.status, reply.body

    assert ask(f"If-None-Match: {tag}") == (304, b"")
    assert ask('If-None-Match: "other"') == (206, whole.body[1:4])
    assert ask(f"If-Range: {tag}") == (206, whole.body[1:4])
    assert ask(f"If-Range: W/{tag}") == (200, whole.body)
    assert ask('If-Range: "other"') == (200, whole.body)
    assert ask(f"If-Match: {tag}", f"If-Range: {tag}") == (206, whole.body[1:4])
    assert ask('If-Match: "other"')[0] == 412
    assert ask(f"If-Unmodified-Since: {date}") == (206, whole.body[1:4])


# S4: directories


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/list", "/list/"),
        ("/list?a=b//c", "/list/?a=b//c"),
        ("//evil.example", "/evil.example/"),
        ("///evil.example", "/evil.example/"),
        ("/.//evil.example", "/evil.example/"),
        ("/x/..//evil.example?y", "/evil.example/?y"),
        ("http://localhost//evil.example", "/evil.example/"),
        ("/many%20words", "/many%20words/"),
        ("/100%25/%C3%BC", "/100%25/%C3%BC/"),
    ],
)
def test_S4_a_directory_is_redirected_on_this_host(
    client: Client, target: str, location: str
) -> None:
    reply = client.ask(get(target))
    assert (reply.status, reply.fields["location"]) == (301, location)
    assert client.ask(get(reply.fields["location"])).status == 200


@pytest.mark.parametrize("target", ["//evil.example/%2f..", "/%2Fevil.example", "/%5Cevil.example"])
def test_S4_what_is_no_directory_is_not_redirected(client: Client, target: str) -> None:
    reply = client.ask(get(target))
    assert reply.status in (400, 404)
    assert "location" not in reply.fields


class _Links(HTMLParser):
    """The links of a page, in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs.append(dict(attrs)["href"] or "")


def test_S8_every_link_of_a_listing_leads_to_what_it_names(client: Client) -> None:
    page = client.ask(get("/awkward/"))
    assert page.fields["content-type"] == "text/html; charset=utf-8"
    found = set()
    for href in _Links(page.text).hrefs:
        assert re.fullmatch(r"[A-Za-z0-9._~%/?=&-]+", href)
        if href.startswith(("/", "../", "?")):  # elsewhere, or the same in another order
            assert client.ask(get(urljoin("/awkward/", href))).status == 200
            continue
        reply = client.ask(get(f"/awkward/{href}"))
        assert reply.status == 200, href
        found.add(reply.body)
    assert found == {name.encode("utf-8", "surrogateescape") for name in AWKWARD}


def test_S8_a_listing_shows_what_is_there_now(site: Daemon, client: Client) -> None:
    site.write("www/growing/one", "")
    assert "two" not in client.ask(get("/growing/")).text
    site.write("www/growing/two", "")
    assert "two" in client.ask(get("/growing/")).text


def test_a_directory_without_listing_is_403() -> None:
    with daemon(SITE.replace("listing = true", "")) as running:
        running.write("www/list/a.txt", "a")
        assert running.get("/list/").status == 403
        assert running.get("/list/a.txt").text == "a"


# What is not shown


@pytest.mark.parametrize(
    "path", ["/.htpasswd", "/list/.git/config", "/list/.git/", "/list/.git", "/%2ehtpasswd"]
)
def test_S8_dotfiles_are_as_good_as_absent(client: Client, path: str) -> None:
    reply = client.ask(get(path))
    assert reply.status == 404
    assert "secret" not in reply.text
    assert ".git" not in client.ask(get("/list/")).text


def test_S8_well_known_is_the_exception(client: Client) -> None:
    assert client.ask(get("/.well-known/security.txt")).text == "Contact: us"


def _make_fifo(path: Path) -> None:
    os.mkfifo(path)


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def _link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "statuses"),
    [(_make_fifo, (403,)), (_make_socket, (403,)), (_link_to_a_device, (403, 404))],
)
def test_S1_what_is_no_regular_file_is_refused_without_hanging(
    site: Daemon, client: Client, make: Callable[[Path], None], statuses: tuple[int, ...]
) -> None:
    path = site.directory / "www" / make.__name__
    make(path)
    assert client.ask(get(f"/{make.__name__}")).status in statuses
    assert client.ask(get("/small.txt")).text == "0123456789"


@pytest.mark.parametrize(
    "target", ["/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/list/..%2f..%2fetc/passwd"]
)
def test_S1_nothing_above_the_docroot(site: Daemon, target: str) -> None:
    with open_client(site) as client:
        reply = client.ask(get(target))
        assert reply.status in (400, 404)
        assert b"root:" not in reply.body


# H14


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/", ()),
        ("/small.txt", ()),
        ("/large.bin", ()),
        ("/small.txt", ("Accept-Encoding: gzip",)),
        ("/awkward/", ()),
        ("/list", ()),
        ("/small.txt", ('If-None-Match: "other"',)),
    ],
)
def test_H14_head_is_get_without_its_body(
    client: Client, path: str, fields: tuple[str, ...]
) -> None:
    whole = client.ask(get(path, *fields))
    head = client.ask(get(path, *fields, method="HEAD"), "HEAD")
    assert head.status == whole.status
    assert {**head.fields, "date": ""} == {**whole.fields, "date": ""}


# Descriptors


def test_mixed_requests_leave_no_descriptor_open(site: Daemon) -> None:
    (worker,) = site.workers()
    tag = site.get("/large.bin").fields["etag"]
    requests = [
        get("/"),
        get("/large.bin", "Range: bytes=5-9"),
        get("/large.bin", f"If-None-Match: {tag}"),
        get("/large.bin", 'If-Match: "other"'),
        get("/large.bin", "Range: bytes=99999999-"),
        get("/large.bin", "Range: bytes=0-1,3-4"),
        get("/list"),
        get("/list/"),
        get("/none"),
        get("/.htpasswd"),
        get("/list/none/x"),
        get("/small.txt", method="POST"),
    ]
    with open_client(site) as client:
        _ask_all(client, requests)
        before = worker.num_fds()
        for _ in range(42):
            _ask_all(client, requests)
            client.ask(get("/large.bin", method="HEAD"), "HEAD")
        wait_for(lambda: worker.num_fds() <= before, "all files closed")
    wait_for(lambda: worker.num_fds() < before, "the connection's descriptor closed")


def _ask_all(client: Client, requests: list[bytes]) -> None:
    for request in requests:
        client.ask(request)
