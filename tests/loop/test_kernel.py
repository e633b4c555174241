"""The loop alone: tasks, futures, ports and deadlines, under a clock that only the test moves."""

import os
import select
from collections.abc import Callable, Iterator

import pytest

from forkhttpd.loop import FOREVER, DeadlineExceeded, Future, Loop, Pipe, Port, Task
from forkhttpd.loop.kernel import SWEEP_DELAY


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A loop, its clock, and what its tasks failed with."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.failures: list[Exception] = []
        self.loop = Loop(report=self.failures.append, clock=self.clock)

    def turn_until(self, done: Callable[[], bool], turns: int = 100) -> None:
        for _ in range(turns):
            if done():
                return
            self.loop.turn(0.05)
        pytest.fail(f"not within {turns} turns")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.loop.close()


def test_a_task_runs_in_the_next_turn_and_ends(bench: Bench) -> None:
    seen: list[str] = []

    async def body() -> None:
        seen.append("ran")

    task = bench.loop.spawn(body())
    assert seen == []
    bench.loop.turn(0)
    assert seen == ["ran"]
    assert task.ended
    assert task not in bench.loop.tasks


def test_a_future_wakes_its_waiter_with_the_first_result(bench: Bench) -> None:
    future: Future[int] = Future(bench.loop)
    seen: list[int] = []

    async def body() -> None:
        seen.append(await future.wait(FOREVER))

    task = bench.loop.spawn(body())
    bench.loop.turn(0)
    future.set(1)
    future.set(2)
    bench.turn_until(lambda: task.ended)
    assert seen == [1]


def test_a_wait_past_its_deadline_raises_and_never_before(bench: Bench) -> None:
    future: Future[int] = Future(bench.loop)
    late: list[float] = []

    async def body() -> None:
        try:
            await future.wait(105.0)
        except DeadlineExceeded:
            late.append(bench.loop.now)

    bench.loop.spawn(body())
    bench.loop.turn(0)
    bench.clock.now = 104.999
    bench.loop.turn(0)
    assert late == []
    bench.clock.now = 105.0
    bench.loop.turn(0)
    assert late == [105.0]


def test_deadlines_are_found_without_a_wait_of_their_own(bench: Bench) -> None:
    """The loop sleeps no longer than to the earliest deadline, however patient its caller is."""
    ended: list[int] = []

    async def body(number: int) -> None:
        await bench.loop.sleep(100.0 + number)
        ended.append(number)

    for number in (3, 1, 2):
        bench.loop.spawn(body(number))
    bench.loop.turn(0)
    for now in (101.0, 102.0, 103.0):
        bench.clock.now = now + SWEEP_DELAY
        bench.loop.turn(60.0)
    assert ended == [1, 2, 3]


def test_a_cancelled_task_cleans_up_and_is_not_cancelled_again(bench: Bench) -> None:
    steps: list[str] = []
    cleaned: Future[None] = Future(bench.loop)

    async def body() -> None:
        try:
            await bench.loop.pause(FOREVER)
        finally:
            steps.append("cleaning")
            await cleaned.wait(FOREVER)
            steps.append("clean")

    task = bench.loop.spawn(body())
    bench.loop.turn(0)
    task.cancel()
    bench.loop.turn(0)
    task.cancel()
    bench.loop.turn(0)
    assert steps == ["cleaning"]
    cleaned.set(None)
    bench.turn_until(lambda: task.ended)
    assert steps == ["cleaning", "clean"]
    assert bench.failures == []


def test_a_failing_task_is_reported_and_takes_nobody_with_it(bench: Bench) -> None:
    async def bad() -> None:
        raise ValueError("mine")

    seen: list[str] = []

    async def good() -> None:
        seen.append("ran")

    bench.loop.spawn(bad())
    bench.loop.spawn(good())
    bench.loop.turn(0)
    assert [str(failure) for failure in bench.failures] == ["mine"]
    assert seen == ["ran"]


def test_a_task_that_yields_lets_others_run_first(bench: Bench) -> None:
    order: list[str] = []

    async def greedy() -> None:
        for _ in range(3):
            order.append("greedy")
            await bench.loop.yield_turn()

    async def other() -> None:
        order.append("other")

    task = bench.loop.spawn(greedy())
    bench.loop.spawn(other())
    bench.turn_until(lambda: task.ended)
    assert order == ["greedy", "other", "greedy", "greedy"]


def test_who_is_woken_by_a_task_goes_on_in_the_same_turn(bench: Bench) -> None:
    """Else each step of it would look for events, and cost as much as one."""
    future: Future[str] = Future(bench.loop)
    seen: list[str] = []

    async def waits() -> None:
        seen.append(await future.wait(FOREVER))

    async def wakes() -> None:
        future.set("woken")
        bench.loop.spawn(spawned())

    async def spawned() -> None:
        seen.append("spawned")

    bench.loop.spawn(waits())
    bench.loop.spawn(wakes())
    bench.loop.turn(0)
    assert seen == ["woken", "spawned"]


def test_a_task_that_always_finds_more_to_read_lets_others_run(bench: Bench) -> None:
    """A client that sends faster than it is answered must not have the loop for itself."""
    port = Port(bench.loop, -1)  # which can be read for ever
    reads: list[int] = []

    async def greedy() -> None:
        while len(reads) < 1000:
            await port.readable(FOREVER)
            reads.append(len(reads))

    seen: list[int] = []

    async def other() -> None:
        seen.append(len(reads))

    task = bench.loop.spawn(greedy())
    bench.loop.spawn(other())
    bench.turn_until(lambda: task.ended, turns=1000)
    assert seen[0] < 10


def test_hurry_only_shortens(bench: Bench) -> None:
    late: list[float] = []

    async def body() -> None:
        try:
            await bench.loop.pause(110.0)
        except DeadlineExceeded:
            late.append(bench.loop.now)

    task = bench.loop.spawn(body())
    bench.loop.turn(0)
    task.hurry(120.0)
    task.hurry(101.0)
    bench.clock.now = 101.0
    bench.loop.turn(0)
    assert late == [101.0]


def test_a_pipe_delivers_all_that_was_written_and_the_end(bench: Bench) -> None:
    reading, writing = os.pipe()
    content = os.urandom(1 << 20)
    got: list[bytes] = []

    async def read() -> None:
        with Pipe(bench.loop, reading) as pipe:
            while data := await pipe.receive(FOREVER):
                got.append(data)

    async def write() -> None:
        with Pipe(bench.loop, writing) as pipe:
            await pipe.send(content, FOREVER)

    reader = bench.loop.spawn(read())
    bench.loop.spawn(write())
    bench.turn_until(lambda: reader.ended, turns=1000)
    assert b"".join(got) == content
    assert bench.loop.watchers == {}


def test_an_edge_that_nobody_waited_for_is_not_lost(bench: Bench) -> None:
    reading, writing = os.pipe()
    port = Port(bench.loop, reading)
    port.can_read = False
    port.watch()
    os.write(writing, b"x")
    bench.loop.turn(0)
    assert port.can_read

    ended: list[Task] = []

    async def body() -> None:
        await port.readable(FOREVER)
        ended.append(bench.loop.current)

    bench.loop.spawn(body())
    bench.loop.turn(0)
    assert len(ended) == 1
    port.close()
    os.close(reading)
    os.close(writing)


def test_a_hang_up_in_the_same_edge_as_data_is_remembered(bench: Bench) -> None:
    """A short read means empty, except when the end has already been announced."""
    reading, writing = os.pipe()
    os.write(writing, b"last words")
    os.close(writing)
    got: list[bytes] = []

    async def read() -> None:
        with Pipe(bench.loop, reading) as pipe:
            pipe.port.can_read = False
            while data := await pipe.receive(FOREVER):
                got.append(data)
        got.append(b"end")

    task = bench.loop.spawn(read())
    bench.turn_until(lambda: task.ended)
    assert got == [b"last words", b"end"]


def test_an_event_of_a_descriptor_closed_in_the_same_batch_is_dropped(bench: Bench) -> None:
    pairs = [os.pipe() for _ in range(2)]
    closed: list[int] = []

    def close_the_other(index: int) -> Callable[[int], None]:
        def callback(_events: int) -> None:
            other = pairs[1 - index][0]
            bench.loop.unwatch(other)
            bench.loop.unwatch(pairs[index][0])
            closed.append(index)

        return callback

    for index, (reading, writing) in enumerate(pairs):
        bench.loop.watch(reading, close_the_other(index))
        os.write(writing, b"x")
    bench.loop.turn(0)
    assert len(closed) == 1
    for pair in pairs:
        for fd in pair:
            os.close(fd)


def test_watchers_are_level_triggered(bench: Bench) -> None:
    reading, writing = os.pipe()
    calls: list[int] = []
    bench.loop.watch(reading, calls.append)
    os.write(writing, b"x")
    bench.loop.turn(0)
    bench.loop.turn(0)
    assert calls == [select.EPOLLIN, select.EPOLLIN]
    bench.loop.unwatch(reading)
    os.close(reading)
    os.close(writing)
