"""CPU time is counted whatever becomes of the processes that used it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.benchmark.meter import (
    PROCESS_TREE,
    Accounting,
    Meter,
    best_accounting,
    cgroup_accountings,
    closing_meter,
    kill_all,
    parse_cpu_stat,
)
from scripts.benchmark.processtree import all_processes

_BURNER = Path(__file__).with_name("burner.py")
# The burner's own part, its interpreter's forks and waits, comes on top of what its children tell.
_OVERHEAD = 1.5


@contextmanager
def _burner(meter: Meter, fate: str) -> Iterator[subprocess.Popen[str]]:
    command = meter.command([sys.executable, "-S", "-E", str(_BURNER), fate])
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            kill_all(meter.members(process.pid))


def _say(process: subprocess.Popen[str], word: str) -> str:
    """Say a word to the burner, if any, and give its next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    if word:
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def _metered_and_true(accounting: Accounting, fate: str) -> tuple[float, float]:
    """Seconds that the meter saw, and that the burner's children say they used."""
    meter = accounting.meter(f"test-{fate}")
    with closing_meter(meter), _burner(meter, fate) as process:
        assert _say(process, "") == "ready"
        before = meter.seconds(process.pid)
        used = float(_say(process, "burn"))
        return meter.seconds(process.pid) - before, used


@pytest.fixture(scope="module")
def cgroups() -> Accounting:
    accounting = best_accounting()
    if accounting is PROCESS_TREE:
        pytest.skip("no cgroup can be made here: no rights, or no cgroup that counts CPU time")
    return accounting


@pytest.mark.parametrize("fate", ["plain", "orphans"])
def test_the_process_tree_counts_children_that_came_and_went(fate: str) -> None:
    metered, used = _metered_and_true(PROCESS_TREE, fate)
    assert used * 0.9 < metered < used * _OVERHEAD


def test_the_process_tree_misses_children_that_nobody_waits_for() -> None:
    metered, used = _metered_and_true(PROCESS_TREE, "ignored")
    assert metered < used / 2
    meter = PROCESS_TREE.meter("x")
    with closing_meter(meter):
        assert not meter.counts_unreaped


@pytest.mark.parametrize("fate", ["plain", "orphans", "ignored"])
def test_a_cgroup_counts_all_children(cgroups: Accounting, fate: str) -> None:
    metered, used = _metered_and_true(cgroups, fate)
    assert used * 0.9 < metered < used * _OVERHEAD


def test_a_closed_cgroup_leaves_nothing_behind(cgroups: Accounting) -> None:
    assert cgroups.parent is not None
    meter = cgroups.meter("test-closed")
    made = [path for path in cgroups.parent.iterdir() if path.name.endswith("test-closed")]
    assert len(made) == 1
    meter.close()
    meter.close()
    assert not made[0].exists()


def test_only_the_processes_meant_are_killed() -> None:
    with subprocess.Popen(["/bin/sleep", "100"]) as process:
        alive = [found for found in all_processes() if found.pid == process.pid]
        other = [type(found)(found.pid, found.parent, found.started + 1, 0) for found in alive]
        kill_all(other)  # the same number, but another process
        assert process.poll() is None
        kill_all(alive)
        assert process.wait() == -9


def test_cpu_stat_is_read_in_seconds() -> None:
    assert parse_cpu_stat("usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n") == 1.5
    with pytest.raises(KeyError):
        parse_cpu_stat("nr_periods 0\n")


def test_cgroups_are_found_where_they_are_mounted() -> None:
    unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
    found = list(cgroup_accountings(unified, "0::/user.slice/shell.scope\n"))
    assert found == [Accounting("cgroup v2", Path("/sys/fs/cgroup/user.slice/shell.scope"))]


def test_version_1_cgroups_are_found_by_their_controller() -> None:
    mounts = (
        "proc /proc proc rw 0 0\n"
        "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
        "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
    )
    found = list(cgroup_accountings(mounts, "4:memory:/m\n3:cpu,cpuacct:/a\n1:name=systemd:/s\n"))
    assert found == [Accounting("cgroup v1", Path("/sys/fs/cgroup/cpu,cpuacct/a"))]


def test_without_cgroups_none_are_found() -> None:
    assert list(cgroup_accountings("proc /proc proc rw 0 0\n", "")) == []
