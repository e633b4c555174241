"""Adopted processes: found by either way, and ended."""

import os
import subprocess
import sys

from forkhttpd.master import orphans
from tests.master.live import DEADLINE, ROOT, environment


def test_children_are_found_with_and_without_the_kernels_list() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as one, subprocess.Popen(["/bin/cat"], stdin=-1):
        assert set(orphans._listed()) == set(orphans._searched()) >= {one.pid}
        assert os.getpid() not in orphans.children()
        one.kill()


ADOPT = """
import os, signal
from forkhttpd.master import orphans
orphans.adopt()
known = os.fork()
if known == 0:
    signal.pause()
read_end, write_end = os.pipe()
if os.fork() == 0:  # what a dead spawner was: its program lives on, and has one of its own
    if os.fork() == 0:
        os.setsid()
        os.fork()
        os.write(write_end, b"x")
        signal.pause()
    os._exit(0)
while len(os.read(read_end, 1)) + len(os.read(read_end, 1)) < 2:
    pass
rounds = 0
while orphans.kill_all({known}):
    rounds += 1
    while os.waitpid(-1, os.WNOHANG)[0]:
        pass
os.kill(known, 0)
print(orphans.children() == [known])
os.kill(known, signal.SIGKILL)
"""


def test_M2_every_adopted_process_is_ended_and_no_other() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ADOPT],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
        env=environment(),
        cwd=ROOT,
    )
    assert done.stdout == "True\n"
