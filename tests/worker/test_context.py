"""What is counted is logged, also when there is no time left for it (C19)."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.config.load import load
from forkhttpd.http1.account import Account
from forkhttpd.http1.request import Request
from forkhttpd.loop import Loop
from forkhttpd.scoreboard import Cell, Slot
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.context import SETTLE_PATIENCE, Context
from forkhttpd.worker.errorpage import error_response
from tests.config.files import LISTEN, write
from tests.worker.making import get


def failed(error: Exception) -> None:
    raise error


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The access log of the context."""
    return tmp_path / "access.log"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context(tmp_path: Path, log: Path, clock: Clock) -> Iterator[Context]:
    fd = os.open(log, os.O_CREAT | os.O_WRONLY)
    loop = Loop(report=failed, clock=clock)
    site = f'[[site]]\n[[site.mount]]\npath = "/"\ndocroot = "{tmp_path}"\n'
    yield Context(
        load(write(tmp_path, LISTEN + site)),
        name="w",
        loop=loop,
        refuse=lambda request, error: error_response(error, id=request.id),
        access_log=AccessLog(fd, format="common"),
        log=logging.getLogger("test"),
    )
    loop.close()
    os.close(fd)


def by_program(target: str) -> tuple[Request, Account]:
    request, account = get(target), Account(queue_wait=0.0)
    request.account = account
    return request, account


def test_C19_an_answer_whose_program_runs_on_is_logged_by_a_worker_that_leaves(
    context: Context, log: Path
) -> None:
    request, account = by_program("/report.py")
    account.stderr = 7
    context.count(request, 200, 5)
    context.finish()
    account.settle()
    context.access_log.finish()
    assert log.read_text().count('"GET /report.py HTTP/1.1" 200 5') == 1
    assert not context.unsettled
    assert context.complained == 7


def test_C19_an_answer_is_logged_once_when_its_program_has_ended_or_takes_too_long(
    context: Context, log: Path, clock: Clock
) -> None:
    (slow, account), (quick, ended) = by_program("/slow.py"), by_program("/quick.py")
    context.count(slow, 200, 5)
    context.count(quick, 200, 5)
    ended.settle()
    assert list(context.unsettled) == [slow]
    for seconds, expected in ((SETTLE_PATIENCE - 1, [slow]), (SETTLE_PATIENCE + 1, [])):
        clock.now = 100.0 + seconds
        context.loop.turn(0.0)
        context.log_overdue()
        assert list(context.unsettled) == expected
    account.settle()
    context.access_log.finish()
    assert [line.split()[6] for line in log.read_text().splitlines()] == ["/quick.py", "/slow.py"]


class Stores(Slot):
    """A slot that remembers what was stored, in order."""

    def __init__(self) -> None:
        self.cells: dict[Cell, int] = {}

    def set(self, cell: Cell, value: int) -> None:
        self.cells[cell] = value


def test_who_looks_idle_has_shown_all_that_it_has_counted(context: Context) -> None:
    context.complained = 5
    stores = Stores()
    context.publish(stores)
    assert {Cell.REQUESTS, Cell.BYTES, Cell.COMPLAINED} <= stores.cells.keys()
    assert set(list(stores.cells)[-2:]) == {Cell.CONNECTIONS, Cell.ACTIVE}
