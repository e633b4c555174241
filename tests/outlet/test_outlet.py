"""Lines go out whole and in order, or are kept, or are counted as lost; nobody waits (M21)."""

import contextlib
import fcntl
import os
import pty
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forkhttpd.outlet import Outlet

LINE = b"x" * 99 + b"\n"
LIMIT = 100_000


class Far:
    """The end of a pipe, socket or terminal that nobody reads until `rest` does."""

    def __init__(self, near: int, far: int) -> None:
        self.near, self.far = near, far
        os.set_blocking(near, False)

    def rest(self, outlet: Outlet) -> bytes:
        """Read until nothing more comes, while the outlet catches up."""
        text = b""
        while True:
            outlet.flush()
            try:
                text += os.read(self.near, 1 << 16)
            except BlockingIOError:
                return text


@contextlib.contextmanager
def pipe() -> Iterator[Far]:
    near, far = os.pipe()
    try:
        yield Far(near, far)
    finally:
        os.close(near)
        os.close(far)


@contextlib.contextmanager
def stream() -> Iterator[Far]:
    near, far = socket.socketpair()
    with near, far:
        yield Far(near.fileno(), far.fileno())


@contextlib.contextmanager
def terminal() -> Iterator[Far]:
    near, far = pty.openpty()
    modes = termios.tcgetattr(far)
    modes[1] &= ~termios.OPOST  # a line end stays one byte
    termios.tcsetattr(far, termios.TCSANOW, modes)
    try:
        yield Far(near, far)
    finally:
        os.close(near)
        os.close(far)


Kind = Callable[[], contextlib.AbstractContextManager[Far]]
KINDS: list[Kind] = [pipe, stream, terminal]


@pytest.mark.parametrize("kind", KINDS)
def test_M21_a_reader_that_has_stopped_loses_the_newest_lines_and_they_are_counted(
    kind: Kind,
) -> None:
    with kind() as end:
        flags = fcntl.fcntl(end.far, fcntl.F_GETFL)
        outlet = Outlet(end.far, limit=LIMIT)
        sent = b"".join(b"%099d\n" % number for number in range(5000))
        for start in range(0, len(sent), 700):
            outlet.write(sent[start : start + 700])
        assert outlet.lost > 0
        text = end.rest(outlet)
        assert not outlet.is_waiting
        numbers = [int(line) for line in text.splitlines()]
        assert numbers == sorted(set(numbers))
        assert numbers[0] == 0
        assert len(numbers) + outlet.lost == 5000
        assert len(text) > LIMIT - 200
        assert fcntl.fcntl(end.far, fcntl.F_GETFL) == flags


@pytest.mark.parametrize("kind", KINDS)
def test_M21_a_reader_that_is_slow_loses_nothing(kind: Kind) -> None:
    with kind() as end:
        outlet = Outlet(end.far, limit=LIMIT)
        sent = b"".join(b"%099d\n" % number for number in range(800))
        outlet.write(sent)
        assert end.rest(outlet) == sent
        assert outlet.lost == 0
        outlet.write(LINE)
        assert end.rest(outlet) == LINE


def test_M21_many_lines_at_once_reach_a_file_whatever_the_limit(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    outlet = Outlet(fd, limit=10)
    outlet.write(LINE * 10_000)
    os.close(fd)
    assert (outlet.lost, outlet.is_waiting) == (0, False)
    assert (tmp_path / "log").read_bytes() == LINE * 10_000


def test_M21_pieces_in_a_pipe_end_with_a_line_so_that_processes_do_not_mix() -> None:
    with pipe() as end:
        outlets = [Outlet(end.far, limit=LIMIT) for _ in range(2)]
        for _ in range(10):
            for letter, outlet in zip((b"a", b"b"), outlets, strict=True):
                outlet.write((letter * 300 + b"\n") * 30)
        text = end.rest(outlets[0]) + end.rest(outlets[1]) + end.rest(outlets[0])
        assert set(text.splitlines()) == {b"a" * 300, b"b" * 300}
        assert text.count(b"\n") == 600


def test_a_line_longer_than_a_page_arrives_whole() -> None:
    with pipe() as end:
        outlet = Outlet(end.far, limit=LIMIT)
        line = b"y" * 30_000 + b"\n"
        outlet.write(line)
        assert end.rest(outlet) == line


def test_without_a_reader_lines_are_lost_and_counted() -> None:
    near, far = os.pipe()
    os.close(near)
    outlet = Outlet(far, limit=LIMIT)
    outlet.write(LINE * 3)
    os.close(far)
    outlet.write(LINE)
    assert (outlet.lost, outlet.is_waiting) == (4, False)


def test_half_a_line_of_a_disk_that_was_full_is_no_beginning_of_another(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the disk: it cuts a write the same way."""
    path = tmp_path / "log"
    script = (
        "import os, resource, signal, sys\n"
        "from forkhttpd.outlet import Outlet\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "outlet = Outlet(fd, limit=1000)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))\n"
        "outlet.write(b'first\\nsecond\\n')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "outlet.write(b'third\\n')\n"
        "print(outlet.lost)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
    assert path.read_text() == "first\nseco\nthird\n"


def test_losses_are_told_once_in_a_while() -> None:
    outlet = Outlet(-1, limit=LIMIT)
    outlet.write(LINE * 5)
    assert outlet.take_loss(100.0) == 5
    outlet.write(LINE * 2)
    assert outlet.take_loss(105.0) == 0
    outlet.write(LINE)
    assert outlet.take_loss(111.0) == 3
    assert outlet.take_loss(200.0) == 0


def test_after_a_fork_each_process_has_its_own_way() -> None:
    with pipe() as end:
        outlet = Outlet(end.far, limit=LIMIT)
        outlet.write(b"parent\n")
        if (pid := os.fork()) == 0:
            outlet.write(b"child\n")
            os._exit(0)
        os.waitpid(pid, 0)
        outlet.write(b"parent\n")
        assert end.rest(outlet) == b"parent\nchild\nparent\n"
