"""The access log and the error log of the running daemon (O1, M15)."""

import json
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.client import get, open_client, post
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, wait_for
from tests.live.scene import await_closed, is_open

HOSTILE = bytes(set(range(1, 256)) - set(b"\r\n"))
"""Every byte that can stand in a field, and those that must not."""

TIME = r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\]"
QUOTED = r'"((?:[^"\\]|\\["\\]|\\x[0-9a-f]{2})*)"'
COMMON = re.compile(rf"(\S+) - - {TIME} {QUOTED} ([1-5][0-9]{{2}}) ([1-9][0-9]*|-)")
COMBINED = re.compile(rf"{COMMON.pattern} {QUOTED} {QUOTED}")
ESCAPE = re.compile(r'\\(?:x([0-9a-f]{2})|(["\\]))')


def config(access: str = "access.log", form: str = "combined", error: str = "stderr") -> str:
    """Return a configuration with these logs."""
    lines = f'access = "{access}"\nformat = "{form}"\nerror = "{error}"'
    return SITE.replace('access = "access.log"', lines)


@pytest.fixture(scope="module", params=["common", "combined", "json"])
def logged(request: pytest.FixtureRequest) -> Iterator[tuple[Daemon, str]]:
    """A daemon for each format, with the format's name."""
    with daemon(config(form=request.param)) as running:
        running.write("www/index.html", "hello")
        running.write("www/large.bin", bytes(200_000))
        running.script("say.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nsaid'\n")
        yield running, request.param


def unescaped(text: str) -> bytes:
    """Return the bytes that a quoted text stands for."""
    return ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[2], text).encode("latin-1")


def read(line: str, form: str) -> dict[str, Any]:
    """Return the members of a line; fails when it is not of the format."""
    if form == "json":
        return _read_json(line)
    match = (COMMON if form == "common" else COMBINED).fullmatch(line)
    assert match, f"not {form}: {line!r}"
    client, request, status, sent, *rest = match.groups()
    members = {"client": client, "request": request, "status": int(status)}
    members["bytes"] = 0 if sent == "-" else int(sent)
    return members | dict(zip(("referer", "agent"), rest, strict=False))


def _read_json(line: str) -> dict[str, Any]:
    record = json.loads(line)
    kinds: dict[str, Any] = {
        "time": str,
        "id": str,
        "client": str,
        "host": str,
        "request": str,
        "status": int,
        "bytes": int,
        "seconds": float,
        "referer": str | None,
        "agent": str | None,
    }
    refused = {"time", "client", "status", "bytes"}
    if "program" in record:
        assert "/cgi-bin/" in record["request"]
        kinds["program"] = dict
    assert record.keys() in (kinds.keys(), refused)
    assert all(isinstance(value, kinds[name]) for name, value in record.items())
    return {"request": "-", **record}


def lines_with(running: Daemon, text: str, count: int = 1) -> list[str]:
    """Wait for lines with a text and return them."""
    running.await_access_log(text, count=count)
    return [line for line in running.access_log.split("\n") if text in line]


# Formats


def test_each_answer_has_its_line(logged: tuple[Daemon, str]) -> None:
    running, form = logged
    agent, referer = "User-Agent: Mozilla/5.0 (X11)", "Referer: http://x.example/?a=b"
    with open_client(running) as client:
        for method, path, status, size in (
            ("GET", "/?page", 200, 5),
            ("HEAD", "/?page", 200, 0),
            ("GET", "/large.bin?page", 200, 200_000),
            ("HEAD", "/large.bin?page", 200, 0),
            ("GET", "/cgi-bin/say.sh?page", 200, 4),
            ("OPTIONS", "/?page", 204, 0),
        ):
            client.send(get(path, agent, referer, method=method))
            client.reply(method)
            (line,) = lines_with(running, f"{method} {path} ")
            members = read(line, form)
            assert members["client"] == "127.0.0.1"
            assert members["request"] == f"{method} {path} HTTP/1.1"
            assert (members["status"], members["bytes"]) == (status, size)
            if form != "common":
                assert members["referer"] == "http://x.example/?a=b"
                assert members["agent"] == "Mozilla/5.0 (X11)"


def test_what_is_absent_is_told_from_what_is_there(logged: tuple[Daemon, str]) -> None:
    running, form = logged
    with open_client(running) as client:
        client.ask(get("/none?absent"))
    members = read(lines_with(running, "/none?absent")[0], form)
    assert members["status"] == 404
    if form != "common":
        absent = None if form == "json" else "-"
        assert (members["referer"], members["agent"]) == (absent, absent)


def test_the_size_is_that_of_the_part_that_was_sent(logged: tuple[Daemon, str]) -> None:
    running, form = logged
    with open_client(running) as client:
        client.ask(get("/large.bin?part", "Range: bytes=7-16"))
    members = read(lines_with(running, "/large.bin?part")[0], form)
    assert (members["status"], members["bytes"]) == (206, 10)


def test_what_is_no_request_has_a_line_without_one(logged: tuple[Daemon, str]) -> None:
    running, form = logged
    before = running.access_log.count("\n")
    running.exchange(b'nonsense "quoted"\x1b[31m\r\n\r\n')
    wait_for(lambda: running.access_log.count("\n") > before, "the line")
    members = read(running.access_log.splitlines()[-1], form)
    assert (members["request"], members["status"]) == ("-", 400)
    assert "nonsense" not in running.access_log


# O1: nothing from outside gets out of its place


def test_O1_any_byte_of_a_field_stays_in_its_place(logged: tuple[Daemon, str]) -> None:
    running, form = logged
    statuses = []
    before = running.access_log.count("\n")
    for byte in range(256):
        value = b"a%bz" % bytes([byte])
        fields = b"User-Agent: %b\r\nReferer: %b\r\n" % (value, value)
        with open_client(running) as client:
            data = get(f"/?byte-{byte}-").replace(b"Host:", fields + b"Host:")
            statuses.append(client.ask(data).status)
    assert statuses.count(400) < 40  # control bytes
    wait_for(lambda: running.access_log.count("\n") == before + 256, "all lines")
    text = running.access_log
    for byte, status in enumerate(statuses):
        if status == 200:
            (line,) = [line for line in text.split("\n") if f"/?byte-{byte}-" in line]
            assert re.fullmatch(r"[ -~]+", line)
            _check_value(read(line, form), form, b"a%bz" % bytes([byte]))


def _check_value(members: dict[str, Any], form: str, value: bytes) -> None:
    if form != "common":
        for member in (members["agent"], members["referer"]):
            assert (member.encode("latin-1") if form == "json" else unescaped(member)) == value


@pytest.mark.parametrize(
    "target", ['/?"quoted"', '/?"%20200%205%20"-"', "/?back\\slash", "/?\\x0a", "/?%0a%1b[31m"]
)
def test_O1_the_target_is_logged_as_it_was_sent(logged: tuple[Daemon, str], target: str) -> None:
    running, form = logged
    before = running.access_log.count("\n")
    with open_client(running) as client:
        assert client.ask(get(target)).status == 200
    wait_for(lambda: running.access_log.count("\n") > before, "the line")
    line = running.access_log.split("\n")[before]
    assert re.fullmatch(r"[ -~]+", line)
    request = read(line, form)["request"]
    sent = f"GET {target} HTTP/1.1"
    assert (request if form == "json" else unescaped(request).decode()) == sent


def test_O1_every_line_of_the_whole_log_is_of_its_format(logged: tuple[Daemon, str]) -> None:
    running, form = logged
    for target in ("/%ff%fe", "/%C3%BC", '/"', "/'", "/%22"):
        with open_client(running) as client:
            client.send(get(target))
            client.reply()
    text = running.access_log
    assert text.endswith("\n")
    for line in text.split("\n")[:-1]:
        read(line, form)


def test_O1_the_error_log_is_printable_too() -> None:
    with daemon() as running:
        running.script("loud.py", "#!/usr/bin/env python3\nimport sys\n"
            f"sys.stderr.buffer.write(bytes({list(HOSTILE)}) + b'\\nnext')\n"
            "print('Content-Type: a/b\\n')\n")  # fmt: skip
        running.get("/cgi-bin/loud.py?" + "x" * 10)
        running.await_log(": next")
        with open_client(running) as client:
            client.send(post("/cgi-bin/none", b"").replace(b"Host:", b"X: \x1b[31m\r\nHost:"))
            client.reply()
        log = (running.directory / "stderr").read_bytes()
        assert re.fullmatch(rb"[ -~\n]+", log)
        (line,) = [line for line in running.log.splitlines() if r"\x01" in line]
        said = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), line)
        assert HOSTILE in said.encode("latin-1")


# Where logs go


def test_access_off_is_off_and_everything_else_works() -> None:
    with daemon(config(access="off")) as running:
        running.write("www/index.html", "hello")
        assert running.get("/").text == "hello"
        workers = running.workers()
        running.send_signal(signal.SIGUSR1)
        running.await_log("logs reopened")
        for _ in range(10):
            assert running.get("/").text == "hello"
        assert running.workers() == workers
        assert not (running.directory / "access.log").exists()
        assert running.stop() == 0
        assert "GET /" not in running.log


def test_M15_a_log_that_cannot_be_opened_again_is_not_told_as_reopened() -> None:
    with daemon() as running:
        (running.directory / "access.log").unlink()
        (running.directory / "access.log").mkdir()
        running.send_signal(signal.SIGUSR1)
        running.await_log("error master")
        assert "reopen: cannot open the log" in running.log
        (running.directory / "access.log").rmdir()
        running.send_signal(signal.SIGUSR1)
        running.await_log("logs reopened")
        assert running.log.count("logs reopened") == 1


def test_errors_go_to_a_file_and_USR1_moves_that_file_without_an_access_log() -> None:
    with daemon(config(access="off", error="error.log"), start=False) as running:
        running.script("silent.sh", "#!/bin/sh\necho oops-$QUERY_STRING >&2\n")
        running.launch()
        log, old = running.directory / "error.log", running.directory / "error.log.1"
        wait_for(lambda: log.exists() and "ready:" in log.read_text(), "ready")
        running.port = int(re.findall(r"http://127.0.0.1:([0-9]+)/", log.read_text())[0])
        assert running.get("/cgi-bin/silent.sh?1").status == 502
        wait_for(lambda: "oops-1" in log.read_text(), "the first error")
        workers = running.workers()
        log.rename(old)
        running.send_signal(signal.SIGUSR1)
        wait_for(lambda: log.exists() and "logs reopened" in log.read_text(), "the new file")
        await_closed(old)
        for number in range(10):
            assert running.get(f"/cgi-bin/silent.sh?2-{number}").status == 502
        wait_for(lambda: log.read_text().count("oops-2-") == 10, "ten errors")
        assert "oops-2" not in old.read_text()
        assert running.workers() == workers
        assert running.log == ""


# M15


def test_M15_USR1_after_a_rename_loses_no_line_and_switches_every_worker() -> None:
    """Each request has a line, and exactly one, in one of the files; and it switches under load."""
    with daemon() as running:
        running.write("www/index.html", "hello")
        log = running.directory / "access.log"
        asked = 0
        for rotation in range(1, 6):
            old = log.rename(log.with_suffix(f".{rotation}"))
            running.send_signal(signal.SIGUSR1)
            deadline = time.monotonic() + DEADLINE
            while is_open(old):
                assert time.monotonic() < deadline, "the old file is still open"
                asked = _ask_often(running, asked)
            size = old.stat().st_size
            asked = _ask_often(running, asked)
            running.await_access_log(f"/?{asked - 1} ")
            assert old.stat().st_size == size
        assert running.stop() == 0
        text = "".join(path.read_text() for path in running.directory.glob("access.*"))
        assert text.endswith("\n")
        found = sorted(int(number) for number in re.findall(r"\?([0-9]+) ", text))
        assert found == list(range(asked))
        assert text.count("\n") == asked


def _ask_often(running: Daemon, asked: int) -> int:
    """Ask over some connections, so that every worker answers; return how often in all."""
    for _ in range(5):
        with open_client(running) as client:
            for number in range(asked, asked + 4):
                assert client.ask(get(f"/?{number}")).status == 200
            asked += 4
    return asked
