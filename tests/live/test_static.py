"""Files over the wire: whole, in part, unchanged, cut off while they are sent, and hidden."""

import email.utils
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, read_all, wait_for

LARGE = os.urandom(1 << 20) * 10


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    """A daemon of one worker, so that what it remembers is asked for."""
    with daemon(SITE.replace("workers = 2", "workers = 1"), start=False) as running:
        running.write("www/index.html", "<p>hello")
        running.write("www/small.txt", "0123456789")
        running.write("www/large.bin", LARGE)
        running.write("www/list/a.txt", "a")
        running.write("www/awkward/two words", "")
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
