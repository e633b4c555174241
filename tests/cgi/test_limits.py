"""The limits of a pool's programs (C14), on this process's own children."""

import os
import resource
import subprocess
import sys

from forkhttpd.spawner.limits import Allowance, limits_of

NOTHING = {
    "address_space": 0,
    "cpu": 0,
    "open_files": 0,
    "user_processes": 0,
    "file_size": 0,
    "core": 0,
}


def test_C14_zero_leaves_everything_but_core_as_it_is() -> None:
    assert limits_of(**NOTHING) == {resource.RLIMIT_CORE: (0, 0)}


def test_C14_cpu_has_a_warning_before_the_end() -> None:
    soft, hard = limits_of(**{**NOTHING, "cpu": 10})[resource.RLIMIT_CPU]
    assert soft == 10 < hard


def test_C14_a_child_has_its_soft_limits_from_birth_and_ours_come_back() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowance = Allowance({resource.RLIMIT_NOFILE: (50, 60)}, nice=0)
    ask = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    with allowance.lowered():
        born = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True)
    assert born.stdout.split()[0] == b"50"
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_C14_the_hard_limits_follow_by_number() -> None:
    allowance = Allowance({resource.RLIMIT_NOFILE: (50, 60)}, nice=3)
    with subprocess.Popen(["sleep", "300"]) as child:
        allowance.impose(child.pid)
        assert resource.prlimit(child.pid, resource.RLIMIT_NOFILE) == (50, 60)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == 3
        child.kill()
    allowance.impose(child.pid)  # it has ended: nothing is left to do
