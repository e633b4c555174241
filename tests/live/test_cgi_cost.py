"""What programs may use, what they did use, and who is told what went wrong (C14, C19, O9)."""

import contextlib
import grp
import json
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.live.asking import status
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, wait_for

LIMITS = """\
#!/usr/bin/env python3
import os, resource
print("Content-Type: text/plain\\n")
for name in ("AS", "CPU", "NOFILE", "NPROC", "FSIZE", "CORE"):
    print(name, *resource.getrlimit(getattr(resource, f"RLIMIT_{name}")))
print("NICE", os.getpriority(os.PRIO_PROCESS, 0))
"""


def pool(keys: str) -> str:
    return f"{SITE}\n[pool.default]\n{keys}\n"


def limits_in(running: Daemon) -> dict[str, tuple[int, ...]]:
    running.script("limits.py", LIMITS)
    lines = [line.split() for line in running.get("/cgi-bin/limits.py").text.splitlines()]
    return {name: tuple(map(int, values)) for name, *values in lines}


def test_C14_each_limit_is_seen_from_inside() -> None:
    keys = (
        'address_space = "2G"\ncpu = "90s"\nopen_files = 77\nuser_processes = 5000\n'
        'file_size = "3M"\ncore = "1M"\nnice = 7\n'
    )
    with daemon(pool(keys)) as running:
        seen = limits_in(running)
    assert seen["AS"] == (2 << 30, 2 << 30)
    assert seen["CPU"] == (90, 95)
    assert seen["NOFILE"] == (77, 77)
    assert seen["NPROC"] == (5000, 5000)
    assert seen["FSIZE"] == (3 << 20, 3 << 20)
    assert seen["CORE"][0] <= 1 << 20
    assert seen["NICE"] == (os.getpriority(os.PRIO_PROCESS, 0) + 7,)


def test_C7_C14_without_keys_limits_are_those_that_we_were_started_with() -> None:
    limits = ("--nofile=333:444", "--cpu=1000:2000", "--fsize=1000000000:2000000000")
    with daemon(SITE, wrapper=("prlimit", *limits)) as running:
        seen = limits_in(running)
    assert (seen["NOFILE"], seen["CPU"]) == ((333, 444), (1000, 2000))
    assert seen["FSIZE"] == (1000000000, 2000000000)
    assert seen["CORE"] == (0, 0)


def test_C14_what_we_may_not_give_is_cut_down_to_what_we_may() -> None:
    with daemon(pool("open_files = 1000"), wrapper=("prlimit", "--nofile=333:444")) as running:
        assert limits_in(running)["NOFILE"] == (444, 444)


def test_C14_who_uses_up_its_cpu_time_is_ended_and_the_log_says_why() -> None:
    with daemon(pool('cpu = "1s"')) as running:
        running.script("spin.sh", "#!/bin/sh\nwhile :; do :; done\n")
        assert running.get("/cgi-bin/spin.sh").status == 502
        running.await_log("its CPU time was up, see the pool's cpu")


def test_C14_a_file_cannot_grow_past_its_size_and_our_log_can() -> None:
    with daemon(pool('file_size = "4K"')) as running:
        (running.directory / "www").chmod(0o777)
        running.script(
            "grow.sh",
            "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nhead -c 9999 /dev/zero >&2\n"
            'exec head -c 9999 /dev/zero > "$DOCUMENT_ROOT/grown"\n',
        )
        running.get("/cgi-bin/grow.sh")
        running.await_log("a file grew too large")
        assert (running.directory / "www/grown").stat().st_size == 4096


def test_C14_memory_runs_out_for_the_program_alone() -> None:
    with daemon(pool('address_space = "100M"')) as running:
        running.script(
            "fat.py",
            "#!/usr/bin/env python3\n"
            "print('Content-Type: text/plain\\n', flush=True)\n"
            "try: bytes(200 << 20)\n"
            "except MemoryError: print('no more')\n",
        )
        assert running.get("/cgi-bin/fat.py").text == "no more\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pool a user of its own")
def test_C14_a_fork_bomb_stops_its_own_pool_and_no_other() -> None:
    nobody, other = pwd.getpwnam("nobody"), pwd.getpwnam("games")
    assert grp.getgrgid(nobody.pw_gid)
    config = SITE + (
        '\n[[site.mount]]\npath = "/other/"\ncgi = "other"\npool = "other"\n'
        f'\n[pool.default]\nuser = "{nobody.pw_name}"\nuser_processes = 20\n'
        f'\n[pool.other]\nuser = "{other.pw_name}"\n'
    )
    with daemon(config, arguments=("--allow-root",), start=False) as running:
        running.script(
            "bomb.py",
            "#!/usr/bin/env python3\n"
            "import os, sys, time\n"
            "try:\n"
            "    while os.fork(): pass\n"
            "except BlockingIOError: sys.stderr.write('no more forks\\n')\n"
            "time.sleep(300)\n",
        )
        running.script("quick.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nquick'\n")
        running.write("other/quick.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nquick'\n",
                      mode=0o755)  # fmt: skip
        running.start()
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/bomb.py HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: "no more forks" in running.log, "the bomb to meet its limit")
            assert running.get("/cgi-bin/quick.sh").status in (502, 503)
            assert running.get("/other/quick.sh").text == "quick"
        wait_for(lambda: running.get("/cgi-bin/quick.sh").status == 200, "the end of the bomb")


def test_C14_a_mount_may_have_a_limit_within_that_of_its_pool() -> None:
    """Over all workers together; others of the pool run meanwhile, and so do files."""
    config = (
        SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nprocesses = 1')
        + '\n[[site.mount]]\npath = "/other/"\ncgi = "cgi-bin"\n'
        + "\n[pool.default]\nprocesses = 8\nqueue = 1\n"
    )
    with daemon(config) as running, contextlib.ExitStack() as connections:
        running.script("hold.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nsleep 300\n")
        running.script("quick.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nquick'\n")
        first = connections.enter_context(running.connect())
        first.sendall(b"GET /cgi-bin/hold.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        assert first.recv(65536).startswith(b"HTTP/1.1 200")
        second = connections.enter_context(running.connect())
        second.sendall(b"GET /cgi-bin/quick.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: status(running)["pools"][0]["queued"] == 1, "it to wait")
        assert running.get("/cgi-bin/quick.sh").status == 503
        assert running.get("/other/quick.sh").text == "quick"
        assert running.get("/").status == 200
        first.close()
        assert second.recv(65536).startswith(b"HTTP/1.1 200")


# C19


def account_of(running: Daemon, path: str) -> dict[str, float]:
    """Return what the log says of the program of the last request for a path."""

    def lines() -> list[str]:
        return [line for line in running.access_log.splitlines() if path in line]

    record = json.loads(wait_for(lines, f"a line for {path}")[-1])
    program: dict[str, float] = record["program"]
    return program


@pytest.fixture(scope="module")
def counted() -> Iterator[Daemon]:
    with daemon(SITE.replace("[log]", '[log]\nformat = "json"')) as running:
        yield running


def test_C19_what_a_program_cost_is_in_its_line(counted: Daemon) -> None:
    counted.script(
        "work.py",
        "#!/usr/bin/env python3\n"
        "import sys, time\n"
        "print('Content-Type: text/plain\\n\\nhere', flush=True)\n"
        "sys.stderr.write('x' * 999 + '\\n')\n"
        "memory = b'x' * (50 << 20)\n"
        "while time.process_time() < 0.3: pass\n"
        "sys.exit(3)\n",
    )
    assert counted.get("/cgi-bin/work.py").text == "here\n"
    account = account_of(counted, "/cgi-bin/work.py")
    assert account["exit"] == 3
    assert account["stderr"] == 1000
    assert account["user"] + account["system"] >= 0.29
    assert account["wall"] >= account["user"]
    assert account["max_rss"] >= 50 << 20
    assert 0 <= account["queue_wait"] < account["wall"] + 10


@pytest.mark.parametrize(
    ("script", "status", "end"),
    [
        ("exit 7", 502, ("exit", 7)),
        ("kill -9 $$", 502, ("signal", 9)),
        ("printf 'Location: /\\n\\n'", 200, ("exit", 0)),
        ("printf 'Content-Type: a/b\\n\\n'; kill -11 $$", 200, ("signal", 11)),
        ("printf 'nonsense\\n\\n'; exec sleep 300", 502, ("signal", 15)),
    ],
)
def test_C19_every_end_is_in_the_log(
    counted: Daemon, script: str, status: int, end: tuple[str, int]
) -> None:
    name = f"end{abs(hash(script))}.sh"
    counted.script(name, f"#!/bin/sh\n{script}\n")
    assert counted.get(f"/cgi-bin/{name}").status == status
    account = account_of(counted, name)
    assert account[end[0]] == end[1]


def test_C19_the_line_does_not_wait_for_a_program_that_runs_on() -> None:
    with daemon(SITE.replace("[log]", '[log]\nformat = "json"')) as running:
        running.script(
            "on.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nexec >&- 2>&-\nsleep 300\n"
        )
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/on.sh HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536)
            account = account_of(running, "/cgi-bin/on.sh")
        assert account.keys() == {"queue_wait", "stderr"}


def test_C19_static_files_have_no_account(counted: Daemon) -> None:
    counted.get("/?static")
    line = wait_for(
        lambda: [line for line in counted.access_log.splitlines() if "?static" in line], "the line"
    )
    assert "program" not in json.loads(line[0])


def test_C19_the_wait_in_the_queue_is_counted() -> None:
    config = SITE.replace("[log]", '[log]\nformat = "json"') + "\n[pool.default]\nprocesses = 1\n"
    with daemon(config) as running:
        running.script("nap.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nexec sleep 0.4\n")
        connections = [running.connect() for _ in range(2)]
        for connection in connections:
            connection.sendall(b"GET /cgi-bin/nap.sh HTTP/1.0\r\n\r\n")
        running.await_access_log("nap.sh", count=2)
        for connection in connections:
            connection.close()
        lines = [json.loads(line) for line in running.access_log.splitlines()]
        waits = sorted(line["program"]["queue_wait"] for line in lines)
        assert waits[0] < 0.1 < 0.3 < waits[1]


def test_C19_combined_plus_is_combined_with_more_behind_it() -> None:
    with daemon(SITE.replace("[log]", '[log]\nformat = "combined-plus"')) as running:
        running.script("ok.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nok'\n")
        running.get("/cgi-bin/ok.sh", User_Agent="me")
        running.get("/none", User_Agent="me")
        running.await_access_log("ok.sh")
        running.await_access_log("/none")
        program, static = sorted(running.access_log.splitlines(), key=len, reverse=True)
    combined = r'127\.0\.0\.1 - - \[.*?\] "GET [^"]*" \d+ \S+ "-" "me"'
    seconds = r"\d+\.\d{6}"
    assert re.fullmatch(rf"{combined} id=[\w-]+ seconds=\d\.\d{{6}}", static)
    assert re.fullmatch(
        rf"{combined} id=[\w-]+ seconds=\d\.\d{{6}} queue_wait={seconds} stderr=0 "
        rf"wall={seconds} user={seconds} system={seconds} max_rss=\d+ exit=0",
        program,
    )


def test_C19_no_line_is_lost_when_the_server_stops_at_once() -> None:
    with daemon(SITE.replace("workers = 2", "workers = 1")) as running:
        running.script(
            "on.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nexec >&- 2>&-\nsleep 300\n"
        )
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/on.sh HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536)
            assert running.get("/").status == 200
            running.await_access_log("GET / ")
            running.stop(signal.SIGINT)
        assert "on.sh" in running.access_log


# O9

BROKEN = """\
#!/bin/sh
echo '<b>complaint</b>' >&2
printf 'Content-Type: text/html\\nno header line\\n\\n'
exit 4
"""


def test_O9_a_client_on_this_machine_is_told_what_is_wrong() -> None:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true")) as running:
        running.script("broken.sh", BROKEN)
        reply = running.get("/cgi-bin/broken.sh")
        assert reply.status == 502
        assert "not a header line: &#x27;no header line&#x27;" in reply.text
        assert "&lt;b&gt;complaint&lt;/b&gt;" in reply.text
        assert re.search(r"request [\w-]+", reply.text)
        running.script("dead.sh", "#!/bin/sh\necho oh >&2\nkill -9 $$\n")
        dead = running.get("/cgi-bin/dead.sh").text
        assert "It was killed by signal 9." in dead
        assert "oh" in dead
        running.script("plain.sh", "#!/bin/sh\n", mode=0o644)
        assert "is not executable; run: chmod +x" in running.get("/cgi-bin/plain.sh").text
        assert "No such file" in running.get("/cgi-bin/none").text


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_O9_whoever_comes_through_a_proxy_is_told_nothing(field: str) -> None:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true")) as running:
        running.script("broken.sh", BROKEN)
        reply = running.ask("GET", "/cgi-bin/broken.sh", {field: "for=192.0.2.1"})
        assert reply.status == 502
        assert "complaint" not in reply.text
        assert "header line" not in reply.text


def test_O9_a_page_of_others_is_told_nothing() -> None:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true")) as running:
        running.script("broken.sh", BROKEN)
        reply = running.get("/cgi-bin/broken.sh", host="rebound.example")
        assert reply.status == 502
        assert "complaint" not in reply.text
        assert "header line" not in reply.text


def test_O9_without_debug_nobody_is_told(served: Daemon) -> None:
    served.script("broken.sh", BROKEN)
    text = served.get("/cgi-bin/broken.sh").text
    assert "complaint" not in text
    assert "header line" not in text
    assert re.search(r"request [\w-]+", text)


# C16, O8: the same words before a request is made


def test_C16_a_link_that_leads_out_is_refused_and_named(served: Daemon) -> None:
    served.write("outside.sh", "#!/bin/sh\n", mode=0o755)
    (served.directory / "cgi-bin/leads-out.sh").symlink_to("../outside.sh")
    assert served.get("/cgi-bin/leads-out.sh").status == 403
    served.await_log("leads-out.sh is a link that leads out of")


def test_C16_t_tells_each_usual_mistake(served: Daemon) -> None:
    with daemon(start=False) as running:
        running.script("fine.sh", "#!/bin/sh\n")
        running.script("fine", b"\x7fELF....".decode())
        running.script("README", "nothing to run", mode=0o644)
        running.script(".hidden.sh", "#!/nowhere", mode=0o644)
        running.script("mode.sh", "#!/bin/sh\n", mode=0o644)
        running.script("crlf.sh", "#!/bin/sh\r\necho\r\n")
        running.script("deep/typo.py", "#!/usr/bin/pyton3\n")
        running.script("env.py", "#!/usr/bin/env pyton3\n")
        running.script("bare.py", "print()\n")
        running.write("outside.sh", "#!/bin/sh\n", mode=0o755)
        (running.directory / "cgi-bin/link.sh").symlink_to("../outside.sh")
        newest = running.write("python/bin/python3.13", "", mode=0o755)
        running.script("old.py", f"#!{newest}\nimport os, cgi\n")
        running.script("beside/old.py", f"#!{newest}\nimport cgi\n")
        running.script("beside/cgi.py", "", mode=0o644)
        done = running.command("-t")
        told = [line for line in done.stderr.splitlines() if "cgi-bin" in line]
    assert done.returncode == 0
    assert all(re.match(r".*forkhttpd\.conf:\d+: warning: \[site\.mount\] cgi: ", w) for w in told)
    for name, words in {
        "mode.sh": "is not executable; run: chmod +x",
        "crlf.sh": "has Windows line ends",
        "deep/typo.py": "needs /usr/bin/pyton3, which does not exist",
        "env.py": 'needs "pyton3", which is not in search_path',
        "bare.py": "names no interpreter",
        "link.sh": "is a link that leads out of",
        "old.py": "install legacy-cgi for",
    }.items():
        assert [line for line in told if f"/{name}" in line and words in line], (name, told)
    assert len(told) == 7


def test_C14_t_warns_where_pools_share_the_user_whose_processes_are_counted() -> None:
    config = SITE + "\n[pool.a]\nuser_processes = 100\n\n[pool.b]\n"
    with daemon(config, start=False) as running:
        told = running.command("-t").stderr
        assert "[pool.a] user_processes: the kernel counts by user" in told
        assert "[pool.b]" not in told


def test_O8_explain_tells_what_a_request_would_meet(served: Daemon) -> None:
    def explain(url: str) -> subprocess.CompletedProcess[str]:
        command = [*served._command()[:3], "explain", url, "-c", str(served.config)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=DEADLINE
        )

    served.script("here.sh", "#!/bin/sh\n")
    served.script("mode.sh", "#!/bin/sh\n", mode=0o644)
    served.write("www/page.html", "page")
    text = explain("http://example.org/cgi-bin/here.sh/a%20b?x=1").stdout
    for words in (
        "/cgi-bin/ (",
        f"program     {served.directory}/cgi-bin/here.sh",
        "first_byte 1m",
        "PATH_INFO=/a b\n",
        "QUERY_STRING=x=1\n",
        "SERVER_NAME=example.org\n",
    ):
        assert words in text
    assert "answer      403: " in explain("/cgi-bin/mode.sh").stdout
    assert "is not executable; run: chmod +x" in explain("/cgi-bin/mode.sh").stdout
    assert "answer      404: " in explain("/cgi-bin/none").stdout
    assert "answer      404: " in explain("/none").stdout
    page = explain("localhost/page.html").stdout
    assert f"file        {served.directory}/www/page.html" in page
    assert "answer      200 OK" in page
    assert "Content-Type: text/html" in page
    wrong = explain("/../x")
    assert (wrong.returncode, wrong.stdout) == (64, "")
