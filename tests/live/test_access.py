"""Who may come in by address, and whose address counts behind a proxy."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.live.client import Client, get, open_client
from tests.live.daemon import DEADLINE, SITE, Daemon, await_end, daemon
from tests.live.neighbours import ask_from, connect_from

CONFIG = (
    SITE.replace("workers = 2", 'workers = 1\ntrusted_proxies = ["127.0.0.9"]\nrequest_id = true')
    .replace('access = "access.log"', 'access = "access.log"\nformat = "json"')
    .replace("listing = true", 'listing = true\ndeny = ["127.0.0.66"]')
    + """
[[site.mount]]
path = "/private/"
docroot = "www/private"
allow = ["127.0.0.0/30", "192.0.2.7"]
deny = ["127.0.0.2"]

[[site.mount]]
path = "/gone/"
redirect = "/private/"
allow = ["127.0.0.1"]
"""
)
PROXY = "127.0.0.9"
ENVIRON = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env\n"
INSIDE = "#!/bin/sh\nprintf 'Location: /private/page\\n\\n'\n"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Daemon]:
    """A daemon with rules, and a proxy that it trusts at 127.0.0.9."""
    with daemon(CONFIG, start=False) as running:
        running.write("www/page", "public")
        running.write("www/private/page", "secret")
        running.script("environ", ENVIRON)
        running.script("inside", INSIDE)
        running.start()
        yield running


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("127.0.0.1", "/private/page", 200),
        ("127.0.0.3", "/private/page", 200),
        ("127.0.0.2", "/private/page", 403),
        ("127.0.0.4", "/private/page", 403),
        ("127.0.0.4", "/page", 200),
        ("127.0.0.66", "/page", 403),
        ("127.0.0.66", "/cgi-bin/environ", 200),
        # One path, resolved once: no other spelling of it has other rules (S3).
        ("127.0.0.4", "//private//page", 403),
        ("127.0.0.4", "/x/../private/page", 403),
        ("127.0.0.4", "/%70rivate/page", 403),
        ("127.0.0.4", "/private", 403),
        ("127.0.0.4", "/private/missing", 403),
        ("127.0.0.4", "/gone/page", 403),
        ("127.0.0.1", "/gone/page", 301),
        # The path that a program answers by has rules, too.
        ("127.0.0.1", "/cgi-bin/inside", 200),
        ("127.0.0.4", "/cgi-bin/inside", 403),
    ],
)
def test_rules_apply_to_the_resolved_path(
    guarded: Daemon, host: str, path: str, status: int
) -> None:
    reply = ask_from(guarded, host, get(path))
    assert reply.status == status
    assert status == 200 or b"secret" not in reply.body


def test_who_is_kept_out_has_a_line_in_the_log(guarded: Daemon) -> None:
    reply = ask_from(guarded, "127.0.0.13", get("/private/page"))
    assert reply.status == 403
    line = "GET /private/page HTTP/1.1: 403 127.0.0.13 may not come in"
    guarded.await_log(line)
    assert guarded.log.count(line) == 1


def test_what_one_client_has_from_the_cache_another_is_not_given(guarded: Daemon) -> None:
    """Each in turn on connections that stay open, so that all that is remembered is in use."""
    with (
        Client(connect_from(guarded, "127.0.0.1")) as friend,
        Client(connect_from(guarded, "127.0.0.4")) as stranger,
    ):
        for _ in range(50):
            assert friend.ask(get("/private/page")).status == 200
            assert stranger.ask(get("/private/page")).status == 403


def environ(running: Daemon, host: str, *fields: str) -> dict[str, str]:
    reply = ask_from(running, host, get("/cgi-bin/environ", *fields))
    assert reply.status == 200
    return dict(line.split("=", 1) for line in reply.text.splitlines())


def test_programs_and_logs_see_the_client_of_a_trusted_proxy(guarded: Daemon) -> None:
    said = ("X-Forwarded-For: 6.6.6.6, 192.0.2.7:4711", "X-Forwarded-Proto: https")
    env = environ(guarded, PROXY, *said, "X-Request-ID: proxy/7")
    assert env["REMOTE_ADDR"] == "192.0.2.7"
    assert env["REMOTE_PORT"] == "4711"
    assert (env["REQUEST_SCHEME"], env["HTTPS"]) == ("https", "on")
    assert env["HTTP_X_REQUEST_ID"] == env["UNIQUE_ID"] == "proxy/7"
    guarded.await_access_log("proxy/7")
    (line,) = [line for line in guarded.access_log.splitlines() if "proxy/7" in line]
    record = json.loads(line)
    assert (record["client"], record["id"]) == ("192.0.2.7", "proxy/7")


def test_nobody_else_is_believed(guarded: Daemon) -> None:
    said = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Request-ID: mine")
    env = environ(guarded, "127.0.0.4", *said)
    assert env["REMOTE_ADDR"] == "127.0.0.4"
    assert env["REQUEST_SCHEME"] == "http"
    assert "HTTPS" not in env
    assert env["HTTP_X_REQUEST_ID"] == env["UNIQUE_ID"] != "mine"
    assert ask_from(guarded, "127.0.0.4", get("/private/page", *said)).status == 403


def test_rules_are_for_the_client_of_each_request_of_a_proxy(guarded: Daemon) -> None:
    with Client(connect_from(guarded, PROXY)) as proxy:
        clients = {"192.0.2.7": 200, "192.0.2.8": 403, "127.0.0.1": 200, "rubbish": 403}
        for _ in range(3):
            for host, status in clients.items():
                field = f"X-Forwarded-For: {host}"
                assert proxy.ask(get("/private/page", field)).status == status


def test_who_spoils_what_a_proxy_says_is_not_taken_for_the_proxy(guarded: Daemon) -> None:
    with Client(connect_from(guarded, PROXY)) as proxy:
        spoilt = "X-Forwarded-For: " + "6.6.6.6, " * 600
        assert proxy.ask(get("/page", spoilt + "127.0.0.66")).status == 400
        assert proxy.ask(get("/page", "X-Forwarded-For: 6.6.6.6, 127.0.0.66")).status == 403
    guarded.await_log("so does not say who asks")


def test_the_log_has_the_client_of_each_request_of_a_proxy(guarded: Daemon) -> None:
    hosts = ["192.0.2.7", "192.0.2.8"] * 3
    with Client(connect_from(guarded, PROXY)) as proxy:
        for host in hosts:
            proxy.ask(get("/page?logged", f"X-Forwarded-For: {host}"))
        for _ in range(3):
            proxy.ask(get("/page?logged"))
    guarded.await_access_log("/page?logged", count=9)
    records = [json.loads(line) for line in guarded.access_log.splitlines() if "logged" in line]
    assert [record["client"] for record in records] == [*hosts, PROXY, PROXY, PROXY]
    assert len({record["id"] for record in records}) == 9


def test_every_answer_says_its_id(guarded: Daemon) -> None:
    with open_client(guarded) as client:
        replies = [client.ask(get(path)) for path in ("/page", "/page", "/missing", "/page")]
        names = [reply.fields["x-request-id"] for reply in replies]
        assert len(set(names)) == 4
        assert names[2] in replies[2].text
        reply = client.ask(get("/page", "X-Request-ID: mine"))
        assert reply.fields["x-request-id"] not in ("mine", *names)


def test_every_answer_says_its_id_where_no_proxy_is_trusted() -> None:
    """Then what was answered before is known, and the id in it is the new one."""
    config = SITE.replace("workers = 2", "workers = 1\nrequest_id = true")
    with daemon(config) as running, open_client(running) as client:
        replies = [client.ask(get("/missing")) for _ in range(20)]
        names = [reply.fields["x-request-id"] for reply in replies]
        assert len(set(names)) == 20
        assert all(name in reply.text for name, reply in zip(names, replies, strict=True))


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/page", ["deny        127.0.0.66/32"]),
        ("/private/page", ["allow       127.0.0.0/30, 192.0.2.7/32", "deny        127.0.0.2/32"]),
        ("/cgi-bin/environ", []),
    ],
)
def test_O8_explain_says_who_may_come_in(guarded: Daemon, path: str, lines: list[str]) -> None:
    command = [sys.executable, "-m", "forkhttpd", "explain", path, "-c", str(guarded.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    found = [line for line in done.stdout.splitlines() if line.startswith(("allow", "deny"))]
    assert found == lines, done


def test_a_reload_brings_other_rules() -> None:
    with daemon(SITE.replace("workers = 2", "workers = 1")) as running:
        running.write("www/page", "public")
        assert ask_from(running, "127.0.0.4", get("/page")).status == 200
        strict = SITE.replace("listing = true", 'allow = ["127.0.0.1"]')
        old = running.workers()
        assert running.reload(strict)
        await_end(old)  # else one of them may still answer
        assert ask_from(running, "127.0.0.4", get("/page")).status == 403
        assert ask_from(running, "127.0.0.1", get("/page")).status == 200
        wrong = strict.replace('"127.0.0.1"]', '"127.0.0.1/8"]')
        assert not running.reload(wrong)
        running.await_log('write "127.0.0.0/8" for the whole of it')
        assert ask_from(running, "127.0.0.4", get("/page")).status == 403
