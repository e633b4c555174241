"""What a CGI program is given: its input, environment, command line, process and path (C2-C8)."""

import os
import re
from collections.abc import Iterator

import pytest

from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.live.programs import ENVIRONMENT
from tests.live.scene import processes_with

# C2: exactly the body


@pytest.mark.parametrize("length", [0, 1, 65536, 300_001])
def test_C2_stdin_is_the_body_and_then_the_end(cgi: Daemon, length: int) -> None:
    cgi.script("count.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\nwc -c\n")
    reply = cgi.ask("POST", "/cgi-bin/count.sh", body=os.urandom(length))
    assert int(reply.text) == length


def test_C2_without_a_body_stdin_ends_at_once(cgi: Daemon) -> None:
    reply = cgi.get("/cgi-bin/env.py")
    assert "stdin b''" in reply.text
    assert "CONTENT_LENGTH" not in reply.text


def test_C2_a_body_on_a_connection_that_goes_on_ends_where_it_says(cgi: Daemon) -> None:
    got = cgi.exchange(
        b"POST /cgi-bin/env.py HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
        b"GET /cgi-bin/env.py HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert got.count(b"HTTP/1.1 200") == 2
    assert b"stdin b'first'" in got
    assert b"stdin b''" in got


def test_C3_a_chunked_body_has_a_true_length(cgi: Daemon) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(50_000)

    cgi.script("count.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\n"
               'echo "$CONTENT_LENGTH"\nwc -c\n')  # fmt: skip
    reply = cgi.ask("POST", "/cgi-bin/count.sh", {"Transfer-Encoding": "chunked"}, pieces())
    assert reply.text.split() == ["2500000", "2500000"]


# C5: a clean environment


def test_C5_nothing_is_inherited_and_nothing_can_be_spoofed(cgi: Daemon) -> None:
    reply = cgi.ask(
        "GET",
        "/cgi-bin/env.py",
        {
            "Proxy": "http://evil.example",
            "Authorization": "Basic c2VjcmV0",
            "X-Forwarded-For": "1.2.3.4",
            "Content_Length": "77",
            "Remote_User": "root",
        },
    )
    names = set(re.findall(r"^([A-Z_]+)=", reply.text, re.MULTILINE))
    assert "HTTP_X_FORWARDED_FOR" in names
    assert not names & {
        "HTTP_PROXY",
        "HTTP_AUTHORIZATION",
        "CONTENT_LENGTH",
        "HTTP_CONTENT_LENGTH",
        "HTTP_REMOTE_USER",
        "REMOTE_USER",
        "AUTH_TYPE",
        "HOME",
        "LANG",
        "NOTIFY_SOCKET",
    }
    assert "PATH='/usr/local/bin:/usr/bin:/bin'" in reply.text


def test_C5_authorization_is_passed_where_the_operator_says_so() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\npass_authorization = true')
    with daemon(config) as running:
        running.script("env.py", ENVIRONMENT)
        reply = running.get("/cgi-bin/env.py", Authorization="Basic c2VjcmV0")
        assert "HTTP_AUTHORIZATION='Basic c2VjcmV0'" in reply.text


def test_C5_bytes_of_a_field_arrive_as_they_were_sent(cgi: Daemon) -> None:
    got = cgi.exchange(
        b"GET /cgi-bin/env.py HTTP/1.1\r\nHost: x\r\nX-Name: gr\xc3\xbc\xff\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert rb"HTTP_X_NAME='gr\xfc\udcff'" in got or "HTTP_X_NAME='grü\\udcff'".encode() in got


# C6, C7: the process


def test_C6_the_query_never_gets_onto_a_command_line(cgi: Daemon) -> None:
    reply = cgi.get("/cgi-bin/env.py?-d+allow_url_include%3d1+foo")
    assert f"argv ['{cgi.directory}/cgi-bin/env.py']" in reply.text
    assert "QUERY_STRING='-d+allow_url_include%3d1+foo'" in reply.text


def test_C7_a_script_is_born_clean(cgi: Daemon) -> None:
    cgi.script(
        "birth.py",
        "#!/usr/bin/env python3\n"
        "import os\n"
        "fds = []\n"
        "for fd in os.listdir('/proc/self/fd'):\n"
        "    try: os.readlink(f'/proc/self/fd/{fd}'); fds.append(int(fd))\n"
        "    except OSError: pass\n"
        "print('Content-Type: text/plain\\n')\n"
        "print('fds', sorted(fds))\n"
        "print('session', os.getsid(0) == os.getpid())\n"
        "print('umask', oct(os.umask(0)))\n"
        "print('cwd', os.getcwd())\n",
    )
    text = cgi.get("/cgi-bin/birth.py").text
    assert "fds [0, 1, 2]" in text
    assert "session True" in text
    assert "umask 0o22" in text
    assert f"cwd {cgi.directory}/cgi-bin" in text


def test_C7_signals_are_neither_blocked_nor_ignored(cgi: Daemon) -> None:
    cgi.script(
        "signals.sh",
        "#!/bin/sh\necho 'Content-Type: text/plain\n'\nexec grep '^Sig[BI]' /proc/self/status\n",
    )
    text = cgi.get("/cgi-bin/signals.sh").text
    blocked, ignored = re.findall(r"Sig(?:Blk|Ign):\s+(\w+)", text)
    assert int(blocked, 16) == 0
    assert int(ignored, 16) & 0x7FFFFFFF == 0  # 32 and 33 are libc's own, posix_spawn sets them


def test_C7_a_short_script_beside_a_long_one_ends_at_once(cgi: Daemon) -> None:
    """A pipe's end that leaked into the long one would keep the short one's output open."""
    cgi.script("long.sh", "#!/bin/sh\nexec sleep 30\n")
    with cgi.connect() as long:
        long.sendall(b"GET /cgi-bin/long.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: processes_with("SCRIPT_NAME=/cgi-bin/long.sh"), "the long script")
        assert cgi.get("/cgi-bin/env.py").status == 200


# C8: the path


@pytest.mark.parametrize(
    ("path", "name", "info"),
    [
        ("/cgi-bin/env.py", "/cgi-bin/env.py", None),
        ("/cgi-bin/env.py/", "/cgi-bin/env.py", "/"),
        ("/cgi-bin/env.py/a/b", "/cgi-bin/env.py", "/a/b"),
        ("/cgi-bin/env.py/a%20b%3F", "/cgi-bin/env.py", "/a b?"),
        ("/cgi-bin/env.py/a%2Fb", "/cgi-bin/env.py", "/a/b"),
        ("/cgi-bin//env.py//x", "/cgi-bin/env.py", "/x"),
        ("/cgi-bin/./x/../env.py/y", "/cgi-bin/env.py", "/y"),
        ("/%63gi-bin/env.py/z", "/cgi-bin/env.py", "/z"),
        ("/cgi-bin/deep/er/env.py/w", "/cgi-bin/deep/er/env.py", "/w"),
    ],
)
def test_C8_script_name_and_path_info(cgi: Daemon, path: str, name: str, info: str | None) -> None:
    cgi.script("deep/er/env.py", ENVIRONMENT)
    text = cgi.get(path).text
    assert f"SCRIPT_NAME={name!r}" in text
    if info is None:
        assert "PATH_INFO" not in text
        assert "PATH_TRANSLATED" not in text
    else:
        assert f"PATH_INFO={info!r}" in text
        assert f"PATH_TRANSLATED={str(cgi.directory / 'www') + info!r}" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cgi-bin%2Fenv.py", 404),
        ("/cgi-bin/deep%2Fer/env.py", 404),
        ("/cgi-bin/", 403),
        ("/cgi-bin/deep/", 403),
        ("/cgi-bin/none.py", 404),
        ("/cgi-bin/.hidden.py", 404),
        ("/cgi-bin/../../etc/passwd", 400),
    ],
)
def test_C8_what_names_no_script(cgi: Daemon, path: str, status: int) -> None:
    cgi.script("deep/er/env.py", ENVIRONMENT)
    cgi.script(".hidden.py", ENVIRONMENT)
    assert cgi.get(path).status == status
