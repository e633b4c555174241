"""Prometheus metrics, as a scrape sees them: the same from every worker, and never going back."""

import os
import re
import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from forkhttpd.scoreboard import CHRONICLE
from tests.live.asking import status
from tests.live.daemon import SITE, Daemon, Reply, daemon, wait_for

METRICS = '\n[[site.mount]]\npath = "/metrics"\nshow = "metrics"\n'
HELLO = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(running: Daemon, **fields: str) -> Values:
    """Return every sample of a scrape by its name and labels."""
    reply = running.get("/metrics", **fields)
    assert reply.status == 200, reply
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def value(found: Values, name: str, **labels: str) -> float:
    return found.get((f"forkhttpd_{name}", tuple(sorted(labels.items()))), 0.0)


def requests(found: Values, **labels: str) -> float:
    return value(found, "requests_total", **{"site": "default", "method": "GET", **labels})


def await_value(running: Daemon, expected: float, name: str, **labels: str) -> Values:
    """Wait until all workers have written down what they have counted."""
    return wait_for(
        lambda: found if value(found := scrape(running), name, **labels) == expected else {},
        f"{name} {labels} of {expected}",
    )


def test_metrics_count_by_site_method_and_status() -> None:
    two = '\n[[site]]\nnames = ["b.example"]\n[[site.mount]]\npath = "/"\ndocroot = "www"\n'
    with daemon(SITE + METRICS + two) as running:
        running.write("www/page", "x" * 1000)
        running.script("hello.sh", HELLO)
        for _ in range(3):
            assert running.get("/page").status == 200
        assert running.ask("HEAD", "/page").status == 200
        assert running.ask("PROPFIND", "/page").status == 405
        assert running.get("/none", host="b.example").status == 404
        assert running.get("/cgi-bin/hello.sh").text == "hello\n"
        running.exchange(b"nonsense\r\n\r\n")
        for labels in (
            {"site": "(none)", "method": "other", "status": "400"},
            {"site": "b.example", "method": "GET", "status": "404"},
            {"site": "default", "method": "HEAD", "status": "200"},
            {"site": "default", "method": "other", "status": "405"},
        ):
            await_value(running, 1, "requests_total", **labels)
        await_value(running, 1, "request_duration_seconds_count", kind="program")
        await_value(running, 1, "pool_started_total", pool="default")
        files = "request_duration_seconds_count"
        wait_for(lambda: value(scrape(running), files, kind="file") >= 6, "what files came to")
        found = wait_for(lambda: enough(scrape(running)), "three pages and a program")
        last = value(found, "request_duration_seconds_bucket", kind="file", le="+Inf")
        assert last == value(found, files, kind="file") >= 6
        assert value(found, "sent_bytes_total", site="default") > 1000
        assert value(found, "pool_cpu_seconds_total", pool="default", mode="user") >= 0
        assert value(found, "workers", state="ready") == 2
        assert value(found, "generation") == 1
        await_value(running, 1, "requests_in_flight")  # the scrape itself
        assert value(found, "memory_bytes", role="worker") > 1 << 20


def enough(found: Values) -> Values:
    return found if requests(found, status="200") >= 3 + 1 else {}


def test_metrics_are_the_same_from_every_worker_and_outlive_them() -> None:
    with daemon(SITE.replace("workers = 2", "workers = 3") + METRICS) as running:
        running.write("www/page", "x")
        running.script("hello.sh", HELLO)
        pids = set()
        for _ in range(60):
            running.get("/page")
        for _ in range(2):
            running.get("/cgi-bin/hello.sh")
        # 62, and as many scrapes as it takes.
        first = await_value(running, 2, "pool_started_total", pool="default")
        wait_for(lambda: requests(scrape(running), status="200") >= 63, "all counts")
        for worker in running.workers():
            pids.add(worker.pid)
            worker.send_signal(signal.SIGTERM)
        wait_for(
            lambda: (
                not pids & {one.pid for one in running.workers()} and len(running.workers()) == 3
            ),
            "new workers",
        )
        found = scrape(running)
        assert all(found.get(key, 0) >= count for key, count in counters(first).items())
        assert value(found, "processes_ended_total", role="worker") >= 3
        for number in (1, 2):
            assert running.reload()
            wait_for(lambda: len(running.spawners()) == 1, "the end of the old ones")
            after = scrape(running)
            assert all(after.get(key, 0) >= count for key, count in counters(found).items())
            assert value(after, "reloads_total", verdict="taken") == number
            assert value(after, "pool_started_total", pool="default") == 2
            found = after
        assert not running.reload("workers = 0\n")
        assert value(scrape(running), "reloads_total", verdict="refused") == 1


def counters(found: Values) -> Values:
    """Return what must never go back."""
    endings = ("_total", "_bucket", "_count", "_sum")
    return {key: count for key, count in found.items() if key[0].endswith(endings)}


def test_M20_metrics_go_on_over_an_upgrade() -> None:
    with daemon(SITE + METRICS) as running:
        running.write("www/page", "x")
        for _ in range(20):
            running.get("/page")
        wait_for(lambda: requests(scrape(running), status="200") >= 21, "all counts")
        before = scrape(running)
        master = running.process.pid
        running.send_signal(signal.SIGUSR2)
        wait_for(lambda: running.process.poll() is not None, "the end of the old master")
        after = scrape(running)
        assert all(after.get(key, 0) >= count for key, count in counters(before).items())
        assert value(after, "start_time_seconds") == value(before, "start_time_seconds")
        new = int((running.directory / "forkhttpd.pid").read_text())
        assert new != master
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{new}"), "the end of the new master")


def test_metrics_are_for_this_machine_unless_the_mount_says_otherwise() -> None:
    rules = ("", 'allow = ["127.0.0.1"]', 'deny = ["127.0.0.0/8"]')
    mounts = (METRICS.replace("/metrics", f"/{number}") + rule for number, rule in enumerate(rules))
    proxied = {"x_forwarded_for": "192.0.2.1"}  # a proxy on this machine, which asks for others
    with daemon(SITE + "".join(mounts)) as running:
        answers = [running.get(f"/{number}").status for number in range(3)]
        assert answers == [200, 200, 403]
        answers = [running.get(f"/{number}", **proxied).status for number in range(3)]
        assert answers == [403, 200, 403]
        answers = [running.get(f"/{number}", host="rebound.example").status for number in range(3)]
        assert answers == [403, 200, 403]
        running.await_log("rebound.example is none of the sites' names")
        assert running.get("/0/x").status == 404
        assert running.ask("POST", "/0").status == 405


@pytest.mark.parametrize(
    ("more", "is_local"), [("", True), ('allow = ["all"]\n', False), ('show = "ready"\n', False)]
)
def test_O8_explain_tells_who_may_see_them(more: str, is_local: bool) -> None:
    mount = METRICS.replace('show = "metrics"\n', more) if "show" in more else METRICS + more
    with daemon(SITE + mount, start=False) as running:
        command = [sys.executable, "-m", "forkhttpd", "explain", "/metrics"]
        command += ["-c", str(running.config)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "answer      the server itself: " in done.stdout
    assert ("allow       only clients on this machine" in done.stdout) is is_local


def test_metrics_come_in_the_format_that_is_asked_for() -> None:
    with daemon(SITE + METRICS) as running:
        plain: Reply = running.get("/metrics")
        assert plain.fields["content-type"].startswith("text/plain; version=0.0.4")
        modern = running.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
        assert modern.fields["content-type"].startswith("application/openmetrics-text")
        assert modern.text.endswith("# EOF\n")


def test_who_shows_nothing_counts_nothing() -> None:
    """The chronicle of a server without such a mount takes no memory."""
    with daemon() as running:
        running.write("www/page", "x")
        assert running.get("/page").status == 200
        status(running)
        fd = next(
            fd
            for fd in os.listdir(f"/proc/{running.process.pid}/fd")
            if re.search(r"memfd:forkhttpd-scoreboard", _link(running.process.pid, fd))
        )
        with open(f"/proc/{running.process.pid}/fd/{fd}", "rb") as board:
            assert os.fstat(board.fileno()).st_size > CHRONICLE
            with pytest.raises(OSError, match="No such device or address"):
                os.lseek(board.fileno(), CHRONICLE, os.SEEK_DATA)


def _link(pid: int, fd: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return ""
