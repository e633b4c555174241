"""What is counted is logged, also when there is no time left for it (C19)."""

import logging
import os
from pathlib import Path

from forkhttpd.config import load
from forkhttpd.http1.account import Account
from forkhttpd.loop import Loop
from forkhttpd.scoreboard import Cell, Slot
from forkhttpd.worker.accesslog import AccessLog
from forkhttpd.worker.context import Context
from forkhttpd.worker.errorpage import error_response
from tests.config.files import LISTEN, write
from tests.worker.making import get


def failed(error: Exception) -> None:
    raise error


def make_context(directory: Path, access_log: AccessLog, loop: Loop) -> Context:
    site = f'[[site]]\n[[site.mount]]\npath = "/"\ndocroot = "{directory}"\n'
    return Context(
        load(write(directory, LISTEN + site)),
        name="w",
        loop=loop,
        refuse=lambda request, error: error_response(error, id=request.id),
        access_log=access_log,
        log=logging.getLogger("test"),
    )


def test_C19_an_answer_whose_program_runs_on_is_logged_by_a_worker_that_leaves(
    tmp_path: Path,
) -> None:
    log = tmp_path / "access.log"
    fd = os.open(log, os.O_CREAT | os.O_WRONLY)
    loop = Loop(report=failed)
    access_log = AccessLog(fd, format="common")
    context = make_context(tmp_path, access_log, loop)
    request = get("/report.py")
    request.account = Account(queue_wait=0.0)
    context.count(request, 200, 5)
    # The task that waits for the program has not even begun.
    context.finish()
    access_log.finish()
    assert '"GET /report.py HTTP/1.1" 200 5' in log.read_text()
    loop.turn(0.0)
    request.account.settle()
    loop.turn(0.0)
    assert not context.unsettled
    loop.close()
    os.close(fd)


class Stores(Slot):
    """A slot that remembers what was stored, in order."""

    def __init__(self) -> None:
        self.cells: dict[Cell, int] = {}

    def set(self, cell: Cell, value: int) -> None:
        self.cells[cell] = value


def test_who_looks_idle_has_shown_all_that_it_has_counted(tmp_path: Path) -> None:
    loop = Loop(report=failed)
    context = make_context(tmp_path, AccessLog(-1, format="common"), loop)
    context.complained = 5
    stores = Stores()
    context.publish(stores)
    assert {Cell.REQUESTS, Cell.BYTES, Cell.COMPLAINED} <= stores.cells.keys()
    assert set(list(stores.cells)[-2:]) == {Cell.CONNECTIONS, Cell.ACTIVE}
    loop.close()
