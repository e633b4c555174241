"""wrk sends what the case of many headers promises, and the cases send what they say."""

import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.benchmark.case import CASES, Case
from scripts.benchmark.load import running_wrk

_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def wrk() -> Path:
    found = shutil.which("wrk")
    if found is None:
        message = "apt-get install wrk"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return Path(found)


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@contextmanager
def _requests(wrk: Path, case: Case, **options: tuple[tuple[str, str], ...]) -> Iterator[list[str]]:
    """The requests that wrk sends over one of its connections, as many as are taken."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        with running_wrk(wrk, case, port=port, seconds=30, **options):
            listener.accept()[0].close()  # wrk looks whether anybody is there
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                yield _take(connection)


def _take(connection: socket.socket, most: int = 2500) -> list[str]:
    requests: list[str] = []
    received = b""
    while len(requests) < most:
        data = connection.recv(65536)
        assert data, "wrk has hung up"
        received += data
        while b"\r\n\r\n" in received:
            request, _, received = received.partition(b"\r\n\r\n")
            requests.append(request.decode())
            connection.sendall(_RESPONSE)
    return requests


def test_a_hundred_kinds_of_header_ask_for_a_thousand_files(wrk: Path) -> None:
    with _requests(wrk, _case("many")) as requests:
        lines = [request.split("\r\n", 1) for request in requests]
    paths = Counter(line.split(" ")[1] for line, _ in lines)
    heads = Counter(head for _, head in lines)
    assert len(paths) == 1000
    assert len(heads) == 100
    assert max(paths.values()) <= 3
    assert len({tuple(each) for each in lines}) == len(lines)  # no request twice
    assert all(300 < len(head) < 1000 for head in heads)


@pytest.mark.parametrize(
    ("name", "field"),
    [("range", "Range: bytes=4194304-5242879"), ("close", "Connection: close")],
)
def test_a_case_sends_its_fields(wrk: Path, name: str, field: str) -> None:
    with _requests(wrk, _case(name)) as requests:
        assert field in requests[0].split("\r\n")


def test_a_validator_is_sent_beside_them(wrk: Path) -> None:
    fields = (("If-None-Match", '"abc"'),)
    with _requests(wrk, _case("304"), fields=fields) as requests:
        assert 'If-None-Match: "abc"' in requests[0].split("\r\n")
