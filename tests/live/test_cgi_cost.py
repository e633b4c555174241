"""C19: what a program cost is in the log."""

import json
import re
import signal
from collections.abc import Iterator

import pytest

from tests.live.daemon import SITE, Daemon, daemon, wait_for


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
