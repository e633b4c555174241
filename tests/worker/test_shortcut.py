"""The short way answers what the long one would, as long as that is so, and gives back the rest."""

import json
import os
import re
from pathlib import Path

import pytest

from forkhttpd.config.rates import Rate
from tests.handlers.driver import open_fds
from tests.worker.making import CLIENT, PATIENCE
from tests.worker.visit import ABSENT, AGENT, HEAD, LAST, PAGE, Visit, has_ended, has_head, is_whole


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
    assert all(is_whole(page) for page in pages)
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
    visit.read(client, is_whole if known else lambda _: True)
    for connection in visit.context.connections if hurried else ():
        connection.retire(0.0)
    visit.turn_until(lambda: has_ended(client))


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
    assert not visit.read(client, has_head).endswith(content)  # for want of room
    client.sendall(AGENT)
    data = visit.read(
        client, lambda data: data.count(b"HTTP/1.1 200") == 1 and data.endswith(content)
    )
    assert data.count(content) == 1
    assert len(visit.asked) == asked


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


def test_what_many_clients_ask_for_is_kept_once(visit: Visit, root: Path) -> None:
    """Each has a cookie of its own, and all of them the same page."""
    (root / "page.html").write_bytes(bytes(60000))
    client = visit.connect()
    for _ in range(2):
        for number in range(300):
            visit.ask(client, PAGE.replace(b"\r\n\r\n", b"\r\nCookie: a=%d\r\n\r\n" % number))
    assert len(visit.asked) == 300


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
