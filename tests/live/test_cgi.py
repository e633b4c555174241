"""CGI programs behind the real daemon: what they say is the answer, and nothing gets stuck (C1)."""

import pytest

from tests.live.daemon import Daemon, read_all

MEGABYTES = 8 << 20


# C1: never deadlocks


def test_C1_a_script_that_never_reads_gets_an_8_MiB_body(cgi: Daemon) -> None:
    cgi.script("deaf.sh", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nnot interested'\n")
    reply = cgi.ask("POST", "/cgi-bin/deaf.sh", body=bytes(MEGABYTES))
    assert (reply.status, reply.text) == (200, "not interested")


def test_C1_a_script_that_writes_8_MiB_before_it_reads_8_MiB(cgi: Daemon) -> None:
    cgi.script(
        "write_first.py",
        "#!/usr/bin/env python3\n"
        "import sys\n"
        "out = sys.stdout.buffer\n"
        "out.write(b'Content-Type: application/octet-stream\\n\\n' + bytes(8 << 20))\n"
        "out.flush()\n"
        "out.write(b'%d' % len(sys.stdin.buffer.read()))\n",
    )
    reply = cgi.ask("POST", "/cgi-bin/write_first.py", body=bytes(MEGABYTES))
    assert reply.status == 200
    assert len(reply.body) == MEGABYTES + 7
    assert reply.body.endswith(b"8388608")


def test_C1_10_MiB_of_stderr_before_the_header(cgi: Daemon) -> None:
    cgi.script(
        "loud.py",
        "#!/usr/bin/env python3\n"
        "import sys\n"
        "sys.stderr.write(('e' * 99 + '\\n') * ((10 << 20) // 100))\n"
        "print('Content-Type: text/plain\\n\\nquiet')\n",
    )
    assert cgi.get("/cgi-bin/loud.py").text == "quiet\n"
    cgi.await_log("the rest is not logged")


def test_C1_none_of_them_blocks_another_request(cgi: Daemon) -> None:
    cgi.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
    with cgi.connect() as stuck:
        stuck.sendall(b"GET /cgi-bin/stuck.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(10):
            assert cgi.get("/cgi-bin/env.py").status == 200


# The answer


@pytest.mark.parametrize(
    ("output", "status", "fields", "body"),
    [
        ("Content-Type: text/plain\\n\\nhello", 200, {"content-type": "text/plain"}, "hello"),
        ("Content-Type: text/plain\\r\\n\\r\\nhello", 200, {}, "hello"),
        ("Status: 404 Not Here\\nContent-Type: text/plain\\n\\nno", 404, {}, "no"),
        ("Status: 201\\n\\n", 201, {}, ""),
        ("Location: https://example.org/x\\n\\n", 302, {"location": "https://example.org/x"}, ""),
        ("Status: 301\\nLocation: /x\\n\\n", 301, {"location": "/x"}, ""),
        ("Content-Type: a/b\\nX-One: 1\\nX-Two: 2\\n\\n", 200, {"x-one": "1", "x-two": "2"}, ""),
        ("Content-Type: a/b\\nConnection: upgrade\\nTransfer-Encoding: x\\n\\nk", 200, {}, "k"),
        ("Content-Type: a/b\\nContent-Length: 3\\n\\nabcdef", 200, {"content-length": "3"}, "abc"),
    ],
)
def test_what_a_script_says_is_the_answer(
    cgi: Daemon, output: str, status: int, fields: dict[str, str], body: str
) -> None:
    cgi.script("say.sh", f"#!/bin/sh\nprintf '{output}'\n")
    reply = cgi.get("/cgi-bin/say.sh")
    assert (reply.status, reply.text) == (status, body)
    assert fields.items() <= reply.fields.items()
    assert reply.fields.get("connection") is None


def test_C9_too_little_output_is_seen_to_be_cut(cgi: Daemon) -> None:
    cgi.script("less.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\nContent-Length: 9\\n\\nabc'\n")
    got = cgi.exchange(b"GET /cgi-bin/less.sh HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert got.count(b"HTTP/1.1") == 1


def test_H14_head_of_a_script_has_its_fields_and_no_body(cgi: Daemon) -> None:
    cgi.script("say.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nbody'\n")
    got = cgi.exchange(b"HEAD /cgi-bin/say.sh HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b"\r\n\r\n")


def test_output_streams(cgi: Daemon) -> None:
    """The first line is here while the script waits for what we do after we have seen it."""
    cgi.script(
        "stream.sh",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfirst\\n'\n"
        'while [ ! -e "$DOCUMENT_ROOT/seen" ]; do sleep 0.05; done\necho second\n',
    )
    with cgi.connect() as connection:
        connection.sendall(b"GET /cgi-bin/stream.sh HTTP/1.0\r\n\r\n")
        got = b""
        while b"first\n" not in got:
            got += connection.recv(1000)
        assert b"second" not in got
        cgi.write("www/seen", "")
        assert read_all(connection).endswith(b"second\n")


def test_a_replaced_script_runs_anew(cgi: Daemon) -> None:
    for word in ("one", "two"):
        cgi.script("fresh.sh", f"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n{word}'\n")
        assert cgi.get("/cgi-bin/fresh.sh").text == word
