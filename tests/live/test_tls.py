"""TLS as clients meet it: those of other hands, those that are rude, and those that leave."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator

import pytest

from forkhttpd.loop.tlsstream import _RECORD
from tests.live.client import Client, get, post
from tests.live.daemon import DEADLINE, read_all, wait_for
from tests.live.scene import processes_with
from tests.live.secure import CONFIG, Secure, secure
from tests.programs.peers import need

ENV = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n"
ECHO = "#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\n\\n'\nexec cat\n"
ENDLESS = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbegun\\n'\nexec sleep 300\n"
LARGE = os.urandom(8 << 20)


@pytest.fixture(scope="module")
def site() -> Iterator[Secure]:
    with secure() as served:
        served.running.script("env.sh", ENV)
        served.running.script("echo.sh", ECHO)
        served.running.script("endless.sh", ENDLESS)
        served.running.write("www/large", LARGE)
        yield served


# Clients of other hands


def curl(site: Secure, path: str, *options: str, host: str = "www.one.example") -> bytes:
    pair = site.two if host == "two.example" else site.one
    command = [need("curl", package="curl"), "--silent", "--show-error", "--fail", *options]
    command += ["--cacert", str(pair.certificate), "--resolve", f"{host}:{site.port}:127.0.0.1"]
    done = subprocess.run(
        [*command, f"https://{host}:{site.port}{path}"], capture_output=True, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["--tlsv1.3", "--tls-max=1.2"])
def test_curl_gets_each_site_with_its_own_certificate(site: Secure, version: str) -> None:
    limit = version.split("=")
    assert curl(site, "/", *limit) == b"one"
    assert curl(site, "/", *limit, host="two.example") == b"two"


def test_curl_downloads_and_uploads_what_is_large(site: Secure) -> None:
    assert curl(site, "/large") == LARGE
    assert curl(site, "/large", "--range", "1000-3000000") == LARGE[1000:3000001]
    large = site.running.directory / "www/large"
    assert curl(site, "/cgi-bin/echo.sh", "--data-binary", f"@{large}") == LARGE


@contextlib.contextmanager
def s_client(site: Secure, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], bytearray]]:
    """Run openssl's client; what it has printed grows in the bytearray."""
    command = [need("openssl", package="openssl"), "s_client", "-connect", f"127.0.0.1:{site.port}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, *options], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT
    ) as process:
        try:
            assert process.stdout
            os.set_blocking(process.stdout.fileno(), False)
            yield process, bytearray()
        finally:
            process.kill()


def await_output(process: subprocess.Popen[bytes], seen: bytearray, text: bytes) -> None:
    assert process.stdout

    def has_come() -> bool:
        assert process.stdout
        seen.extend(process.stdout.read() or b"")
        return text in seen

    wait_for(has_come, f"{text!r} from openssl")


def say(process: subprocess.Popen[bytes], text: bytes) -> None:
    assert process.stdin
    process.stdin.write(text)
    process.stdin.flush()


def test_a_client_may_change_its_keys(site: Secure) -> None:
    with s_client(site, "-tls1_3") as (process, seen):
        await_output(process, seen, b"Verify return code")
        say(process, b"K\n")  # asks for a new key of ours, too
        await_output(process, seen, b"KEYUPDATE")
        say(process, get("/"))
        await_output(process, seen, b"\r\n\r\none")


def test_a_client_may_ask_for_small_records(site: Secure) -> None:
    site.running.write("www/text", "[" + "x" * 20000 + "]")
    with s_client(site, "-maxfraglen", "512") as (process, seen):
        await_output(process, seen, b"Verify return code")
        say(process, get("/text"))
        await_output(process, seen, b"[" + b"x" * 20000 + b"]")


def test_a_renegotiation_is_refused(site: Secure) -> None:
    with s_client(site, "-tls1_2") as (process, seen):
        await_output(process, seen, b"Verify return code")
        say(process, b"R\n")
        await_output(process, seen, b"no renegotiation")


# Requests


def test_keep_alive_and_pipelining(site: Secure) -> None:
    with site.client() as client:
        for _ in range(3):
            assert client.ask(get("/")).text == "one"
        client.send(get("/") + get("/none") + get("/large", "Range: bytes=0-9"))
        assert [client.reply().status for _ in range(3)] == [200, 404, 206]


def test_a_request_that_comes_byte_by_byte_is_one(site: Secure) -> None:
    with site.client() as client:
        for byte in get("/"):  # a record each
            client.send(bytes([byte]))
        assert client.reply().text == "one"


@pytest.mark.parametrize("size", [3000, 6000, 15000])
def test_a_head_that_fills_most_of_a_record_is_answered(site: Secure, size: int) -> None:
    with site.client() as client:
        for _ in range(2):
            assert client.ask(get("/", f"Cookie: {'x' * size}")).text == "one"
        client.send(get("/"))
        client.send(get("/", f"Cookie: {'x' * size}"))  # a record of its own, perhaps at once
        assert [client.reply().text for _ in range(2)] == ["one", "one"]


def test_a_body_of_many_records_with_a_size_of_none_fits_them(site: Secure) -> None:
    body = os.urandom(3 * _RECORD + 1)
    with site.client() as client:
        assert client.ask(post("/cgi-bin/echo.sh", body)).body == body


def test_programs_and_the_log_know_of_the_encryption(site: Secure) -> None:
    with site.client() as client:
        lines = client.ask(get("/cgi-bin/env.sh?env")).text.splitlines()
        protocol, cipher = client.connection.version(), client.connection.cipher()  # type: ignore[attr-defined]
    env = dict(line.split("=", 1) for line in lines)
    assert (env["HTTPS"], env["REQUEST_SCHEME"]) == ("on", "https")
    assert env["SERVER_PORT"] == str(site.port)
    assert (env["SSL_PROTOCOL"], env["SSL_CIPHER"]) == (protocol, cipher[0])
    assert env["SSL_TLS_SNI"] == "www.one.example"
    site.running.await_access_log("env.sh?env ")
    records = map(json.loads, site.running.access_log.splitlines())
    assert [r["tls"] for r in records if "env.sh?env " in r.get("request", "")] == [protocol]


def test_sessions_resume_in_another_worker(site: Secure) -> None:
    """By tickets whose key was made before the fork."""
    context = site.one.client()

    def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool, str]:
        connection = site.connect(context=context, session=session)
        with Client(connection) as client:
            worker = client.ask(get("/")).fields["x-request-id"].split("-")[0]
            return connection.session, bool(connection.session_reused), worker

    session, reused, first = visit(None)
    assert not reused

    def resumed_elsewhere() -> bool:
        nonlocal session
        session, reused, worker = visit(session)
        assert reused
        return worker != first

    wait_for(resumed_elsewhere, "a connection in another worker")


# Clients that do not speak TLS, or not well


def test_plain_http_gets_a_page_that_says_so(site: Secure) -> None:
    with Client(site.raw()) as client:
        reply = client.ask(get("/"))
        assert (reply.status, client.rest()) == (400, b"")
    assert "https://" in reply.text


def test_garbage_gets_an_alert_and_a_line_in_the_log(site: Secure) -> None:
    with site.raw() as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05nonse")
        assert read_all(connection)[:1] == b"\x15"  # RFC 8446 §5.1
    site.running.await_log(": no TLS with 127.0.0.1: ")


def test_a_name_that_no_text_can_hold_is_refused_without_a_traceback(site: Secure) -> None:
    out = ssl.MemoryBIO()
    client = site.one.client().wrap_bio(ssl.MemoryBIO(), out, server_hostname="one.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    with site.raw() as connection:
        connection.sendall(out.read().replace(b"one.example", b"\xffne.example"))
        assert read_all(connection)[:1] == b"\x15"
    site.running.await_log("ignored: 'ascii' codec can't decode")
    assert "Traceback" not in site.running.log


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_that_stops_is_cut_and_is_no_request(sent: bytes) -> None:
    with secure(CONFIG + '\n[timeouts]\nhandshake = "300ms"\n') as site:
        with site.raw() as connection, site.client() as client:
            connection.sendall(sent)
            assert client.ask(get("/?other")).text == "one"  # nobody waits for the slow one
            assert read_all(connection) == b""
            assert client.ask(get("/?last")).text == "one"
        site.running.await_access_log("/?last")
        assert len(site.running.access_log.splitlines()) == 2


# The end


def test_the_end_of_an_answer_is_said_in_tls(site: Secure) -> None:
    """Else nobody could tell an answer that ends with its connection from one cut short."""
    with site.client() as client:
        reply = client.ask(get("/cgi-bin/env.sh", version="1.0"))
        assert b"GATEWAY_INTERFACE" in reply.body
        assert client.rest() == b""  # SSLEOFError without a close_notify


@pytest.mark.parametrize("politely", [True, False])
def test_a_program_whose_client_has_left_is_ended(site: Secure, *, politely: bool) -> None:
    def programs() -> list[int]:
        return processes_with(f"SCRIPT_FILENAME={site.running.directory}/cgi-bin/endless.sh")

    connection = site.connect()
    connection.sendall(get("/cgi-bin/endless.sh"))
    wait_for(programs, "the program")
    received = connection.recv(1000)
    while b"begun" not in received:
        received += connection.recv(1000)
    if politely:
        connection.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            connection.unwrap()
    connection.close()
    wait_for(lambda: not programs(), "the end of the program")


def test_a_stop_says_goodbye_to_the_idle_and_lets_answers_finish() -> None:
    with secure() as site:
        site.running.write("www/large", LARGE)
        idle, shaking, busy = site.client(), site.raw(), site.connect()
        with idle, shaking, busy:
            assert idle.ask(get("/")).text == "one"
            busy.sendall(get("/large", "Connection: close"))
            begun = busy.recv(1000)
            site.running.send_signal(signal.SIGTERM)
            assert idle.rest() == b""
            rest = bytearray()
            while data := busy.recv(65536):
                rest += data
            assert (begun + rest).endswith(LARGE)
        assert site.running.process.wait(DEADLINE) == 0


# Port 80 beside 443


def test_the_plain_listener_leads_to_https_but_for_challenges(site: Secure) -> None:
    with Client(socket.create_connection(("127.0.0.2", site.plain_port), DEADLINE)) as client:
        for request, status, location in (
            (get("/a%20b/?c=d"), 301, "https://localhost/a%20b/?c=d"),
            (get("//evil.example/"), 301, "https://localhost//evil.example/"),
            (get("http://one.example?q"), 301, "https://one.example/?q"),
            (post("/form", b"x"), 308, "https://localhost/form"),
            (get("/.well-known/acme-challenge"), 301, None),
        ):
            reply = client.ask(request)
            assert reply.status == status
            assert location in (None, reply.fields["location"])
        assert client.ask(get("/.well-known/acme-challenge/token")).text == "challenge"
