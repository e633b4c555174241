"""Bodies of requests over the wire: sized, chunked, announced, malformed, unread."""

import pytest

from tests.live.client import chunked, get, open_client, post
from tests.live.daemon import Daemon


def test_bodies_sized_and_chunked(site: Daemon) -> None:
    with open_client(site) as client:
        assert client.ask(post("/cgi-bin/echo.sh", b"12345")).text == "length 5\n12345"
        reply = client.ask(chunked("/cgi-bin/echo.sh", b"one ", b"two ", b"three"))
        assert reply.text == "length 13\none two three"
        assert client.ask(post("/cgi-bin/echo.sh", b"")).text == "length 0\n"
        assert client.ask(chunked("/cgi-bin/echo.sh")).text == "length 0\n"


@pytest.mark.parametrize("path", ["/", "/none", "/cgi-bin/none", "/cgi-bin/deaf.sh"])
def test_a_body_that_nobody_reads_does_not_become_the_next_request(site: Daemon, path: str) -> None:
    site.script("deaf.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\n")
    body = get("/1.txt")
    with open_client(site) as client:
        client.send(post(path, body) + chunked(path, body, body) + get("/0.txt"))
        client.reply()
        client.reply()
        assert client.reply().text == "file 0\n"


def test_a_large_body_that_nobody_reads_ends_the_connection(site: Daemon) -> None:
    """More than is worth reading; the answer still arrives, and no part of the body is obeyed."""
    body = get("/1.txt") * 50_000
    with open_client(site) as client:
        client.send(post("/", body) + get("/0.txt"))
        reply = client.reply()
        assert (reply.status, reply.fields["connection"]) == (405, "close")
        assert client.rest() == b""


@pytest.mark.parametrize("body", [b"xyz\r\n", b"5\r\nab\r\n0\r\n\r\n", b"-1\r\n", b"5;\x00\r\n"])
@pytest.mark.parametrize("path", ["/", "/none", "/cgi-bin/echo.sh"])
def test_H4_a_malformed_body_ends_the_connection(site: Daemon, path: str, body: bytes) -> None:
    head = get(path, "Transfer-Encoding: chunked", method="POST")
    with open_client(site) as client:
        client.send(head + body + get("/0.txt"))
        client.reply()
        assert client.rest() == b""
    assert "Traceback" not in site.log
    assert "failed" not in site.log


# Expect


@pytest.mark.parametrize("length", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_100_is_sent_when_the_body_is_wanted(site: Daemon, length: str) -> None:
    with open_client(site) as client:
        client.send(get("/cgi-bin/echo.sh", length, "Expect: 100-continue", method="POST"))
        assert client.reply().status == 100
        client.send(b"hello" if length.endswith("5") else b"5\r\nhello\r\n0\r\n\r\n")
        assert client.reply().text == "length 5\nhello"
        assert client.ask(get("/0.txt")).text == "file 0\n"


def test_100_never_comes_after_the_answer_has_begun(site: Daemon) -> None:
    """The script has its header out before anybody looks at its input."""
    head = get("/cgi-bin/echo.sh", "Content-Length: 5", "Expect: 100-continue", method="POST")
    with open_client(site) as client:
        for _ in range(50):
            assert client.ask(head).status == 100
            assert client.ask(b"hello").text == "length 5\nhello"


@pytest.mark.parametrize(
    ("path", "status"), [("/cgi-bin/", 403), ("/cgi-bin/none", 404), ("/none", 405)]
)
def test_a_refusal_comes_without_100_and_ends_the_connection(
    site: Daemon, path: str, status: int
) -> None:
    """The client may send the body or not, so nobody could tell it from the next request."""
    with open_client(site) as client:
        head = get(path, "Content-Length: 7", "Expect: 100-continue", method="POST")
        reply = client.ask(head)
        assert (reply.status, reply.fields["connection"]) == (status, "close")
        assert client.rest() == b""


def test_H7_a_body_over_the_limit_is_refused_before_it_is_sent(strict: Daemon) -> None:
    head = get("/cgi-bin/echo.sh", "Content-Length: 1025", "Expect: 100-continue", method="POST")
    with open_client(strict) as client:
        reply = client.ask(head)
        assert (reply.status, reply.fields["connection"]) == (413, "close")
        assert client.rest() == b""


def test_a_client_that_does_not_wait_for_100_is_answered_all_the_same(site: Daemon) -> None:
    with open_client(site) as client:
        client.send(post("/cgi-bin/echo.sh", b"hello", "Expect: 100-continue") + get("/0.txt"))
        assert client.reply().status == 100
        assert client.reply().text == "length 5\nhello"
        assert client.reply().text == "file 0\n"


def test_an_unknown_expectation_is_417(site: Daemon) -> None:
    assert site.get("/", Expect="more").status == 417
