"""What a task waits for that is no descriptor: a result, or a sign.

Both are set by somebody else in the same process, and the waiter goes on after the events at hand.
"""

from typing import Generic, TypeVar

from forkhttpd.loop.kernel import Loop, Task

T = TypeVar("T")


class Future(Generic[T]):
    """A result that one task waits for and somebody else sets, once."""

    __slots__ = ("_loop", "_value", "_waiter")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._value: list[T] = []
        self._waiter: Task | None = None

    @property
    def done(self) -> bool:
        return bool(self._value)

    def set(self, value: T) -> None:
        """Hand over the result; a second one is dropped."""
        if self._value:
            return
        self._value.append(value)
        if self._waiter is not None:
            self._loop.ready.append((self._waiter, None))

    async def wait(self, deadline: float) -> T:
        """Return the result; raises DeadlineExceeded."""
        while not self._value:
            self._waiter = self._loop.current
            try:
                await self._loop.pause(deadline)
            finally:
                self._waiter = None
        return self._value[0]


class Event:
    """Something that happened, perhaps more than once, and that one task looks after."""

    __slots__ = ("_is_set", "_loop", "_waiter")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._is_set = False
        self._waiter: Task | None = None

    def set(self) -> None:
        """Let the waiter go on, now or when it comes to wait."""
        self._is_set = True
        if self._waiter is not None:
            self._loop.ready.append((self._waiter, None))

    async def wait(self, deadline: float) -> None:
        """Wait for the next `set` since the last wait; raises DeadlineExceeded."""
        while not self._is_set:
            self._waiter = self._loop.current
            try:
                await self._loop.pause(deadline)
            finally:
                self._waiter = None
        self._is_set = False
