"""The short way answers what the long one would, as long as that is so, and gives back the rest."""

import contextlib
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forkhttpd.access.meter import Meter
from forkhttpd.census import Census
from forkhttpd.config import Config
from forkhttpd.config.load import load
from forkhttpd.config.rates import Rate
from forkhttpd.handlers.mediatypes import MediaTypes
from forkhttpd.handlers.static import Static
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Proof, Response
from forkhttpd.loop import Stream
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.connection import serve
from forkhttpd.worker.context import Context
from forkhttpd.worker.counting import Counting
from forkhttpd.worker.entrance import Entrance
from forkhttpd.worker.errorpage import error_response
from forkhttpd.worker.notice import Notice
from forkhttpd.worker.pace import Pace
from forkhttpd.worker.shortcut import Shortcut
from tests.config.files import LISTEN, write
from tests.handlers.driver import open_fds
from tests.worker.making import CLIENT, PATIENCE, SERVER, Line

PAGE = b"GET /page.html HTTP/1.1\r\nHost: example.org\r\n\r\n"
AGENT = b"GET /page.html HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a\r\n\r\n"
LAST = b"GET /page.html HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
HEAD = b"HEAD /page.html HTTP/1.1\r\nHost: example.org\r\n\r\n"
ABSENT = b"GET /absent.html HTTP/1.1\r\nHost: example.org\r\n\r\n"


class Visit:
    """A worker with one mount of files, and connections to it.

    asked: the paths that took the long way.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log: Path,
        format: str = "combined",  # noqa: A002
        rate: Rate | None = None,
        options: str = "",
        of_mount: str = "",
    ) -> None:
        mount = load(
            write(
                directory.parent,
                options
                + LISTEN
                + f'[[site]]\n[[site.mount]]\npath = "/"\ndocroot = "{directory}"\n{of_mount}',
            )
        )
        self.asked: list[str] = []
        self.lines: list[Line] = []
        self.log = log
        site = mount.site[0].mount[0]
        self._static = Static(site, media_types=MediaTypes(), clock=lambda: time.time() + 3600)
        self._line = Line()
        self._census = Census()
        self._moments = self._census.meter("requests")
        self._fd = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.access_log = AccessLog(self._fd, format=format)
        self.context = Context(
            mount,
            name="w",
            loop=self._line.loop,
            refuse=lambda request, error: error_response(error, id=request.id),
            access_log=self.access_log,
            log=logging.getLogger("test"),
            pace=None if rate is None else self._pace(mount, rate),
        )
        self.entrance = Entrance(
            SERVER, self._respond, prove=self._prove, answers=self.context.answers
        )
        self._clients: list[socket.socket] = []

    def _pace(self, config: Config, rate: Rate) -> Pace:
        loop = self._line.loop
        meter = Meter(self._moments, rate)
        notice = Notice("refused", loop=loop, log=logging.getLogger("test"))
        return Pace(meter, counting=Counting(config, self._census), loop=loop, notice=notice)

    async def _respond(self, request: Request) -> Response:
        self.asked.append(request.path)
        return await self._static(request, request.path)

    def _prove(self, request: Request, response: Response) -> Proof | None:
        try:
            return self._static.proof(request, request.path, status=response.status)
        except HTTPError:
            return None

    def connect(self, *, first: bytes = b"", room: int | None = None) -> socket.socket:
        """Return the client's end of a new connection; `first` is there when it is accepted."""
        near, client = socket.socketpair()
        near.setblocking(False)
        if room is not None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        client.sendall(first)
        client.setblocking(False)
        self._clients.append(client)
        loop = self._line.loop
        shortcut = Shortcut(
            self.context, Stream(loop, near), self.entrance, CLIENT, id=len(self._clients)
        )
        if not shortcut.welcome():
            loop.start(serve(self.context, shortcut))
        return client

    def read(self, client: socket.socket, done: Callable[[bytes], bool]) -> bytes:
        """Turn until what the client has read is enough."""
        data, deadline = b"", time.monotonic() + PATIENCE
        while not done(data):
            assert time.monotonic() < deadline, data
            self._line.loop.turn(0.01)
            assert self._line.failures == []
            try:
                data += client.recv(1 << 20)
            except BlockingIOError:
                continue
        return data

    def turn_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline
            self._line.loop.turn(0.01)

    def ask(self, client: socket.socket, request: bytes) -> bytes:
        """Return the answer, which says how long it is."""
        client.sendall(request)
        return self.read(client, _is_whole if not request.startswith(b"HEAD") else _has_head)

    def logged(self) -> list[str]:
        self.access_log.flush()
        return self.log.read_text().splitlines()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.turn_until(lambda: not self.context.connections)
        self._line.stream.close()
        self._line.client.close()
        self._line.loop.close()
        self._moments.release()
        self._census.close()
        os.close(self._fd)


def _has_ended(client: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        return client.recv(1000) == b""
    return False


def _has_head(data: bytes) -> bool:
    return b"\r\n\r\n" in data


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and (length is None or len(body) >= int(length[1]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "www"
    root.mkdir()
    (root / "page.html").write_bytes(b"one")
    return root


@pytest.fixture
def visit(root: Path, tmp_path: Path) -> Iterator[Visit]:
    visit = Visit(root, log=tmp_path / "access.log")
    yield visit
    visit.close()


def without_date(answer: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]*", b"Date: ", answer)


@pytest.mark.parametrize("request_", [PAGE, HEAD, ABSENT])
def test_what_is_asked_again_is_answered_as_before_and_logged(
    visit: Visit, request_: bytes
) -> None:
    client = visit.connect()
    answers = [visit.ask(client, request_) for _ in range(4)]
    assert len(visit.asked) == 1
    same = {re.sub(rb"request w-[0-9a-f-]+", b"", without_date(answer)) for answer in answers}
    assert len(same) == 1
    assert len(set(visit.logged())) <= 2  # perhaps a second has passed
    assert len(visit.logged()) == 4
    assert visit.context.requests == 4


def test_other_fields_have_the_same_answer_and_a_line_of_their_own(visit: Visit) -> None:
    client = visit.connect()
    for request in (PAGE, AGENT, PAGE, AGENT):
        assert visit.ask(client, request).endswith(b"one")
    assert len(visit.asked) == 2  # the fields were new once
    assert [line.endswith('"-" "a"') for line in visit.logged()] == [False, True] * 2


def test_answers_are_known_on_all_connections_and_methods_do_not_mix(visit: Visit) -> None:
    first, second = visit.connect(), visit.connect()
    visit.ask(first, PAGE)
    for _ in range(2):
        assert visit.ask(second, PAGE).endswith(b"\r\n\r\none")
        assert visit.ask(second, HEAD).endswith(b"Content-Length: 3\r\n\r\n")
    assert visit.asked == ["/page.html"] * 2


def test_S9_an_edit_shows_at_once(visit: Visit, root: Path) -> None:
    client = visit.connect()
    for content in (b"one", b"two", b"33333"):
        (root / "page.html").write_bytes(content)
        for _ in range(3):
            assert visit.ask(client, PAGE).endswith(b"\r\n\r\n" + content)
    assert len(visit.asked) == 3


def test_S9_what_stands_in_for_a_known_file_that_may_not_be_followed_is_never_older(
    root: Path, tmp_path: Path
) -> None:
    """The file is where it was, unchanged, but by a link now that leads out."""
    front = root / "index.html"
    front.write_bytes(b"old")
    (root / "files").mkdir()
    (root / "files" / "large.bin").write_bytes(bytes(1 << 18))
    visit = Visit(root, log=tmp_path / "access.log", of_mount='fallback = ["/index.html"]\n')
    client = visit.connect()
    ask = b"GET /files/large.bin?%d HTTP/1.1\r\nHost: example.org\r\n\r\n"
    assert len(visit.ask(client, ask % 1)) > 1 << 18
    (root / "files").rename(tmp_path / "outside")
    (root / "files").symlink_to(tmp_path / "outside")
    for _ in range(2):
        assert visit.ask(client, ask % 2).endswith(b"\r\n\r\nold")
    front.write_bytes(b"newer")
    assert visit.ask(client, ask % 2).endswith(b"\r\n\r\nnewer")
    visit.close()


def test_S9_what_goes_is_missed_and_what_comes_is_found(visit: Visit, root: Path) -> None:
    client = visit.connect()
    for _ in range(2):
        assert visit.ask(client, PAGE).startswith(b"HTTP/1.1 200")
        assert visit.ask(client, ABSENT).startswith(b"HTTP/1.1 404")
    (root / "page.html").rename(root / "absent.html")
    assert visit.ask(client, PAGE).startswith(b"HTTP/1.1 404")
    assert visit.ask(client, ABSENT).endswith(b"one")


def test_S6_conditions_have_answers_of_their_own(visit: Visit, root: Path) -> None:
    client = visit.connect()
    etag = re.search(rb"ETag: ([^\r]+)", visit.ask(client, PAGE))
    assert etag
    again = PAGE.replace(b"\r\n\r\n", b"\r\nIf-None-Match: " + etag[1] + b"\r\n\r\n")
    for _ in range(3):
        assert visit.ask(client, again).startswith(b"HTTP/1.1 304")
        assert visit.ask(client, PAGE).endswith(b"one")
    assert len(visit.asked) == 2
    (root / "page.html").write_bytes(b"other")
    assert visit.ask(client, again).endswith(b"other")


def test_H14_the_head_of_a_404_tells_the_length_that_its_page_would_have(visit: Visit) -> None:
    client = visit.connect()
    for _ in range(20):
        head = visit.ask(client, ABSENT.replace(b"GET", b"HEAD"))
        page = visit.ask(client, ABSENT)
        assert head.startswith(b"HTTP/1.1 404")
        assert head.endswith(b"\r\n\r\n")
        lengths = re.findall(rb"Content-Length: (\d+)", head + page)
        assert abs(int(lengths[0]) - int(lengths[1])) <= 1


def test_every_page_of_a_404_names_its_own_request(visit: Visit) -> None:
    clients = [visit.connect() for _ in range(2)]
    pages = [visit.ask(client, ABSENT) for client in clients for _ in range(20)]
    names = [re.findall(rb"request (w-[0-9a-f]+-[0-9a-f]+)", page) for page in pages]
    expected = [[f"w-{one:x}-{count:x}".encode()] for one in (1, 2) for count in range(1, 21)]
    assert names == expected
    assert all(_is_whole(page) for page in pages)
    assert len(visit.asked) == 1


def test_every_answer_names_its_own_request_where_all_are_named(root: Path, tmp_path: Path) -> None:
    visit = Visit(root, log=tmp_path / "access.log", options="request_id = true\n")
    (root / "page.html").write_bytes(b"w-1-1 w-1-2 w-1-3 w-1-4 w-1-11")
    (root / "large.html").write_bytes(os.urandom(300_000))
    first = LAST.replace(b"Connection: close", b"Range: bytes=0-5")
    large = PAGE.replace(b"page", b"large")
    client, count = visit.connect(), 0
    for request in (PAGE, HEAD, first, ABSENT, large):
        answers = []
        for _ in range(18):
            count += 1
            answer, name = visit.ask(client, request), f"w-1-{count:x}".encode()
            head, _, body = answer.partition(b"\r\n\r\n")
            assert re.findall(rb"(?m)^X-Request-ID: (.*)\r?$", head + b"\r") == [name + b"\r"]
            if request is ABSENT:
                assert body.count(name) == 1
                body = re.sub(rb"w-1-[0-9a-f]+", b"", body)
            elif request in (PAGE, large):
                path = "page.html" if request is PAGE else "large.html"
                assert body == (root / path).read_bytes()
            head = re.sub(rb"w-1-[0-9a-f]+|Content-Length: .*|Date: .*", b"", head)
            answers.append((head, body))
        assert len(set(answers)) == 1
    assert len(visit.asked) == 5
    visit.close()


def test_a_log_that_tells_more_tells_it_of_every_request(root: Path, tmp_path: Path) -> None:
    visit = Visit(root, log=tmp_path / "access.json", format="json")
    (root / "large.html").write_bytes(os.urandom(300_000))
    large = PAGE.replace(b"page", b"large")
    for request in (PAGE, large, ABSENT) * 2:
        visit.ask(visit.connect(), request)
    visit.read(visit.connect(first=LAST), lambda data: data.endswith(b"one"))
    visit.connect(first=LAST)
    lines = [json.loads(line) for line in visit.logged()]
    assert len(visit.asked) == 4
    assert [line["id"] for line in lines] == [f"w-{number}-1" for number in range(1, 9)]
    assert [line["status"] for line in lines] == [200, 200, 404] * 2 + [200] * 2
    assert [line["bytes"] for line in lines[3:5]] == [3, 300_000]
    assert {line["client"] for line in lines} == {CLIENT.host}
    visit.close()


def test_who_wants_to_close_is_answered_and_gone_with_the_first_look(visit: Visit) -> None:
    visit.read(visit.connect(first=LAST), lambda data: data.endswith(b"one"))
    client = visit.connect(first=LAST)
    assert client.recv(1000).endswith(b"Connection: close\r\n\r\none")
    assert client.recv(1000) == b""
    assert visit.asked == ["/page.html"]
    visit.read(client, lambda _: not visit.context.connections)


def test_who_wants_to_close_later_is_answered_and_gone(visit: Visit) -> None:
    client = visit.connect()
    for _ in range(2):
        visit.ask(client, PAGE)
    visit.read(visit.connect(first=LAST), lambda data: data.endswith(b"one"))
    assert visit.ask(client, LAST).endswith(b"one")
    visit.read(client, lambda _: not visit.context.connections)
    assert client.recv(1000) == b""


def test_nothing_but_known_requests_makes_no_connection_of_a_client(visit: Visit) -> None:
    visit.ask(visit.connect(), PAGE)
    for client in [visit.connect(), visit.connect(first=PAGE)]:
        before = set(visit.context.connections)
        for _ in range(3):
            assert visit.ask(client, PAGE).endswith(b"one")
        assert visit.context.connections == before
        assert visit.ask(client, ABSENT + PAGE).count(b"HTTP/1.1 ") >= 1
        assert visit.context.connections != before


def test_who_waits_and_then_closes_is_answered_and_gone_in_the_same_turn(visit: Visit) -> None:
    visit.read(visit.connect(first=LAST), lambda data: data.endswith(b"one"))
    client = visit.connect()
    assert len(visit.context.connections) == 1
    assert visit.ask(client, LAST).endswith(b"one")
    assert client.recv(1000) == b""
    assert not visit.context.connections
    assert len(visit.asked) == 1


@pytest.mark.parametrize("known", [b"", PAGE])
@pytest.mark.parametrize("hurried", [False, True])
def test_H9_who_asks_nothing_for_long_enough_is_sent_away(
    visit: Visit, known: bytes, hurried: bool
) -> None:
    visit.ask(visit.connect(), PAGE)
    visit.context.patience = PATIENCE if hurried else 0.0
    client = visit.connect(first=known)
    visit.read(client, _is_whole if known else lambda _: True)
    for connection in visit.context.connections if hurried else ():
        connection.retire(0.0)
    visit.turn_until(lambda: _has_ended(client))


@pytest.mark.parametrize("request_", [PAGE, ABSENT])
@pytest.mark.parametrize("size", [3, 300_000])
def test_H9_a_rate_counts_what_is_known_once_and_refuses_it(
    root: Path, tmp_path: Path, request_: bytes, size: int
) -> None:
    visit = Visit(root, log=tmp_path / "access.log", rate=Rate(5, 3600.0))
    (root / "page.html").write_bytes(os.urandom(size))
    client = visit.connect()
    answers = [visit.ask(client, request_) for _ in range(3)]
    (root / "page.html").write_bytes(os.urandom(size + 1))  # so that what was known is not
    before = open_fds()
    answers += [visit.ask(client, request_) for _ in range(2)]
    refused = [visit.ask(client, request_) for _ in range(2)]
    assert {answer[9:12] for answer in answers} == {b"200" if request_ is PAGE else b"404"}
    assert [answer[9:12] for answer in refused] == [b"429"] * 2
    assert len(visit.asked) == (2 if request_ is PAGE else 1)
    assert open_fds() == before
    visit.close()


@pytest.mark.parametrize("size", [1, 20, len(PAGE) - 1])
def test_pieces_of_a_known_request_are_the_request(visit: Visit, size: int) -> None:
    client = visit.connect()
    for _ in range(2):
        visit.ask(client, PAGE)
    client.sendall(PAGE[:size])
    visit.read(client, lambda _: True)
    assert visit.ask(client, PAGE[size:]).endswith(b"one")
    assert visit.ask(client, PAGE).endswith(b"one")


def test_H8_pipelined_known_requests_are_answered_in_order(visit: Visit) -> None:
    client = visit.connect()
    for _ in range(2):
        visit.ask(client, PAGE)
    client.sendall(PAGE + ABSENT + PAGE * 300)
    data = visit.read(
        client, lambda data: data.count(b"HTTP/1.1 ") == 302 and data.endswith(b"one")
    )
    assert [status == b"200" for status in re.findall(rb"HTTP/1.1 (\d+)", data)] == (
        [True, False] + [True] * 300
    )


def test_what_finds_no_room_is_sent_later_and_then_the_next(visit: Visit, root: Path) -> None:
    content = os.urandom(60000)
    (root / "page.html").write_bytes(content)
    visit.ask(visit.connect(), PAGE)
    visit.ask(visit.connect(), AGENT)
    asked = len(visit.asked)
    client = visit.connect(room=4096)
    client.sendall(PAGE)
    assert not visit.read(client, _has_head).endswith(content)  # for want of room
    client.sendall(AGENT)
    data = visit.read(
        client, lambda data: data.count(b"HTTP/1.1 200") == 1 and data.endswith(content)
    )
    assert data.count(content) == 1
    assert len(visit.asked) == asked


@pytest.fixture
def large(visit: Visit, root: Path) -> bytes:
    """The content of a page that is sent from its file, and known already."""
    content = os.urandom(300_000)
    (root / "page.html").write_bytes(content)
    client = visit.connect()
    for request in (PAGE, AGENT, LAST):
        assert visit.ask(client, request).endswith(content)
    return content


def test_a_large_file_is_sent_the_short_way_and_counted(visit: Visit, large: bytes) -> None:
    client, asked = visit.connect(), len(visit.asked)
    for _ in range(3):
        assert visit.ask(client, PAGE).endswith(large)
    assert len(visit.asked) == asked
    assert all(" 200 300000 " in line for line in visit.logged())
    assert visit.ask(client, HEAD).endswith(b"Content-Length: 300000\r\n\r\n")
    assert visit.ask(client, HEAD).endswith(b"Content-Length: 300000\r\n\r\n")
    assert visit.logged()[-1].split()[-3] == "-"


def test_what_of_a_large_file_finds_no_room_is_sent_later(visit: Visit, large: bytes) -> None:
    client, asked = visit.connect(room=4096), len(visit.asked)
    for _ in range(3):
        client.sendall(PAGE)
        assert visit.read(client, lambda data: data.endswith(large)).count(b"HTTP/1.1") == 1
    assert len(visit.asked) == asked
    last = visit.connect(first=LAST, room=4096)
    assert visit.read(last, lambda data: data.endswith(large))
    visit.read(last, lambda _: len(visit.context.connections) == 1)
    assert last.recv(1) == b""


def test_S9_a_large_file_that_was_replaced_is_sent_new(
    visit: Visit, root: Path, large: bytes
) -> None:
    client = visit.connect()
    assert visit.ask(client, PAGE).endswith(large)
    (root / "new").write_bytes(large[::-1])
    (root / "new").rename(root / "page.html")
    assert visit.ask(client, PAGE).endswith(large[::-1])
    (root / "page.html").unlink()
    (root / "page.html").mkdir()
    assert visit.ask(client, PAGE).startswith(b"HTTP/1.1 301")


def test_S9_a_large_file_that_shrinks_meanwhile_ends_the_connection(
    visit: Visit, root: Path, large: bytes
) -> None:
    client = visit.connect(room=4096)
    client.sendall(PAGE)
    data = visit.read(client, _has_head)
    os.truncate(root / "page.html", 1000)
    data += visit.read(client, lambda _: not visit.context.connections)
    assert len(data) < len(large)


def test_S5_a_range_of_a_large_file_is_known_by_its_fields(visit: Visit, large: bytes) -> None:
    client, asked = visit.connect(), len(visit.asked)
    ranges = [PAGE.replace(b"\r\n\r\n", b"\r\nRange: bytes=%d-99999\r\n\r\n" % n) for n in (0, 9)]
    for _ in range(3):
        assert visit.ask(client, ranges[0]).endswith(b"\r\n\r\n" + large[:100_000])
        assert visit.ask(client, ranges[1]).endswith(b"\r\n\r\n" + large[9:100_000])
    assert len(visit.asked) == asked + 2


def test_M6_who_is_still_being_sent_a_file_is_not_hurried(visit: Visit, large: bytes) -> None:
    client = visit.connect(room=4096)
    client.sendall(PAGE)
    data = visit.read(client, _has_head)
    for connection in visit.context.connections:
        connection.retire(0.0)
    data += visit.read(client, lambda rest: (data + rest).endswith(large))


def test_who_drains_keeps_no_promise_to_stay(visit: Visit) -> None:
    client = visit.connect()
    for _ in range(2):
        visit.ask(client, PAGE)
    visit.context.drain()
    assert b"Connection: close" in visit.ask(client, PAGE)
    assert not visit.entrance.answers.kinds


def test_what_a_client_invents_does_not_fill_the_memory(visit: Visit) -> None:
    client = visit.connect()
    for number in range(1100):
        visit.ask(client, PAGE.replace(b"\r\n\r\n", b"\r\nX: %d\r\n\r\n" % number))
    assert 0 < len(visit.entrance.answers.kinds) <= 1024


def test_what_a_client_invents_at_length_counts_by_its_length(visit: Visit) -> None:
    client = visit.connect()
    for number in range(6500):
        visit.ask(client, PAGE.replace(b".html", b".html?%0450d" % number))
    (kind,) = visit.entrance.answers.kinds.values()
    assert 0 < sum(6 * len(line) for line in kind.answers) < 16 << 20


@pytest.mark.parametrize(
    "field",
    [b"Content-Length: 2\r\n\r\nab", b"Expect: 100-continue\r\n\r\n", b"Upgrade: h2c\r\n\r\n"],
)
def test_what_is_more_than_a_head_is_not_remembered(visit: Visit, field: bytes) -> None:
    client = visit.connect()
    for _ in range(3):
        assert visit.ask(client, PAGE.replace(b"\r\n\r\n", b"\r\n" + field)).endswith(b"one")
    assert len(visit.asked) == 3


def test_H2_an_empty_line_before_a_request_does_not_stand_for_it(visit: Visit, root: Path) -> None:
    """RFC 9112 §2.2: it is ignored, and is not what the answer is known by."""
    (root / "other.html").write_bytes(b"two")
    client = visit.connect()
    for _ in range(2):
        assert visit.ask(client, b"\r\n" + PAGE).endswith(b"\r\n\r\none")
        other = b"\r\n" + PAGE.replace(b"page", b"other")
        assert visit.ask(client, other).endswith(b"\r\n\r\ntwo")
