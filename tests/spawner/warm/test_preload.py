"""C17: which modules are there before a script asks, and when nothing is forked any more."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.spawner.driver import Driver
from tests.spawner.interpreters import PYTHON
from tests.spawner.warm.scripts import TELL, Scripts
from tests.spawner.worker import wait_until

WHO = "import sys\nREADY = sys.argv == ['']\n"


@pytest.fixture
def interpreter() -> str:
    return PYTHON


@pytest.fixture
def venv(scripts: Scripts) -> Path:
    """A virtual environment with modules of several characters."""
    venv = scripts.directory / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = next(venv.glob("lib/python*/site-packages"))
    modules = {
        "good": WHO + "import json\nclass Thing: pass\n",
        "thread": WHO + "import threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        "writer": WHO + "print('hello')\n",
        "failing": WHO + "1 / 0\n",
        "opener": WHO + "FILE = open('/dev/null')\n",
        "looker": WHO + "import os\nQUERY = os.environ.get('QUERY_STRING')\n",
        "signals": WHO + "import signal\nsignal.signal(signal.SIGUSR1, print)\n",
        "stream": WHO + "import sys\nOUT = sys.stdout\n",
        "chance": WHO + "import os\nSALT = os.urandom(4)\n",
        "pathfinder": WHO + "import sys\nsys.path.append('/x')\n",
        "exits": WHO + "raise SystemExit(3)\n",
        "dies": WHO + "import os\nos._exit(0)\n",
    }
    for name, text in modules.items():
        (packages / f"{name}.py").write_text(text)
    return venv


def test_C17_modules_that_act_are_not_preloaded_and_the_log_says_so_once(
    scripts: Scripts, venv: Path
) -> None:
    python = str(venv / "bin" / "python")
    acting = {
        "thread": "its import starts a thread, keeps a standard stream",
        "writer": "its import writes",
        "failing": "ZeroDivisionError: division by zero",
        "opener": "its import leaves a file open",
        "looker": "its import reads QUERY_STRING of the environment",
        "signals": "its import changes how signals are taken",
        "stream": "its import keeps a standard stream",
        "chance": "its import asks for urandom",
        "pathfinder": "its import changes the path",
        "exits": "SystemExit: 3",
        "multiprocessing": "its import asks for getcwd, asks for urandom",
        "missing": "ModuleNotFoundError: No module named 'missing'",
    }
    with Driver(python, warm=True, preload=(*acting, "good")) as driver:
        worker = driver.worker()
        wait_until(lambda: "missing" in driver.log(), "the log to say so")
        wait_until(driver.is_at_rest, "the return of the scouts")
        script = scripts.add(
            "script.py",
            "import good, opener, signals, json, sys\n"
            "print(good.READY, opener.READY, signals.READY, good.json is json)\n",
            shebang=f"#!{python}",
        )
        for _ in range(2):
            run = scripts.run(worker, script)
            assert run.output == b"True False False True\n"
        lines = [line.partition(": ")[2] for line in driver.log().splitlines()]
    expected = [f"{name} is not preloaded: {why}" for name, why in acting.items()]
    assert sorted(lines) == sorted(expected)


def test_C17_a_module_that_ends_the_scout_harms_nothing(scripts: Scripts, venv: Path) -> None:
    python = str(venv / "bin" / "python")
    with Driver(python, warm=True, preload=("dies", "good")) as driver:
        wait_until(lambda: "came to nothing" in driver.log(), "the log to say so")
        script = scripts.add("script.py", TELL, shebang=f"#!{python}")
        assert scripts.run(driver.worker(), script).output == b"fork\n"


def test_C16_a_preloaded_module_that_is_changed_is_noticed(scripts: Scripts, venv: Path) -> None:
    python = str(venv / "bin" / "python")
    text = "import good\nprint(good.READY, hasattr(good, 'NEW'))\n"
    script = scripts.add("script.py", text, shebang=f"#!{python}")
    with Driver(python, warm=True, preload=("good",)) as driver:
        worker = driver.worker()
        wait_until(driver.is_at_rest, "the return of the scout")
        assert scripts.run(worker, script).output == b"True False\n"
        module = next(venv.glob("lib/python*/site-packages/good.py"))
        module.write_text(module.read_text() + "NEW = 1\n")
        assert scripts.run(worker, script).output == b"False True\n"


def test_C17_a_module_of_an_archive_is_left_to_the_script(scripts: Scripts, venv: Path) -> None:
    """No change of it would be noticed, for it has no file of its own."""
    python = str(venv / "bin" / "python")
    packages = next(venv.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(packages / "archive.zip", "w") as archive:
        archive.writestr("zipped.py", WHO + "import good\n")
    (packages / "archive.pth").write_text("archive.zip\n")
    with Driver(python, warm=True, preload=("zipped", "good")) as driver:
        wait_until(lambda: "zipped is not preloaded: " in driver.log(), "the log to say so")
        wait_until(driver.is_at_rest, "the return of the scout")
        text = "import zipped, good\nprint(zipped.READY, good.READY)\n"
        script = scripts.add("script.py", text, shebang=f"#!{python}")
        run = scripts.run(driver.worker(), script)
        assert (bytes(run.output), bytes(run.errors)) == (b"False True\n", b"")
        assert driver.log().count("is not preloaded") == 1


def test_C17_auto_preloads_the_library_and_nothing_else(scripts: Scripts, venv: Path) -> None:
    python = str(venv / "bin" / "python")
    text = (
        "import sys, gc\n"
        "if False: import antigravity, this, nowhere, winreg\n"
        "def later(): import colorsys\n"
        "import good, json\n"
        "frozen = gc.get_freeze_count() and json not in gc.get_objects()\n"
        "print(good.READY, frozen, 'colorsys' in sys.modules)\n"
    )
    script = scripts.add("script.py", text, shebang=f"#!{python}")
    with Driver(python, warm=True) as driver:
        worker = driver.worker()
        scripts.wait_until_kept(worker, script, driver)
        assert scripts.run(worker, script).output == b"False True False\n"
        assert driver.log() == ""


def test_C17_logging_is_preloaded_though_it_keeps_the_time(scripts: Scripts) -> None:
    """Which is renewed for each script; half of the library and most frameworks import it."""
    text = "import gc, logging\nprint(any(o is vars(logging) for o in gc.get_objects()))\n"
    script = scripts.add("script.py", text)
    with Driver(PYTHON, warm=True) as driver:
        worker = driver.worker()
        scripts.wait_until_kept(worker, script, driver)
        assert scripts.run(worker, script).output == b"False\n"
        assert driver.log() == ""


def test_C17_of_a_library_module_that_acts_nobody_is_told_who_did_not_ask(
    scripts: Scripts,
) -> None:
    script = scripts.add("script.py", "import wsgiref.handlers\nprint('on')\n")
    with Driver(PYTHON, warm=True) as driver:
        worker = driver.worker()
        scripts.wait_until_kept(worker, script, driver)
        assert scripts.run(worker, script).output == b"on\n"
        assert driver.log() == ""
    with Driver(PYTHON, warm=True, preload=("auto", "wsgiref.handlers")) as driver:
        wait_until(driver.is_at_rest, "the return of the scout")
        assert "wsgiref.handlers is not preloaded: its import reads the environ" in driver.log()


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python of the system's here")
def test_C17_what_debian_changes_in_the_library_is_preloaded(scripts: Scripts) -> None:
    text = "import gc, zoneinfo\nprint(any(o is vars(zoneinfo) for o in gc.get_objects()))\n"
    script = scripts.add("script.py", text, shebang="#!/usr/bin/python3")
    with Driver("/usr/bin/python3", warm=True) as driver:
        worker = driver.worker()
        scripts.wait_until_kept(worker, script, driver)
        assert scripts.run(worker, script).output == b"False\n"
        other = scripts.run(worker, script, env=(b"DEB_PYTHON_INSTALL_LAYOUT=deb",))
        assert other.output == b"True\n", "it is to be read anew"


def test_C17_preload_of_nothing_is_nothing(scripts: Scripts) -> None:
    text = "import gc, json\nprint(any(o is vars(json) for o in gc.get_objects()))\n"
    script = scripts.add("script.py", text)
    with Driver(PYTHON, warm=True, preload=()) as driver:
        scripts.wait_until_kept(driver.worker(), script, driver)
        assert scripts.run(driver.worker(), script).output == b"True\n"


def test_C17_an_interpreter_that_is_replaced_is_not_forked_any_more(
    scripts: Scripts, venv: Path
) -> None:
    python = venv / "bin" / "python"
    script = scripts.add("script.py", TELL, shebang=f"#!{python}")
    with Driver(str(python), warm=True) as driver:
        worker = driver.worker()
        assert scripts.run(worker, script).output == b"fork\n"
        python.unlink()
        python.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
        python.chmod(0o755)
        for _ in range(2):
            assert scripts.run(worker, script).output == b"exec\n"
        (line,) = driver.log().splitlines()
        assert line.endswith("the interpreter has been replaced")


def test_C17_a_site_that_starts_threads_is_not_forked(scripts: Scripts, venv: Path) -> None:
    python = venv / "bin" / "python"
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "starter.pth").write_text("import thread\n")
    script = scripts.add("script.py", TELL, shebang=f"#!{python}")
    with Driver(str(python), warm=True) as driver:
        assert scripts.run(driver.worker(), script).output == b"exec\n"
        (line,) = driver.log().splitlines()
        assert line.endswith("the site-packages of the interpreter start a thread")
