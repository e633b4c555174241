"""Names and passwords: who gets in, what programs and logs are told, and what guessing costs."""

import base64
import contextlib
import os
import select
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.live.client import Client, get, open_client, post
from tests.live.daemon import SITE, Daemon, await_end, daemon, wait_for
from tests.live.neighbours import ask_from, connect_from

PASSWORD = "s\xe9cret word"
BCRYPT = "$2y$04$abcdefghijklmnopqrstuukCNRe6jFwG747jDXnMFtZ2AQzoSsWvO"  # of it, cheap
OF_NOTHING = "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="  # of ""
OF_PASSWORD = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="  # of "password"
SLOW = "$2y$15$abcdefghijklmnopqrstuukCNRe6jFwG747jDXnMFtZ2AQzoSsWvO"  # some seconds of work

ENVIRON = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env\n"
CONFIG = (
    SITE.replace("workers = 2", "workers = 1")
    .replace("[[site]]", '[limits]\nfailed_logins = "3/h"\n\n[[site]]\npassword_file = "passwords"')
    .replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nrealm = "programs"\nusers = ["alice", "al b"]')
    + """
[[site.mount]]
path = "/open/"
docroot = "www/open"
password_file = ""

[[site.mount]]
path = "/slow/"
docroot = "www/open"
password_file = "slow"
"""
)


def login(user: str, password: str) -> str:
    """Return the field that says both."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: Basic {token}"


ALICE, BOB = login("alice", PASSWORD), login("bob", "password")


@pytest.fixture(scope="module")
def private() -> Iterator[Daemon]:
    """A daemon that asks for passwords but below /open/."""
    with daemon(CONFIG, start=False) as running:
        running.write("www/page", "secret")
        running.write("www/open/page", "public")
        running.write("slow", f"alice:{SLOW}\n")
        write_passwords(running)
        running.script("environ", ENVIRON)
        running.start()
        yield running


def write_passwords(running: Daemon) -> None:
    lines = [f"alice:{BCRYPT}", f"bob:{OF_PASSWORD}", f"al b:{OF_PASSWORD}", "eve:as it is"]
    lines.append(f"empty:{OF_NOTHING}")
    running.write("passwords", "\n".join(lines))


@pytest.mark.parametrize(
    ("path", "field", "status"),
    [
        ("/page", "X: y", 401),
        ("/page", ALICE, 200),
        ("/page", BOB, 200),
        ("/page", ALICE.replace("Basic", "bASIC"), 200),
        ("/page", "Authorization: Bearer abc", 401),
        ("/page", "Authorization: Basic abc", 401),
        ("/missing", "X: y", 401),
        ("//x/../page", "X: y", 401),
        ("/cgi-bin/environ", "X: y", 401),
        ("/cgi-bin/environ", ALICE, 200),
        ("/cgi-bin/environ", BOB, 401),  # whose password is right, but who is none of the users
        ("/open/page", "X: y", 200),
    ],
)
def test_who_gets_in(private: Daemon, path: str, field: str, status: int) -> None:
    with open_client(private) as client:
        for _ in range(2):  # the second time it is known
            reply = client.ask(get(path, field))
            assert reply.status == status
            if status == 401:
                realm = "programs" if "cgi" in path else "private"
                expected = f'Basic realm="{realm}", charset="UTF-8"'
                assert reply.fields["www-authenticate"] == expected
                assert b"secret" not in reply.body


def test_C5_programs_and_the_log_are_told_the_name_and_not_the_password(private: Daemon) -> None:
    with open_client(private) as client:
        reply = client.ask(get("/cgi-bin/environ?name", login("al b", "password")))
        env = dict(line.split("=", 1) for line in reply.text.splitlines())
        assert (env["REMOTE_USER"], env["AUTH_TYPE"]) == ("al b", "Basic")
        assert "HTTP_AUTHORIZATION" not in env
        client.ask(get("/open/page", ALICE))
    private.await_access_log("/cgi-bin/environ?name")
    private.await_access_log("/open/page")
    lines = private.access_log.splitlines()
    assert any(r"127.0.0.1 - al\x20b [" in line and "?name" in line for line in lines)
    assert not any("alice" in line for line in lines if "/open/page" in line)


def test_a_401_leaves_the_connection_usable(private: Daemon) -> None:
    with open_client(private) as client:
        assert client.ask(post("/page", b"x" * 5000)).status == 401
        assert client.ask(get("/page", ALICE)).status == 200
        assert client.ask(get("/page")).status == 401
        assert client.ask(get("/open/page")).status == 200


def test_a_body_that_waits_for_100_is_never_asked_for(private: Daemon) -> None:
    with open_client(private) as client:
        head = get("/cgi-bin/environ", "Content-Length: 5", "Expect: 100-continue", method="POST")
        assert client.ask(head).status == 401  # and not 100
        assert client.rest() == b""


def test_guessing_is_slowed_by_address(private: Daemon) -> None:
    wrong = login("alice", "guess")
    with Client(connect_from(private, "127.0.0.7")) as guesser:
        assert [guesser.ask(get("/page", wrong)).status for _ in range(3)] == [401] * 3
        reply = guesser.ask(get("/page", wrong))
        assert reply.status == 429
        assert 0 < int(reply.fields["retry-after"]) <= 1200
        # Not even the right one, unless it is known already; and no harm to anybody else.
        assert guesser.ask(get("/page", login("al b", "password "))).status == 429
        assert guesser.ask(get("/open/page")).status == 200
    assert ask_from(private, "127.0.0.8", get("/page", wrong)).status == 401
    assert ask_from(private, "127.0.0.8", get("/page", ALICE)).status == 200
    private.await_log("login failed for alice from 127.0.0.7", count=3)
    assert "guess" not in private.log


def test_an_empty_password_is_no_guess_and_lets_nobody_in(private: Daemon) -> None:
    """As git says it for https://alice@…, once per command, before it asks for the password."""
    with Client(connect_from(private, "127.0.0.14")) as git:
        for _ in range(5):
            assert git.ask(get("/page", login("alice", ""))).status == 401
            assert git.ask(get("/page", login("empty", ""))).status == 401
        assert git.ask(get("/page", ALICE)).status == 200
    assert "127.0.0.14" not in private.log


def test_a_change_of_the_file_counts_at_once(private: Daemon) -> None:
    with open_client(private) as client:
        assert client.ask(get("/page", BOB)).status == 200
        private.write("passwords", f"alice:{BCRYPT}\n")
        assert client.ask(get("/page", BOB)).status == 401
        assert client.ask(get("/page", ALICE)).status == 200
        (private.directory / "passwords").unlink()
        assert client.ask(get("/page", ALICE)).status == 500
        private.await_log("passwords: No such file or directory")
        write_passwords(private)
        assert client.ask(get("/page", ALICE)).status == 200
    private.await_log("line 4: no kind of hash that is known here")


def verifiers(running: Daemon) -> list[psutil.Process]:
    return running.titled("forkhttpd: verifier")


def test_a_slow_hash_holds_up_nobody_else(private: Daemon) -> None:
    with open_client(private) as waiting, open_client(private) as other:
        waiting.send(get("/slow/page", ALICE))
        for _ in range(3):
            assert other.ask(get("/open/page")).status == 200
        assert not select.select([waiting.connection], [], [], 0)[0], "it has hashed meanwhile"
        (slow,) = verifiers(private)
        slow.kill()
        assert waiting.reply().status == 503
    await_end([slow])
    await_verifier(private, "127.0.0.1")


def await_verifier(running: Daemon, host: str) -> None:
    """Wait until somebody who was not there before gets in."""

    def works_again() -> bool:
        return ask_from(running, host, get("/page", login("al b", "password"))).status == 200

    wait_for(works_again, "a login with another verifier")
    assert len(verifiers(running)) == 1


def test_who_guesses_many_at_once_has_no_more_guesses(private: Daemon) -> None:
    """While those are verified that an address has left, the others are not even asked about."""
    with contextlib.ExitStack() as ends:
        guessers = [
            ends.enter_context(Client(connect_from(private, "127.0.0.10"))) for _ in range(6)
        ]
        for number, guesser in enumerate(guessers):
            guesser.send(get("/slow/page", login("alice", f"guess {number}")))
        private.await_log("logins of the address wait already", count=3)
        for slow in verifiers(private):
            slow.kill()
        assert {guesser.reply().status for guesser in guessers} == {503}
    private.write("passwords", f"al b:{OF_PASSWORD}\n")  # so that nobody is known
    await_verifier(private, "127.0.0.11")
    write_passwords(private)


def fds_of(process: psutil.Process) -> list[str]:
    return os.listdir(f"/proc/{process.pid}/fd")


def test_M1_M2_a_verifier_ends_with_its_worker_in_the_middle_of_a_hash() -> None:
    with daemon(CONFIG, start=False) as running:
        running.write("slow", f"alice:{SLOW}\n")
        write_passwords(running)
        (running.directory / "www/open").mkdir()
        running.start()
        with open_client(running) as waiting:
            waiting.send(get("/slow/page", ALICE))
            (verifier,) = verifiers(running)
            wait_for(lambda: sum(verifier.cpu_times()[:2]) > 0.5, "a hash")
            (worker,) = running.workers()
            open_ = [os.readlink(f"/proc/{verifier.pid}/fd/{n}") for n in fds_of(verifier)]
            sockets = [name for name in open_ if name.startswith("socket:")]
            assert (len(open_), len(sockets)) == (5, 1), open_  # 0, 1, 2, the log, the channel
            worker.kill()
            await_end([worker, verifier])
        wait_for(lambda: len(verifiers(running)) == 1, "those of the next worker")
        assert ask_from(running, "127.0.0.1", get("/page", BOB)).status == 404
        (verifier,) = verifiers(running)
        running.send_signal(signal.SIGKILL)
        await_end([verifier])
