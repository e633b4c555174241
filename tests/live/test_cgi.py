"""CGI programs behind the real daemon."""

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.live.asking import status
from tests.live.daemon import SITE, Daemon, daemon, read_all, wait_for
from tests.live.scene import processes_with

ENVIRONMENT = """\
#!/usr/bin/env python3
import os, sys
print("Content-Type: text/plain\\n")
for name in sorted(os.environ):
    print(f"{name}={os.environ[name]!r}")
print("argv", sys.argv)
print("cwd", os.getcwd())
print("stdin", repr(sys.stdin.buffer.read()))
"""

MEGABYTES = 8 << 20


@pytest.fixture(scope="module")
def cgi(pooled: Daemon) -> Daemon:
    pooled.script("env.py", ENVIRONMENT)
    return pooled


def programs_with(marker: str) -> int:
    """Return how many programs these are: each has a session of its own."""
    sessions = set()
    for pid in processes_with(marker):
        with contextlib.suppress(ProcessLookupError):
            sessions.add(os.getsid(pid))
    return len(sessions)


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


# Mistakes


@pytest.mark.parametrize(
    ("content", "mode", "status", "words"),
    [
        ("#!/bin/sh\n", 0o644, 403, "is not executable; run: chmod +x"),
        ("#!/usr/bin/pyton3\n", 0o755, 502, "needs /usr/bin/pyton3, which does not exist"),
        ("#!/bin/sh\r\necho\r\n", 0o755, 502, "has Windows line ends"),
        ("print('hello')\n", 0o755, 502, "names no interpreter"),
        ("#!/bin/sh\nexit 3\n", 0o755, 502, "exited with 3 without any output"),
        ("#!/bin/sh\nkill -9 $$\n", 0o755, 502, "was killed by signal 9 without any output"),
        ("#!/bin/sh\necho hello\n", 0o755, 502, "before its header was complete"),
        ("#!/bin/sh\nprintf 'hello\\n\\n'\n", 0o755, 502, "not a header line: 'hello'"),
        ("#!/bin/sh\nprintf 'X-A: b\\n\\n'\n", 0o755, 502, "none of Content-Type"),
        ("#!/bin/sh\nprintf 'Status: good\\n\\n'\n", 0o755, 502, "not a status"),
    ],
)
def test_C16_each_usual_mistake_has_its_line(
    cgi: Daemon, content: str, mode: int, status: int, words: str
) -> None:
    cgi.script("mistake", content, mode=mode)
    reply = cgi.get("/cgi-bin/mistake")
    assert reply.status == status
    assert "mistake" not in reply.text
    unique = re.search(r"request ([\w-]+)", reply.text)
    assert unique is not None
    cgi.await_log(unique[1])
    line = next(line for line in cgi.log.splitlines() if unique[1] in line)
    assert words in line
    assert f"{cgi.directory}/cgi-bin/mistake" in line


def test_C13_stderr_is_logged_by_lines_with_request_script_and_pid(cgi: Daemon) -> None:
    cgi.script(
        "complain.sh",
        '#!/bin/sh\necho "Content-Type: text/plain\n\n$UNIQUE_ID $$"\n'
        "printf 'one\\ntwo \\033[31m\\nthree' >&2\n",
    )
    unique, pid = cgi.get("/cgi-bin/complain.sh").text.split()
    prefix = f"{unique}: {cgi.directory}/cgi-bin/complain.sh[{pid}]: "
    cgi.await_log(prefix + "three")
    assert prefix + "one\n" in cgi.log
    assert prefix + r"two \x1b[31m" + "\n" in cgi.log


# Limits


def test_C14_limit_queue_and_refusal() -> None:
    config = SITE + '\n[pool.default]\nprocesses = 2\nqueue = 1\nqueue_wait = "20s"\n'
    with daemon(config) as running:
        running.script(
            "wait.sh",
            '#!/bin/sh\nwhile [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.05; done\n'
            "echo 'Content-Type: text/plain\n\ndone'\n",
        )
        request = b"GET /cgi-bin/wait.sh HTTP/1.0\r\n\r\n"
        marker = f"SCRIPT_FILENAME={running.directory}"
        waiting = [running.connect() for _ in range(3)]
        for connection in waiting:
            connection.sendall(request)
        wait_for(lambda: programs_with(marker) == 2, "two programs")
        wait_for(lambda: status(running)["pools"][0]["queued"] == 1, "the queue to be full")
        refused = running.get("/cgi-bin/wait.sh")
        assert refused.status == 503
        assert "retry-after" in refused.fields
        assert programs_with(marker) == 2
        assert running.get("/").status == 200
        running.write("www/go", "")
        for connection in waiting:
            with connection:
                assert read_all(connection).endswith(b"done\n")


def test_C14_a_queue_wait_ends_in_503() -> None:
    config = SITE + '\n[pool.default]\nprocesses = 1\nqueue_wait = "100ms"\n'
    with daemon(config) as running:
        running.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
        with running.connect() as stuck:
            stuck.sendall(b"GET /cgi-bin/stuck.sh HTTP/1.0\r\n\r\n")
            wait_for(lambda: processes_with(str(running.directory)), "the program")
            assert running.get("/cgi-bin/stuck.sh").status == 503


def test_C4_a_silent_script_is_ended_with_504() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nfirst_byte = "200ms"')
    with daemon(config) as running:
        running.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
        assert running.get("/cgi-bin/stuck.sh").status == 504
        wait_for(lambda: not processes_with(str(running.directory)), "the end of the program")


def test_C4_a_script_that_falls_silent_cuts_its_answer() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nsilence = "200ms"')
    with daemon(config) as running:
        running.script("stuck.sh", "#!/bin/sh\necho 'Content-Type: a/b\n\nx'\nexec sleep 30\n")
        got = running.exchange(b"GET /cgi-bin/stuck.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in got
        assert not got.endswith(b"0\r\n\r\n")


# Leaving


def test_H10_a_reset_client_ends_its_script_within_a_second(cgi: Daemon) -> None:
    cgi.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
    marker = "QUERY_STRING=reset"
    connection = cgi.connect()
    connection.sendall(b"GET /cgi-bin/stuck.sh?reset HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: processes_with(marker), "the script")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_for(lambda: not processes_with(marker), "the end of the script")


def test_C12_a_closed_tab_ends_its_script(cgi: Daemon) -> None:
    cgi.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
    marker = "QUERY_STRING=closed"
    with cgi.connect() as connection:
        connection.sendall(b"GET /cgi-bin/stuck.sh?closed HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: processes_with(marker), "the script")
    wait_for(lambda: not processes_with(marker), "the end of the script")


def test_C12_a_client_that_only_finished_sending_gets_its_answer(cgi: Daemon) -> None:
    with cgi.connect() as connection:
        connection.sendall(b"GET /cgi-bin/env.py HTTP/1.0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert b"200 OK" in read_all(connection)


def test_M2_no_program_outlives_its_worker_or_its_spawner() -> None:
    """What a script double-forked included."""
    with daemon() as running:
        running.script(
            "family.sh",
            "#!/bin/sh\n(setsid sleep 300 &)\nsleep 300 &\n(trap '' TERM; sleep 300) &\n"
            "echo 'Content-Type: a/b\n\n'\nsleep 300\n",
        )
        marker = f"SCRIPT_FILENAME={running.directory}"
        for victims in (running.workers, running.spawners):
            with running.connect() as connection:
                connection.sendall(b"GET /cgi-bin/family.sh HTTP/1.1\r\nHost: x\r\n\r\n")
                wait_for(lambda: len(processes_with(marker)) >= 4, "the family")
                for victim in victims():
                    victim.kill()
                wait_for(lambda: not processes_with(marker), "the end of the family")
            running.script("quick.sh", "#!/bin/sh\necho 'Content-Type: a/b\n\n'\n")
            wait_for(lambda: running.get("/cgi-bin/quick.sh").status == 200, "the respawn")


def test_background_processes_may_be_left_where_the_mount_says_so() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nbackground = "leave"')
    with daemon(config) as running:
        running.script(
            "leave.sh",
            "#!/bin/sh\nsetsid sleep 300 >/dev/null 2>&1 </dev/null &\n"
            "echo 'Content-Type: text/plain\n'\necho $!\n",
        )
        pid = int(running.get("/cgi-bin/leave.sh").text)
        running.await_access_log("leave.sh")
        assert psutil.pid_exists(pid)
        psutil.Process(pid).kill()


# How each script's answer begins; "" for one that nobody waits for.
ENDS = {
    "ok": "HTTP/1.1 200",
    "fail": "HTTP/1.1 502",
    "die": "HTTP/1.1 502",
    "late": "HTTP/1.1 504",
    "large": "HTTP/1.1 200",
    "gone": "HTTP/1.1 404",
    "daemon": "HTTP/1.1 200",
    "stuck": "",
}


def test_C15_thousands_of_mixed_ends_leave_nothing_behind() -> None:
    """2 000 programs: exits, signals, timeouts, disconnects, daemons; 8 clients at a time."""
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nfirst_byte = "20s"')
    config += '\n[[site.mount]]\npath = "/hasty/"\ncgi = "hasty"\nfirst_byte = "20ms"\n'
    with daemon(config + "\n[pool.default]\nqueue = 1000\n", start=False) as running:
        running.script("ok.sh", "#!/bin/sh\necho 'Content-Type: a/b\n\nok'\n")
        running.script("fail.sh", "#!/bin/sh\nexit 1\n")
        running.script("die.sh", "#!/bin/sh\nkill -9 $$\n")
        running.script("stuck.sh", "#!/bin/sh\nexec sleep 300\n")
        running.script(
            "large.sh", "#!/bin/sh\necho 'Content-Type: a/b\n'\nexec head -c 300000 /dev/zero\n"
        )
        running.script(
            "daemon.sh", "#!/bin/sh\necho 'Content-Type: a/b\n'\nsetsid sleep 300 >&- 2>&- &\n"
        )
        running.write("hasty/late.sh", "#!/bin/sh\nexec sleep 300\n", mode=0o755)
        running.start()
        _ask_for_mixed_ends(running, rounds=10)  # after which every worker knows its spawner
        before = _open_fds(running)
        _ask_for_mixed_ends(running, rounds=275)
        wait_for(lambda: _open_fds(running) <= before, "all descriptors closed")
        zombies = [p for p in running.family() if p.status() == psutil.STATUS_ZOMBIE]
        assert zombies == []


def _ask_for_mixed_ends(running: Daemon, *, rounds: int) -> None:
    for _ in range(rounds):
        connections = {name: running.connect() for name in ENDS}
        for name, connection in connections.items():
            path = "hasty" if name == "late" else "cgi-bin"
            connection.sendall(f"GET /{path}/{name}.sh HTTP/1.0\r\n\r\n".encode())
        for name, connection in connections.items():
            with connection:
                if expected := ENDS[name]:
                    assert read_all(connection).decode("latin-1").startswith(expected), name
    marker = f"SCRIPT_FILENAME={running.directory}"
    wait_for(lambda: not processes_with(marker), "the end of all programs")


def _open_fds(running: Daemon) -> int:
    return sum(process.num_fds() for process in running.workers() + running.spawners())


# Kinds of mounts


def test_one_program_for_a_whole_subtree() -> None:
    config = SITE + '\n[[site.mount]]\npath = "/app/"\ncgi = "program"\n'
    with daemon(config, start=False) as running:
        running.write("program", ENVIRONMENT, mode=0o755)
        running.start()
        text = running.get("/app/some/where?q").text
        assert "SCRIPT_NAME='/app'" in text
        assert "PATH_INFO='/some/where'" in text
        assert f"SCRIPT_FILENAME='{running.directory}/program'" in text


def test_an_interpreter_by_suffix_and_files_beside_it() -> None:
    config = SITE + (
        '\n[[site.mount]]\npath = "/app/"\nsuffix = [".hello"]\ncgi = "www/app"\n'
        'interpreter = "/bin/sh"\n'
    )
    with daemon(config, start=False) as running:
        running.write("www/app/x.hello", "echo 'Content-Type: text/plain\n'\necho \"$PATH_INFO\"\n")
        running.write("www/app/y.txt", "a file")
        running.start()
        assert running.get("/app/x.hello/more").text == "/more\n"
        assert running.get("/app/y.txt").text == "a file"


def test_S11_a_script_is_never_sent_by_any_spelling_under_any_mount() -> None:
    config = SITE.replace('docroot = "www"', 'docroot = "."') + (
        '\n[[site.mount]]\npath = "/app/"\nsuffix = [".secret"]\ncgi = "www/app"\n'
        'interpreter = "/bin/true"\n'
        '\n[[site.mount]]\npath = "/all/"\ndocroot = "."\nlisting = true\n'
    )
    with daemon(config, start=False) as running:
        running.script("source.py", "#!/bin/sh\n# SOURCE\n")
        running.write("www/app/x.secret", "SOURCE")
        running.write("www/other.secret", "SOURCE")
        (running.directory / "www" / "link").symlink_to("../cgi-bin/source.py")
        (running.directory / "www" / "dir").symlink_to("../cgi-bin")
        running.start()
        assert running.get("/www/").status == 200
        for path in (
            "/cgi-bin/source.py",
            "/%63gi-bin/source.py",
            "//cgi-bin//source.py",
            "/./cgi-bin/source.py",
            "/x/../cgi-bin/source.py",
            "/cgi-bin/source.py/",
            "/cgi-bin%2fsource.py",
            "/CGI-BIN/source.py",
            "/all/cgi-bin/source.py",
            "/all//cgi-bin/source.py",
            "/all/www/link",
            "/all/www/dir/source.py",
            "/www/app/x.secret",
            "/all/www/app/x.secret",
            "/all/www/other.secret",
            "/app/x.secret",
            "/app/x.secret/more",
            "/app/%78.secret",
        ):
            reply = running.get(path)
            assert b"SOURCE" not in reply.body, path
            assert reply.status in (400, 403, 404, 502), path


def test_a_replaced_script_runs_anew(cgi: Daemon) -> None:
    for word in ("one", "two"):
        cgi.script("fresh.sh", f"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n{word}'\n")
        assert cgi.get("/cgi-bin/fresh.sh").text == word


def test_M3_a_long_program_under_a_short_heartbeat_lives() -> None:
    config = SITE + '\n[timeouts]\nheartbeat = "1s"\n'
    with daemon(config) as running:
        running.script(
            "slow.sh", "#!/bin/sh\nsleep 3\nprintf 'Content-Type: text/plain\\n\\nslow'\n"
        )
        began = time.monotonic()
        assert running.get("/cgi-bin/slow.sh").text == "slow"
        assert time.monotonic() - began >= 3
        assert "no sign of life" not in running.log
        assert running.stop(signal.SIGINT) == 0
