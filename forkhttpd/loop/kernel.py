"""The loop: waits in epoll for descriptors and in a table for moments, and runs tasks.

Facts about epoll
    * One `epoll_ctl` is a system call that shows in a profile when it is made per request.
    * Edge-triggered registrations are made once and report each change once; what nobody waits
      for now must be remembered, or it is lost.
    * A `recv` that returns less than was asked for has emptied the socket: whatever comes later
      is a new edge (epoll(7), "Questions and answers" 9).  So no second `recv` is needed to see
      EAGAIN.  The exception is the end of the stream: data and FIN may share one edge.
    * An event may be stale: the descriptor was closed, and its number reused, earlier in the same
      batch.

Decision
    Each descriptor is a `Port`, registered once, at its first wait, edge-triggered.  The port
    remembers `can_read` and `can_write`; an edge sets them, the reader and writer clear them when
    they saw the descriptor empty or full; an edge that carried a hang-up never lets `can_read` be
    cleared again.  A wake-up is only a hint: whoever wakes tries, and waits again on EAGAIN.
    Interest in writing is added at the first wait for it, since most answers fit into the
    socket's buffer.  Descriptors of which there are few (listeners, signals, channels) are
    watched level-triggered by a callback instead.

Facts about deadlines
    * A server sets a deadline per read and almost never sees one expire.  A heap entry for each
      costs more than the read's other bookkeeping, and keeps closed connections in memory.

Decision
    A task holds its one current deadline in a slot.  Now and then the loop looks through all
    tasks: never later than the earliest deadline plus SWEEP_DELAY plus SWEEP_DELAY_PER_TASK for
    each task, so 10 000 idle connections cost about four looks of half a millisecond a second.
    A deadline is thus never early, and at most that much late.
"""

import contextlib
import math
import select
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

FOREVER = math.inf

SWEEP_DELAY = 0.02
SWEEP_DELAY_PER_TASK = 25e-6

_HANGUP = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP
_IN = select.EPOLLIN
_READ = _IN | _HANGUP
_WRITE = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
_WATCH_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_WATCH_BOTH = _WATCH_READ | select.EPOLLOUT
_EAGER_READS = 4  # without a wait, some 256 KiB
_EVENTS_PER_TURN = 256  # more wait for the next turn, after the tasks that this one woke


class DeadlineExceeded(Exception):
    """What the task waited for did not come in time."""


class Cancelled(BaseException):
    """The task is to end: its client has gone, or the process stops."""


# Called at an edge that is no hang-up; returns the task's new deadline, or one of these.
Taker = Callable[[], float]
AWAKE = 0.0  # the task has to go on itself
ASLEEP = -1.0  # there was nothing; the deadline stays


class Task:
    """One running coroutine, started by `Loop.spawn`."""

    __slots__ = ("_send", "_throw", "cancelled", "deadline", "ended", "loop")

    def __init__(self, loop: "Loop", body: Coroutine[Any, Any, None]) -> None:
        self.loop = loop
        self.deadline = FOREVER  # of the wait it is in
        self.cancelled = False
        self.ended = False
        self._send = body.send
        self._throw = body.throw

    def cancel(self) -> None:
        """Raise `Cancelled` where the task waits, after the events at hand; once in its life.

        Once, so that a task which is already cleaning up behind itself is left to it.
        """
        if not self.cancelled:
            self.cancelled = True
            self.loop.ready.append((self, Cancelled()))

    def hurry(self, deadline: float) -> None:
        """Let the wait that the task is in end by `deadline`, if it would end later."""
        if deadline < self.deadline:
            self.deadline = deadline
            self.loop.sweep_at = min(self.loop.sweep_at, deadline)

    def resume(self, exception: BaseException | None = None) -> None:
        """Run until the next wait.  Only the loop calls this, never a task."""
        self.loop.current = self
        try:
            if exception is None:
                self._send(None)
            else:
                self._throw(exception)
        except (StopIteration, Cancelled):
            self._end()
        except Exception as error:
            self._end()
            self.loop.report(error)

    def _end(self) -> None:
        self.ended = True
        self.loop.tasks.discard(self)


class Port:
    """A descriptor that tasks wait for: at most one to read and one to write.

    The descriptor stays its owner's, who calls `close` before closing it.
    """

    __slots__ = (
        "_eager",
        "_interest",
        "_loop",
        "_reader",
        "_taker",
        "_writer",
        "can_read",
        "fd",
        "hung_up",
        "on_hangup",
    )

    def __init__(self, loop: "Loop", fd: int) -> None:
        self.fd = fd
        self.can_read = True  # unknown is yes: the first try will tell
        self.hung_up = False  # an edge said so; a read tells whether it is true
        self.on_hangup: Callable[[], None] | None = None
        self._loop = loop
        self._eager = 0  # reads since the last wait
        self._interest = 0
        self._reader: Task | None = None
        self._taker: Taker | None = None
        self._writer: Task | None = None

    @coroutine
    def readable(self, deadline: float, taker: Taker | None = None) -> Generator[None, None, None]:
        """Wait until there is something to read, or the end.

        Who finds something time and again without a wait lets the others run in between: a client
        that sends faster than it is answered would otherwise have the loop for itself.

        A `taker` is called first, and may spare the task the waking (0.5 µs).
        """
        loop = self._loop
        if self.can_read:
            self._eager += 1
            if self._eager == _EAGER_READS:
                self._eager = 0
                loop.rested.append((loop.current, None))
                yield
            return
        self._eager = 0
        if not self._interest:
            self.watch()
        task = self._reader = loop.current
        self._taker = taker
        task.deadline = deadline
        if deadline < loop.sweep_at:
            loop.sweep_at = deadline
        try:
            yield
        finally:
            self._reader = self._taker = None
            task.deadline = FOREVER

    @coroutine
    def writable(self, deadline: float) -> Generator[None, None, None]:
        """Wait until there is room to write after EAGAIN, or nobody to write to."""
        if self._interest != _WATCH_BOTH:
            self._set_interest(_WATCH_BOTH)
        self._writer = self._loop.current
        try:
            yield from self._loop.pause(deadline)
        finally:
            self._writer = None

    def watch(self) -> None:
        """Register, so that a hang-up is noticed though nobody reads."""
        if not self._interest:
            self._set_interest(_WATCH_READ)

    def close(self) -> None:
        """Forget the descriptor; the kernel forgets it by itself once it is closed."""
        if self._interest:
            del self._loop.watchers[self.fd]
            self._interest = 0

    def release(self) -> None:
        """Forget the descriptor, which stays open; so the kernel has to be told, too."""
        if self._interest:
            self._loop.epoll.unregister(self.fd)
        self.close()

    def _set_interest(self, interest: int) -> None:
        loop = self._loop
        if self._interest:
            loop.epoll.modify(self.fd, interest)
        else:
            loop.epoll.register(self.fd, interest)
            loop.watchers[self.fd] = self._notify
        self._interest = interest

    def _notify(self, events: int) -> None:
        if events == _IN and self._taker is not None and self._reader is not None:
            deadline = self._taker()
            if deadline > AWAKE:
                self._reader.deadline = deadline
            elif deadline == AWAKE:
                self._reader.resume()
            return
        if events & _READ:
            self.can_read = True
            if events & _HANGUP:
                self._hang_up()
            if self._reader is not None:
                self._reader.resume()
        if events & _WRITE and self._writer is not None:
            self._writer.resume()

    def _hang_up(self) -> None:
        self.hung_up = True
        if self.on_hangup is not None:
            self.on_hangup()


class Loop:
    """The loop of one process.

    clock: seconds that never go back; report: told of exceptions that no task caught.
    `now` is the clock at the start of the current turn; `turns` counts them: who finds the same
    number as before has not waited in between.  `crowded` counts the full ones since one was not.
    """

    def __init__(
        self,
        *,
        report: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoll = select.epoll()
        self.watchers: dict[int, Callable[[int], None]] = {}
        self.ready: deque[tuple[Task, BaseException | None]] = deque()
        self.rested: list[tuple[Task, None]] = []  # ready after the others have had a turn
        self.tasks: set[Task] = set()
        self.report = report
        self.now = clock()
        self.turns = self.crowded = 0
        self.sweep_at = FOREVER
        self.current: Task  # set while one runs
        self._clock = clock

    def spawn(self, body: Coroutine[Any, Any, None]) -> Task:
        """Start a task; it runs first after the events at hand."""
        task = Task(self, body)
        self.tasks.add(task)
        self.ready.append((task, None))
        return task

    def start(self, body: Coroutine[Any, Any, None]) -> None:
        """Start a task and run it to its first wait at once: only from a watcher, never a task."""
        task = Task(self, body)
        self.tasks.add(task)
        task.resume()

    def watch(self, fd: int, callback: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        """Call `callback(events)` whenever the descriptor is ready (level-triggered)."""
        self.epoll.register(fd, events)
        self.watchers[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Stop calling back; before the descriptor is closed."""
        self.epoll.unregister(fd)
        del self.watchers[fd]

    @coroutine
    def pause(self, deadline: float) -> Generator[None, None, None]:
        """Wait until somebody resumes the calling task; raises DeadlineExceeded."""
        task = self.current
        task.deadline = deadline
        if deadline < self.sweep_at:
            self.sweep_at = deadline
        try:
            yield
        finally:
            task.deadline = FOREVER

    async def sleep(self, until: float) -> None:
        """Wait for a moment."""
        with contextlib.suppress(DeadlineExceeded):
            while self.now < until:
                await self.pause(until)

    async def yield_turn(self) -> None:
        """Let everybody else run: for a task that always finds more to do."""
        self.rested.append((self.current, None))
        await self.pause(FOREVER)

    def turn(self, longest: float) -> None:
        """Wait for events at most `longest` seconds and run whoever they wake, and whoever that
        wakes, until all wait or have yielded their turn.
        """
        events = self.epoll.poll(self._patience(longest), _EVENTS_PER_TURN)
        self.now = self._clock()
        self.turns += 1
        self.crowded = self.crowded + 1 if len(events) == _EVENTS_PER_TURN else 0
        if self.rested:
            self.ready.extend(self.rested)
            self.rested.clear()
        for fd, flags in events:
            watcher = self.watchers.get(fd)
            if watcher is not None:  # else closed earlier in this batch
                watcher(flags)
        while self.ready:
            task, exception = self.ready.popleft()
            if not task.ended:
                task.resume(exception)
        if self.now >= self.sweep_at:
            self._sweep()

    def close(self) -> None:
        self.epoll.close()

    def _patience(self, longest: float) -> float:
        if self.ready or self.rested:
            return 0.0
        # Half a millisecond more, or epoll's rounding wakes us just before the deadline.
        return max(0.0, min(longest, self.sweep_at - self._clock() + 0.0005))

    def _sweep(self) -> None:
        now = self.now
        for task in [task for task in self.tasks if task.deadline <= now]:
            if task.deadline <= now and not task.ended:
                task.resume(DeadlineExceeded())
        earliest = min((task.deadline for task in self.tasks), default=FOREVER)
        soonest = now + SWEEP_DELAY + SWEEP_DELAY_PER_TASK * len(self.tasks)
        self.sweep_at = max(earliest, soonest) if earliest < FOREVER else FOREVER
