"""What people get wrong: one line says what and what to do, and the exit code whose turn it is."""

import os
import socket
import subprocess
import sys

import pytest

from forkhttpd.errors import ExitCode
from tests.live.daemon import DEADLINE, SITE, Daemon, daemon


def complaint(running: Daemon, code: ExitCode) -> str:
    """Start it in vain; return the one line that it says."""
    done = running.command()
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("forkhttpd: ")
    return line


@pytest.mark.parametrize(
    ("right", "wrong", "place", "words"),
    [
        ("workers = 2", "workers = two", "1:11: ", "not a value; texts stand in quotes"),
        ("[log]", "[log", "7:5: ", "a table's header is not closed"),
        ("workers = 2", "worker = 2", "1: worker: ", 'unknown key; did you mean "workers"?'),
        ("workers = 2", 'workers = "two"', "1: workers: ", 'not a number of workers; write "auto"'),
        ("[log]", "[lgo]", "7: lgo: ", "unknown table; did you mean [log]?"),
        ("127.0.0.1:0", "127.0.0.1", "5: [listen] address: ", 'no port; write one like "127.'),
        ('docroot = "www"', "", "12: [site.mount]", "docroot"),
        ('"www"', '"none"', "14: [site.mount] docroot: ", "No such file or directory; make this"),
        ('"www"', '"forkhttpd.conf"', "14: [site.mount] docroot: ", "is no directory; write"),
        ('"cgi-bin"\n', '"none"\n', "19: [site.mount] cgi: ", "No such file or directory; make it"),
        ("workers = 2", 'user = "nobdy"', "1: user: ", "there is no user"),
        ("workers = 2", 'group = "nobody-here"', "1: group: ", "there is no group"),
        ('"access.log"', '"no/access.log"', "8: [log] access: ", "No such file or directory; make"),
        ('"access.log"', '"./www"', "8: [log] access: ", "is a directory; write the path"),
        ('"forkhttpd.pid"', '"no/pid"', "2: pid_file: ", "No such file or directory; make this"),
        ("[log]", '[pool.default]\npython = "python7"\n[log]', "8: [pool.default] python: ",
         'there is no program "python7" in'),
        ('cgi = "cgi-bin"', 'cgi = "cgi-bin"\npool = "defualt"', "20: [site.mount] pool: ",
         'there is no pool "defualt"; did you mean "default"?'),
    ],
)  # fmt: skip
def test_a_malformed_configuration(right: str, wrong: str, place: str, words: str) -> None:
    assert right in SITE
    with daemon(SITE.replace(right, wrong, 1), start=False) as running:
        line = complaint(running, ExitCode.CONFIG)
        assert line.startswith(f"forkhttpd: {running.config}:{place}")
        assert words in line


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    wrong = SITE.replace("workers", "workres").replace('"www"', "7").replace("[log]", "[lgo]")
    with daemon(wrong, start=False) as running:
        done = running.command()
        assert done.returncode == ExitCode.CONFIG
        places = [line.split(": ")[1].rsplit(":", 1)[1] for line in done.stderr.splitlines()]
        assert places == ["1", "7", "14"]


def test_a_missing_file() -> None:
    with daemon(start=False) as running:
        running.config.unlink()
        line = complaint(running, ExitCode.CONFIG)
        assert line.endswith(f"{running.config}: cannot read it: No such file or directory")


def test_an_unreadable_file() -> None:
    """Even root cannot read a directory as a file."""
    with daemon(start=False) as running:
        running.config.unlink()
        running.config.mkdir()
        line = complaint(running, ExitCode.CONFIG)
        assert line.endswith(f"{running.config}: cannot read it: Is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read() -> None:
    with daemon(start=False) as running:
        running.config.chmod(0)
        assert complaint(running, ExitCode.CONFIG).endswith("cannot read it: Permission denied")


def test_a_file_that_is_no_text() -> None:
    with daemon(start=False) as running:
        running.config.write_bytes(b'workers = 2\nserver = "\xff"\n')
        line = complaint(running, ExitCode.CONFIG)
        assert line.startswith(f"forkhttpd: {running.config}:2")
        assert "UTF-8" in line


def test_an_occupied_port_names_who_holds_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with daemon(SITE.replace("127.0.0.1:0", address), start=False) as running:
            line = complaint(running, ExitCode.UNAVAILABLE)
            assert f"cannot listen on {address}: Address already in use" in line
            assert f"by pid {os.getpid()} (" in line
            assert line.endswith("; stop what listens there or choose another port")
            assert not (running.directory / "forkhttpd.pid").exists()


def test_an_address_of_another_machine() -> None:
    config = 'user = "nobody"\n' + SITE if os.geteuid() == 0 else SITE
    with daemon(config.replace("127.0.0.1:0", "192.0.2.1:8000"), start=False) as running:
        line = complaint(running, ExitCode.UNAVAILABLE)
        assert line.endswith("; no interface of this machine has the address")


def test_a_file_in_the_place_of_a_socket() -> None:
    """It is somebody's file: nothing removes it."""
    with daemon(SITE.replace("127.0.0.1:0", "unix:www/file"), start=False) as running:
        file = running.write("www/file", "mine")
        line = complaint(running, ExitCode.UNAVAILABLE)
        assert "Address already in use" in line
        assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "forkhttpd -c FILE"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
        (["etc/forkhttpd.conf"], "a configuration stands behind -c"),
        (["-c"], "argument -c: expected one argument"),
        (["-c", "x", "-s", "restart"], "invalid choice: 'restart'"),
        (["--daemon"], "which configuration? add -c FILE"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "forkhttpd", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert words in done.stderr
    assert done.stderr.startswith("usage: forkhttpd ")
    assert "forkhttpd -c FILE" in done.stderr
