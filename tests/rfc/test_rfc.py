"""The table of tests/rfc: its exchanges with the real daemon, and that all it names is there."""

import ast
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http1.transcript import bytewise
from tests.live.client import Client, get, open_client
from tests.live.daemon import SITE, Daemon, daemon
from tests.rfc.table import Case, Section, load, matches
from tests.wire import corpus

ROOT = Path(__file__).parents[2]
SECTIONS = load()
CASES = [case for section in SECTIONS for case in section.cases]
CHANGED = 1_000_000_000  # Sun, 09 Sep 2001 01:46:40 GMT

CONFIG = (
    SITE.replace("workers = 2", "workers = 1").replace("listing = true", "precompressed = true")
    + """
[[site.mount]]
path = "/list/"
docroot = "www/folder"
listing = true
"""
)
FILES = {
    "index.html": "<p>index",
    "ten.txt": "0123456789",
    "large.txt": "0123456789" * 400,
    "empty.txt": "",
    "unknown": "?",
    ".hidden": "hidden",
    "page.html": "<p>page",
    "page.html.gz": "in gzip",
    "page.html.br": "in br",
    "page.html.zst": "in zstd",
    "folder/file.txt": "file",
}
SCRIPTS = {
    "echo.sh": 'printf "%s [%s]" "${CONTENT_LENGTH:-0}" "$(cat)"',
    "field.sh": 'printf "[%s]" "$HTTP_X_FIELD"',
    "host.sh": 'printf "%s %s" "$HTTP_HOST" "$SERVER_NAME"',
}

# What a server can be seen to do or not to do: all of 9112, of 9110 what concerns an origin server
# without a cache.  What is missing here is grammar, advice for other roles, and registries.
EXPECTED = {
    "9112": """
        1 2.1 2.2 2.3 3 3.1 3.2 3.2.1 3.2.2 3.2.3 3.2.4 3.3 4 5.1 5.2 6 6.1 6.2 6.3
        7.1 7.1.1 7.1.2 7.1.3 7.2 7.4 8 9.2 9.3 9.3.2 9.4 9.5 9.6 9.7 9.8 10.1 11.1 11.2 11.3
    """,
    "9110": """
        4.2.1 4.2.2 4.2.3 4.2.4 4.2.5 5.1 5.2 5.3 5.4 5.5 5.6.1 5.6.2 5.6.7
        6.1 6.4.1 6.5 6.6.1 7.1 7.2 7.4 7.6.1 7.6.2 7.8
        8.3 8.4 8.4.1.3 8.6 8.8.2 8.8.3 8.8.3.2
        9.1 9.2.1 9.3.1 9.3.2 9.3.3 9.3.4 9.3.6 9.3.7 9.3.8
        10.1.1 10.1.4 10.2.1 10.2.2 10.2.3 10.2.4
        11.6.1 11.6.2
        12.4.1 12.4.2 12.4.3 12.5.1 12.5.3 12.5.5
        13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 13.2.1 13.2.2
        14.1.1 14.1.2 14.2 14.3 14.4 14.6
        15.2.1 15.3.5 15.3.7 15.3.7.2 15.4.2 15.4.5
        15.5.1 15.5.2 15.5.4 15.5.5 15.5.6 15.5.9 15.5.13 15.5.14 15.5.15 15.5.17 15.5.18 15.5.20
        15.6.1 15.6.2 15.6.3 15.6.4 15.6.5 15.6.6
    """,
}


@pytest.fixture(scope="module")
def site() -> Iterator[Daemon]:
    with daemon(CONFIG, start=False) as running:
        for name, content in FILES.items():
            os.utime(running.write(f"www/{name}", content), (CHANGED, CHANGED))
        for name, command in SCRIPTS.items():
            running.script(name, f"#!/bin/sh\necho 'Content-Type: text/plain\n'\n{command}\n")
        running.start()
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_exchange(site: Daemon, case: Case) -> None:
    with open_client(site) as client:
        client.send(case.ask)
        _check_answers(case, client)


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.closes], ids=lambda case: case.name
)
def test_an_exchange_byte_by_byte(site: Daemon, case: Case) -> None:
    """But for those that end the connection, which would be a race; tests/wire has such."""
    with open_client(site) as client:
        client.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        for byte in bytewise(case.ask):
            client.send(byte)
        _check_answers(case, client)


def _check_answers(case: Case, client: Client) -> None:
    for answer in case.answers:
        answer.check(client.reply(answer.method))
    if case.closes:
        assert client.rest() == b""
    else:
        _check_in_step(client)


def _check_in_step(client: Client) -> None:
    """Nothing more comes, and the next request is the next request."""
    assert client.ask(get("/ten.txt")).text == "0123456789"


def _asks_by_get(case: Case) -> bool:
    """Whether HEAD may be asked in its place; a Range is for GET alone (RFC 9110 §14.2)."""
    return case.ask.startswith(b"GET ") and len(case.answers) == 1 and b"\nRange:" not in case.ask


@pytest.mark.parametrize(
    "case", [case for case in CASES if _asks_by_get(case)], ids=lambda case: case.name
)
def test_H14_head_says_what_get_says(site: Daemon, case: Case) -> None:
    with open_client(site) as client:
        whole = client.ask(case.ask)
    with open_client(site) as client:
        head = client.ask(case.ask.replace(b"GET", b"HEAD", 1), "HEAD")
        if not case.closes:
            _check_in_step(client)
    # An error's page has the request's name in it, which may be a digit longer.
    apart = {"date", "content-length"} if whole.status >= 400 else {"date"}
    assert head.status == whole.status
    assert [*head.fields] == [*whole.fields]
    assert all(head.fields[name] == whole.fields[name] for name in head.fields.keys() - apart)


def test_H7_a_request_line_of_8000_octets_is_read(site: Daemon) -> None:
    """RFC 9112 §3 has every server support that many; our default."""
    with open_client(site) as client:
        line = get("/ten.txt?" + "a" * (8000 - len("GET /ten.txt? HTTP/1.1")))
        assert client.ask(line).text == "0123456789"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_section_is_held_by_tests_that_exist(section: Section) -> None:
    assert section.title
    assert section.does
    held = [*section.cases, *section.tests, *section.wire]
    assert held or section.does.startswith("nothing: "), "nothing holds it"
    assert set(section.wire) <= {case.name for case in corpus.load()}
    for test in section.tests:
        file, _, name = test.partition("::")
        names = _tests_of(ROOT / file)
        assert names if name == "*" else name in names, test


def _tests_of(file: Path) -> set[str]:
    """Return the names of a file's tests; it is one that pytest looks into."""
    assert file.name.startswith("test_")
    tree = ast.parse(file.read_text())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize("rfc", EXPECTED)
def test_no_section_is_left_out(rfc: str) -> None:
    assert [s.number for s in SECTIONS if s.rfc == rfc] == EXPECTED[rfc].split()


def test_the_table_can_tell_right_from_wrong(site: Daemon) -> None:
    (case, *_) = CASES
    reply = site.get("/ten.txt")
    with pytest.raises(AssertionError):
        case.answers[0].check(reply)
    assert matches("a…c", "abc")
    assert not matches("a…c", "abcd")
