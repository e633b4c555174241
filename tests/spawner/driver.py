"""Drives a spawner alone: plays the master that starts it, beside tests.spawner.worker.

Nothing is faked: the spawner is forked and exec'd through `forkhttpd.bundle`, as the master does
it, under any interpreter and as any user, and spoken to over real channels.
"""

import ctypes
import itertools
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from forkhttpd import bundle, channel
from forkhttpd.census import Census
from forkhttpd.config import Address, Config, Listen, Mount, Pool, Site, Timeouts
from forkhttpd.errors import StartupError
from forkhttpd.inheritance import Door, Inheritance, Role
from forkhttpd.scoreboard import Cell, Scoreboard, SlotState
from tests.config.files import table
from tests.spawner.interpreters import call, uncover
from tests.spawner.worker import PATIENCE, Worker, wait_until

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_tokens = itertools.count(1)
bundle.compiled()  # once, before any fork, as a master does it


class Driver:
    """One spawner with its master's side; a context manager that leaves nothing behind.

    warm: what pools are unless they say it; each test runs with either (see conftest).
    """

    warm = False

    def __init__(
        self,
        python: str,
        *,
        user: str = "",
        graceful: str = "5s",
        bell: int | None = None,
        **pool: object,
    ) -> None:
        self.token = f"driver-{os.getpid()}-{next(_tokens)}"
        pool.setdefault("warm", Driver.warm)
        keys = {"python": python, "user": user, **pool}
        self.config = _config(table(Pool, keys), table(Timeouts, {"graceful": graceful}))
        self.scoreboard = Scoreboard.create()
        self.slot = self.scoreboard.slot(3)
        self.error_log = os.memfd_create("error-log", os.MFD_CLOEXEC)
        self.bell = bell or os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.lifeline_reading, self.lifeline = os.pipe()
        self.control, self._control_inside = channel.pair()
        self.door = Door(*channel.pair())
        self.workers: list[Worker] = []
        self.status: int | None = None
        self.pid = self._fork()

    def _fork(self) -> int:
        """Fork with the signals blocked, as they are in a master."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGQUIT])
        try:
            pid = os.fork()
            if pid == 0:
                self._become_spawner()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return pid

    def _become_spawner(self) -> NoReturn:
        try:
            pool = self.config.pool["default"]
            if os.geteuid() == 0 and pool.user:
                uncover(Path(pool.python))
            bundle.exec_spawner(self._inheritance())
        except StartupError as error:  # which a master would have logged
            os.write(self.error_log, f"{error}\n".encode())
            os._exit(error.exit_code)
        finally:
            os._exit(99)

    def _inheritance(self) -> Inheritance:
        return Inheritance(
            role=Role.SPAWNER,
            name="default",
            number=1,
            generation=7,
            config=self.config,
            slot=self.slot,
            scoreboard=self.scoreboard,
            census=Census(),
            lifeline=self.lifeline_reading,
            bell=self.bell,
            control=self._control_inside,
            listeners=(),
            doors={"default": self.door},
            access_log=-1,
            error_log=self.error_log,
        )

    def __enter__(self) -> "Driver":
        try:
            wait_until(self._is_ready_or_gone, "READY")
            assert self.status is None, f"exit {self.exit_code()}: {self.log()}"
            select.select([self.bell], [], [], PATIENCE)  # which rings after the state has changed
            assert int.from_bytes(os.read(self.bell, 8), "little") == 1
        except BaseException:
            self.__exit__()
            raise
        return self

    def _is_ready_or_gone(self) -> bool:
        return self.slot.get(Cell.STATE) == SlotState.READY or self._has_gone()

    def respawn(self) -> None:
        """Start another spawner in the place of the one that has gone."""
        assert self.status is not None
        self.status = None
        self.slot.clear()
        self.pid = self._fork()
        wait_until(self._is_ready_or_gone, "READY")

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.channel.fileno() >= 0:
                worker.close()
        with suppress(ProcessLookupError):
            if self.status is None:
                os.kill(self.pid, signal.SIGKILL)
        try:
            wait_until(self._has_gone, "the spawner's end")
        finally:
            self._close()
            for pid in self.orphans():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _close(self) -> None:
        channel.close_all([self.error_log, self.bell, self.lifeline_reading])
        self.hang_up_lifeline()
        os.close(self.scoreboard.fd)
        for end in (self.control, self._control_inside, self.door.inside, self.door.outside):
            end.close()

    def worker(self) -> Worker:
        """Connect one more worker."""
        worker = Worker(self.door.outside, f"{self.token}-{len(self.workers)}")
        self.workers.append(worker)
        return worker

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def hang_up_lifeline(self) -> None:
        """Die, as a master does."""
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1

    def exit_code(self, *, seconds: float = PATIENCE) -> int:
        """Wait for the spawner's end; the exit code is negative for a signal."""
        wait_until(self._has_gone, "the spawner's end", seconds=seconds)
        assert self.status is not None
        return os.waitstatus_to_exitcode(self.status)

    def _has_gone(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def log(self) -> str:
        """Return the error log."""
        size = os.fstat(self.error_log).st_size
        return os.pread(self.error_log, size, 0).decode()

    def cells(self, *cells: Cell) -> tuple[int, ...]:
        return tuple(self.slot.get(cell) for cell in cells)

    def fds(self) -> list[str]:
        """Return what the spawner has open."""
        names = []
        for path in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                names.append(os.readlink(path))
        return sorted(names)

    def children(self) -> list[int]:
        """Return the spawner's children, zombies too."""
        return children_of(self.pid)

    def is_at_rest(self) -> bool:
        """Whether it waits for events, with no child, and so with no scout still to send.

        That it has no child is not enough: it may be about to fork.  It has been asleep all the
        while if it was before and after, and was not woken between.
        """
        before = _sleep_of(self.pid)
        return bool(before and not self.children() and _sleep_of(self.pid) == before)

    def orphans(self) -> list[int]:
        """Return every process of this machine that bears our marker."""
        return list(bearers(f"UNIQUE_ID={self.token}-".encode()))


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _sleep_of(pid: int) -> str:
    """Say which of its sleeps a process is in, "" for none."""
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    asleep = fields["State"].startswith("S")
    return fields["voluntary_ctxt_switches"] if asleep else ""


def bearers(marker: bytes) -> Iterator[int]:
    """Yield the processes whose environment has an entry that begins with `marker`."""
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environ = b"\0" + (directory / "environ").read_bytes()
            if b"\0" + marker in environ:
                yield int(directory.name)


@contextmanager
def adopt_orphans() -> Iterator[None]:
    """Be a child subreaper meanwhile, as the master is for its life."""
    call(_libc.prctl, _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        call(_libc.prctl, _PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _config(pool: Pool, timeouts: Timeouts) -> Config:
    return Config(
        listen=(Listen(address=Address("inet", "127.0.0.1", 0)),),
        site=(Site(mount=(Mount(docroot=Path("/")),)),),
        pool={"default": pool},
        timeouts=timeouts,
    )
