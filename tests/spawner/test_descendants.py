"""Finding what programs leave behind, among children of this very process."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.spawner import descendants
from forkhttpd.spawner.descendants import Descendants
from forkhttpd.spawner.peer import Peer
from forkhttpd.spawner.program import Program, Request
from forkhttpd.spawner.protocol import Start
from tests.spawner.driver import children_of
from tests.spawner.worker import wait_until

NAME = b"descendants-1"
MARKER = b"UNIQUE_ID=" + NAME


class Sleepers:
    """Starts programs that sleep, and reaps them all."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def start(self, env: dict[bytes, bytes], *, setsid: bool = True) -> int:
        pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], env, setsid=setsid)
        self.pids.append(pid)
        wait_until(lambda: has_settled(pid), "its execve to be over")
        return pid

    def has_ended(self, pid: int) -> bool:
        """Whether it has, though it is not reaped."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, pid, options) is not None

    def reap(self, pid: int) -> None:
        self.pids.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def has_settled(pid: int) -> bool:
    """Whether it has its environment: posix_spawn returns a little earlier."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[51 - 3] != "0"


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    sleepers = Sleepers()
    yield sleepers
    for pid in list(sleepers.pids):
        sleepers.reap(pid)


@pytest.fixture
def ended() -> Iterator[Program]:
    """A program that has ended: the last pid there can be, so that nobody has its session."""
    with socket.socket() as end:
        start = Start(1, (b"/bin/true",), {b"A": b"1", b"UNIQUE_ID": NAME}, b"/", False)
        yield Program(Request(Peer(end), start, spool=None), pid=(1 << 22) - 1, cgroup=None)


def test_the_long_way_finds_the_children_that_the_kernel_lists(sleepers: Sleepers) -> None:
    pid = sleepers.start({})
    found = descendants._scan_children()
    assert pid in found
    assert sorted(found) == sorted(children_of(os.getpid()))


def test_a_sweep_kills_those_that_bear_the_mark_and_no_other(
    sleepers: Sleepers, ended: Program
) -> None:
    marked = sleepers.start({b"A": b"1", b"UNIQUE_ID": b"descendants-1"})
    others = [
        sleepers.start({}),
        sleepers.start({b"UNIQUE_ID": b"descendants-10"}),
        sleepers.start({b"X": MARKER}),
    ]
    spared = sleepers.start({b"UNIQUE_ID": b"descendants-1"})
    everything = Descendants()
    everything.condemn(ended)
    everything.sweep({spared})
    wait_until(lambda: sleepers.has_ended(marked), "the end of the marked one")
    assert everything.pending
    assert not any(sleepers.has_ended(pid) for pid in (*others, spared))


def test_one_that_is_ending_keeps_the_sweeps_going_until_it_is_reaped(
    sleepers: Sleepers, ended: Program
) -> None:
    """A zombie shows no environment; what it leaves may become ours only with its end."""
    zombie = sleepers.start({b"UNIQUE_ID": b"descendants-1"})
    everything = Descendants()
    everything.condemn(ended)
    os.kill(zombie, signal.SIGKILL)
    wait_until(lambda: sleepers.has_ended(zombie), "a zombie")
    everything.sweep(())
    assert everything.pending
    sleepers.reap(zombie)
    everything.sweep(())
    assert not everything.pending


def test_a_child_with_no_environment_at_all_does_not_keep_the_sweeps_going(
    sleepers: Sleepers, ended: Program
) -> None:
    pid = sleepers.start({})
    everything = Descendants()
    everything.condemn(ended)
    everything.sweep(())
    assert not everything.pending
    assert not sleepers.has_ended(pid)


def test_a_session_is_a_mark_until_its_number_is_given_out_again(
    sleepers: Sleepers, ended: Program
) -> None:
    ended.pid = os.getsid(0)
    pid = sleepers.start({}, setsid=False)
    everything = Descendants()
    everything.condemn(ended)
    everything.spare_session(ended.pid)
    everything.sweep(())
    assert not sleepers.has_ended(pid)
    everything.condemn(ended)
    everything.sweep(set(children_of(os.getpid())) - {pid})
    wait_until(lambda: sleepers.has_ended(pid), "its end")
