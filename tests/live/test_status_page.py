"""The status as a page, as JSON and as a stream (`show = "status"`)."""

import json
import time
from typing import Any

from tests.live.daemon import DEADLINE, SITE, Daemon, daemon, read_all, wait_for
from tests.live.scene import HOLD

STATUS = '\n[[site.mount]]\npath = "/status/"\nshow = "status"\n'


def data(running: Daemon) -> dict[str, Any]:
    reply = running.get("/status/data")
    assert reply.fields["content-type"] == "application/json"
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_the_data_say_who_there_is_and_what_they_do() -> None:
    with daemon(SITE + STATUS) as running, running.connect() as client:
        running.script("program.sh", HOLD)
        client.sendall(b"GET /cgi-bin/program.sh/a?secret=1 HTTP/1.1\r\nHost: www.example\r\n\r\n")
        found = wait_for(lambda: noted(running), "a note of the request")
        assert {one["state"] for one in found["workers"]} == {"ready"}
        assert [one["number"] for one in found["workers"]] == [1, 2]
        assert {one["pid"] for one in found["workers"]} == {one.pid for one in running.workers()}
        (request,) = [each for one in found["workers"] for each in one["answering"]]
        assert request["path"] == "/cgi-bin/program.sh/a"
        assert (request["host"], request["method"]) == ("www.example", "GET")
        assert "secret" not in json.dumps(found)
        assert found["pools"]["default"]["running"] == 1
        assert found["spawners"][0]["name"] == "default"
        assert wait_for(lambda: data(running)["samples"], "a sample")[0]["time"] > 0
        running.write("www/go", "")
        wait_for(lambda: not noted(running), "the note to go")
        assert found["sites"]["default"]["methods"]["GET"] > 0


def noted(running: Daemon) -> dict[str, Any]:
    found = data(running)
    return found if any(one["answering"] for one in found["workers"]) else {}


def test_the_page_is_whole_and_its_script_the_only_one_that_may_run() -> None:
    with daemon(SITE + STATUS) as running:
        reply = running.get("/status/")
        assert "sha256-" in reply.fields["content-security-policy"]
        assert "default-src 'none'" in reply.fields["content-security-policy"]
        assert reply.text.rstrip().endswith("</html>")
        assert running.get("/status", method="HEAD").status == 200
        assert running.get("/status/events", method="HEAD").body == b""
        assert running.get("/status/other").status == 404


def test_a_stream_says_it_again_each_second_and_ends_when_its_worker_drains() -> None:
    with daemon(SITE + STATUS) as running, running.connect() as client:
        client.settimeout(DEADLINE)
        client.sendall(b"GET /status/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while received.count(b"\ndata: {") < 3:
            received += client.recv(65536)
        assert b"retry: 1000\n\n" in received
        running.write("www/page", "x")
        assert running.reload()
        began = time.monotonic()
        assert read_all(client).endswith(b"0\r\n\r\n")
        assert time.monotonic() - began < 10  # not as long as a drain may take
        # How long somebody watches says nothing of how long answers take.
        durations = data(running)["durations"]["file"]
        assert durations["seconds"] < 1


def test_a_reader_who_leaves_is_let_go() -> None:
    with daemon(SITE + STATUS) as running:
        for _ in range(40):  # more than may watch at once
            with running.connect() as client:
                client.sendall(b"GET /status/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200")
            wait_for(lambda: in_flight(running) <= 1, "the stream to end")


def in_flight(running: Daemon) -> int:
    return sum(int(one["in_flight"]) for one in data(running)["workers"])
