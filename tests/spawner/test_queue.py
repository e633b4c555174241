"""The limit, the queue, and workers that behave badly, with programs that run."""

import tempfile

import pytest

from forkhttpd.scoreboard import Cell
from forkhttpd.spawner.protocol import How, Reason
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON
from tests.spawner.programs import (
    FOREVER,
    is_alive,
)
from tests.spawner.worker import wait_until

# Limit and queue.


def test_C14_limit_queue_and_refusal() -> None:
    with Driver(PYTHON, processes=2, queue=1) as driver:
        one, two = driver.worker(), driver.worker()
        running = [one.shell(FOREVER), two.shell(FOREVER)]
        one.wait_started(running[0])
        two.wait_started(running[1])
        waiting = one.shell("echo served")
        wait_until(lambda: driver.cells(Cell.ACTIVE, Cell.QUEUED) == (2, 1), "a queue")
        refused = two.shell("echo never")
        two.wait(refused)
        assert refused.reason is Reason.QUEUE_FULL
        assert not waiting.answered
        two.kill(running[1], How.NOW)
        one.wait(waiting)
        assert waiting.output == b"served\n"
        assert waiting.started is not None
        assert waiting.started.queue_wait > 0
        counters = (Cell.QUEUED, Cell.REQUESTS, Cell.REFUSED)
        wait_until(lambda: driver.cells(*counters) == (0, 3, 1), "counters")


def test_C14_waiting_has_an_end() -> None:
    with Driver(PYTHON, processes=1, queue=5, queue_wait="200ms") as driver:
        worker = driver.worker()
        running = worker.shell(FOREVER)
        waiting = [worker.shell("echo never") for _ in range(2)]
        worker.wait(*waiting)
        assert [run.reason for run in waiting] == [Reason.QUEUE_TIMEOUT] * 2
        assert running.exited is None


def test_a_request_that_waits_can_be_cancelled() -> None:
    with Driver(PYTHON, processes=1, queue=5) as driver:
        worker = driver.worker()
        running = worker.shell(FOREVER)
        with tempfile.TemporaryFile() as spool:
            waiting = worker.start("/bin/cat", spool=spool.fileno())
        after = worker.shell("echo served")
        worker.kill(waiting, How.GRACEFUL)
        worker.wait(waiting)
        assert waiting.reason is Reason.CANCELLED
        worker.kill(running, How.NOW)
        worker.wait(after)
        assert after.output == b"served\n"
        assert not [name for name in driver.fds() if "(deleted)" in name and "/tmp" in name]


# Workers that behave badly.


@pytest.mark.parametrize("garbage", [b"\0", b"garbage", b"\x01" * 500])
def test_garbage_costs_the_sender_its_channel_and_nobody_else(
    driver: Driver, garbage: bytes
) -> None:
    bad, good = driver.worker(), driver.worker()
    running = good.shell(FOREVER)
    victim = bad.shell(FOREVER)
    bad.wait_started(victim)
    with tempfile.TemporaryFile() as file:
        bad.send(garbage, [file.fileno(), file.fileno()])
    bad.wait_hang_up()
    run = good.start("/bin/true")
    good.wait(run)
    assert (run.code, running.exited) == (0, None)
    wait_until(lambda: not is_alive(victim.pid), "the end of its program")
    assert "closing a worker's channel" in driver.log()


def test_an_id_that_is_in_use_is_refused_by_hanging_up(driver: Driver) -> None:
    worker = driver.worker()
    worker.wait_started(worker.shell(FOREVER))
    worker.shell(FOREVER, reused_id=1)
    worker.wait_hang_up()
    assert "id 1 is in use" in driver.log()


def test_a_worker_that_takes_no_answers_holds_up_nobody(driver: Driver) -> None:
    deaf, other = driver.worker(), driver.worker()
    wanted = [deaf.start("/nowhere") for _ in range(1000)]
    wanted += [deaf.start("/bin/true") for _ in range(20)]
    run = other.start("/bin/true")
    other.wait(run)
    deaf.wait(*wanted)
    assert all(run.refused for run in wanted[:1000])
    assert [run.code for run in wanted[1000:]] == [0] * 20
