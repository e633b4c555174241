"""Files too large to be remembered: their heads are known, and they are sent at once."""

import os
from pathlib import Path

from tests.worker.visit import HEAD, LAST, PAGE, Visit, has_head


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
    data = visit.read(client, has_head)
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
    data = visit.read(client, has_head)
    for connection in visit.context.connections:
        connection.retire(0.0)
    data += visit.read(client, lambda rest: (data + rest).endswith(large))
