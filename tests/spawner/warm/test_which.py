"""C17: which programs run in a fork, and what of them is kept; C16: a change is noticed."""

import errno
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.spawner.protocol import How
from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON, find
from tests.spawner.programs import is_alive, wait_output
from tests.spawner.warm.scripts import TELL, Scripts
from tests.spawner.worker import Run, wait_until

NAME = os.path.basename(PYTHON)
BIN = os.path.dirname(PYTHON)


@pytest.fixture
def interpreter() -> str:
    return PYTHON


@pytest.fixture
def warm() -> Iterator[Driver]:
    with Driver(PYTHON, warm=True, kill_grace="500ms") as driver:
        yield driver


def test_C17_a_shebang_that_names_the_interpreter_and_no_more(
    scripts: Scripts, warm: Driver
) -> None:
    worker = warm.worker()
    cases = {
        f"#!{PYTHON}": b"fork\n",
        f"#! \t{PYTHON} \t": b"fork\n",
        f"#!{BIN}/../bin/{NAME}": b"fork\n",
        f"#!/usr/bin/env {NAME}": b"fork\n",
        f"#!{PYTHON} -I": b"exec\n",
        f"#!{PYTHON} -u": b"exec\n",
        f"#!{PYTHON} -O": b"exec\n",
        f"#!/usr/bin/env -S {NAME} -u": b"exec\n",
    }
    for number, (shebang, expected) in enumerate(cases.items()):
        script = scripts.add(f"case{number}.py", TELL, shebang=shebang)
        run = scripts.run(worker, script, env=(f"PATH={BIN}:/usr/bin:/bin".encode(),))
        assert (run.code, bytes(run.output)) == (0, expected), (shebang, run.errors)


def test_C16_what_cannot_be_executed_is_refused_in_the_words_of_execve(
    scripts: Scripts, warm: Driver
) -> None:
    worker = warm.worker()
    assert errno_of(scripts.run(worker, scripts.add("plain.py", TELL, mode=0o644))) == errno.EACCES
    crlf = scripts.add("crlf.py", TELL, shebang=f"#!{PYTHON}\r")
    assert errno_of(scripts.run(worker, crlf)) == errno.ENOENT
    assert errno_of(scripts.run(worker, scripts.add("none.py", TELL, shebang=""))) == errno.ENOEXEC
    script = scripts.add("here.py", TELL)
    run = worker.start(str(script), cwd=scripts.directory / "missing")
    worker.wait(run)
    assert errno_of(run) == errno.ENOENT


def errno_of(run: Run) -> int:
    assert run.refused is not None
    return run.refused.errno


def test_C17_setuid_runs_cold(scripts: Scripts, warm: Driver) -> None:
    for mode in (0o4755, 0o2755):
        run = scripts.run(warm.worker(), scripts.add(f"{mode}.py", TELL, mode=mode))
        assert run.output == b"exec\n"


def test_C17_an_interpreter_of_the_mount_that_is_this_one(scripts: Scripts, warm: Driver) -> None:
    worker = warm.worker()
    script = scripts.add("plain", TELL, shebang="", mode=0o644)
    ways = {(PYTHON, str(script)): b"fork\n", (PYTHON, "-u", str(script)): b"exec\n"}
    other = find("3.13" if sys.version_info[:2] != (3, 13) else "3.11")
    if other:
        ways[other, str(script)] = b"exec\n"
    for argv, expected in ways.items():
        run = worker.start(*argv, cwd=scripts.directory)
        worker.wait(run)
        assert run.output == expected, argv


@pytest.mark.parametrize(
    "entry",
    ["PYTHONPATH=/tmp", "LANG=de_DE.UTF-8", "LC_ALL=C", "LD_LIBRARY_PATH=/x", "TZ=Asia/Tokyo"],
)
def test_C17_what_takes_effect_at_the_start_only_makes_a_script_run_cold(
    scripts: Scripts, warm: Driver, entry: str
) -> None:
    script = scripts.add("script.py", TELL)
    assert scripts.run(warm.worker(), script, env=(entry.encode(),)).output == b"exec\n"
    assert scripts.run(warm.worker(), script).output == b"fork\n"


def test_C17_a_program_that_is_an_archive_runs_as_one(scripts: Scripts, warm: Driver) -> None:
    path = scripts.directory / "archive"
    with open(path, "wb") as file:
        file.write(f"#!{PYTHON}\n".encode())
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", "print('from the archive')")
    path.chmod(0o755)
    run = scripts.run(warm.worker(), path)
    assert run.output == b"from the archive\n"


def test_C17_a_virtual_environment_is_an_interpreter_of_its_own(
    scripts: Scripts, warm: Driver
) -> None:
    venv = scripts.directory / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    text = f"{TELL}print(sys.prefix, sys.executable, sys.path)\n"
    inside = scripts.add("inside.py", text, shebang=f"#!{python}")
    outside = scripts.add("outside.py", text)
    with Driver(python, warm=True) as driver:
        worker = driver.worker()
        forked, other = scripts.run(worker, inside), scripts.run(worker, outside)
    executed = scripts.run(warm.worker(), inside)
    assert forked.output.startswith(b"fork\n%b " % str(venv).encode())
    assert forked.output.replace(b"fork", b"exec") == executed.output
    assert other.output.startswith(b"exec\n")


# What is kept.


def test_C16_a_script_that_is_replaced_is_run_as_it_is(scripts: Scripts, warm: Driver) -> None:
    worker = warm.worker()
    script = scripts.add("script.py", TELL + "print('one')\n")
    scripts.wait_until_kept(worker, script, warm)
    assert scripts.run(worker, script).output == b"fork\none\n"
    before = script.stat()
    script.write_text(script.read_text().replace("one", "two"))
    os.utime(script, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scripts.run(worker, script).output == b"fork\ntwo\n"
    other = scripts.add("other.py", TELL + "print('three')\n")
    other.rename(script)
    assert scripts.run(worker, script).output == b"fork\nthree\n"
    script.write_text("#!/bin/sh\necho shell\n")
    assert scripts.run(worker, script).output == b"shell\n"


def test_C16_a_changed_module_beside_the_script_is_noticed(scripts: Scripts, warm: Driver) -> None:
    worker = warm.worker()
    script = scripts.add("script.py", TELL + "import beside; print(beside.WORD)\n")
    beside = scripts.directory / "beside.py"
    beside.write_text("WORD = 'one'\n")
    scripts.wait_until_kept(worker, script, warm)
    assert scripts.run(worker, script).output == b"fork\none\n"
    beside.write_text("WORD = 'second'\n")
    assert scripts.run(worker, script).output == b"fork\nsecond\n"
    (scripts.directory / "colorsys.py").write_text("WORD = 'mine'\n")
    script.write_text(script.read_text().replace("beside", "colorsys"))
    assert scripts.run(worker, script).output == b"fork\nmine\n"


# As any program.


def test_M2_daemons_of_a_script_that_never_exec_end_with_it(scripts: Scripts, warm: Driver) -> None:
    script = scripts.add(
        "daemon.py",
        "import os, time\n"
        "r, w = os.pipe()\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if not os.fork():\n"
        "        os.write(w, b'%d' % os.getpid())\n"
        "        os.close(1), os.close(2)\n"
        "        time.sleep(300)\n"
        "    os._exit(0)\n"
        "print(os.read(r, 99).decode())\n",
    )
    run = scripts.run(warm.worker(), script)
    wait_until(lambda: not is_alive(int(run.output)), "the daemon's end")
    wait_until(lambda: not warm.children(), "no zombies")


def test_C4_a_script_ends_by_kill_from_its_first_moment_on(scripts: Scripts, warm: Driver) -> None:
    worker = warm.worker()
    script = scripts.add("sleeps.py", "import time\nprint('on', flush=True)\ntime.sleep(300)\n")
    for how, number in ((How.NOW, signal.SIGKILL), (How.GRACEFUL, signal.SIGTERM)):
        for late in (False, True):
            run = worker.start(str(script))
            worker.wait_started(run)
            if late:
                wait_output(worker, run, b"on\n")
            worker.kill(run, how)
            worker.wait(run)
            assert run.code == -number
    assert not warm.log()


def test_what_ps_shows_is_the_script(scripts: Scripts, warm: Driver) -> None:
    worker = warm.worker()
    script = scripts.add(
        "shown.py", "input()\nprint('on', flush=True)\nimport time; time.sleep(300)\n"
    )
    run = worker.start(str(script), stdin=b"\n", env=(b"X=" + b"x" * 20_000,))
    wait_output(worker, run, b"on\n")
    ps = subprocess.run(["ps", "-o", "args=", str(run.pid)], capture_output=True, text=True)
    assert ps.stdout.split() == [PYTHON, str(script)]
    environ = Path(f"/proc/{run.pid}/environ").read_bytes()
    assert environ.startswith(f"UNIQUE_ID={warm.token}-0-{run.id}\0".encode())
    worker.kill(run, How.NOW)
    worker.wait(run)
