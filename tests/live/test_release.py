"""M20: an upgrade to other code and to another configuration, right and wrong ones."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import forkhttpd
from tests.live.daemon import DEADLINE, SITE, wait_for
from tests.live.listening import listening_inode
from tests.live.masters import Masters, masters
from tests.live.scene import processes_with

# New code.


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the package that can be changed."""
    package = tmp_path / "release" / "forkhttpd"
    shutil.copytree(
        Path(forkhttpd.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return package


@pytest.fixture
def released(release: Path) -> Iterator[Masters]:
    """A daemon that runs from the copy."""
    env = {"PYTHONPATH": str(release.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    with masters(env=env) as followed:
        followed.running.write("www/page", "page")
        yield followed


def change(module: Path, old: str, new: str) -> None:
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new))


def test_M20_the_code_on_disk_is_what_serves_then(release: Path, released: Masters) -> None:
    change(release / "__init__.py", f'"{forkhttpd.__version__}"', '"9.9.9"')
    pid = released.upgrade()
    assert f"master[{pid}]: forkhttpd 9.9.9 takes over" in released.running.log
    assert released.running.get("/page").text == "page"
    released.signal(signal.SIGHUP)
    released.running.await_log(f"master[{pid}]: reloaded: ")


@pytest.mark.parametrize(
    ("module", "text", "reason"),
    [
        ("cli.py", "import half_an_installation\n", "No module named 'half_an_installation'"),
        ("http1/parser.py", "def broken(:\n", "SyntaxError: invalid syntax"),
        ("worker/worker.py", "def run_worker(_): raise ValueError('bad')\n", "ValueError: bad"),
    ],
)
def test_M20_broken_code_changes_nothing_and_says_why(
    release: Path, released: Masters, module: str, text: str, reason: str
) -> None:
    whole = (release / module).read_text()
    inode, pid = listening_inode(released.running.port), released.pid
    with open(release / module, "a") as file:
        file.write(text)
    assert reason in released.refusal()
    assert released.pid == pid
    assert listening_inode(released.running.port) == inode
    assert released.running.get("/page").text == "page"
    errors = [x for x in released.running.log.splitlines() if " error master[" in x]
    assert len(errors) == 1
    (release / module).write_text(whole)
    released.upgrade()
    assert released.running.get("/page").text == "page"


def test_M20_a_new_master_that_is_killed_while_it_starts_changes_nothing(
    release: Path, released: Masters
) -> None:
    with open(release / "cli.py", "a") as file:
        file.write("import time\ntime.sleep(3600)\n")
    released.signal(signal.SIGUSR2)
    (sleeper,) = wait_for(lambda: successors(release), "the new master")
    os.kill(sleeper, signal.SIGKILL)
    released.running.await_log("upgrade refused, nothing changed: new master (pid ")
    assert "died: SIGKILL" in released.refusals()[-1]
    assert released.running.get("/page").text == "page"


def successors(release: Path) -> list[int]:
    """Return the pids of new masters that run from a release, as long as they start."""
    there = processes_with(str(release.parent))
    return [pid for pid in processes_with("forkhttpd/word") if pid in there]


def test_M20_a_stop_ends_a_new_master_that_hangs_in_its_start(
    release: Path, released: Masters
) -> None:
    with open(release / "cli.py", "a") as file:
        file.write("import time\ntime.sleep(3600)\n")
    released.signal(signal.SIGUSR2)
    wait_for(lambda: successors(release), "the new master")
    released.signal(signal.SIGQUIT)
    assert released.running.process.wait(DEADLINE) == 0
    assert released.everybody() == []


# New configuration.


def test_M20_the_file_as_it_is_now_is_taken_up() -> None:
    with masters() as followed:
        running = followed.running
        running.write("www/page", "old")
        running.write("new/page", "new")
        inode, port = listening_inode(running.port), running.port
        running.configure(SITE.replace('docroot = "www"', 'docroot = "new"'))
        followed.upgrade()
        followed.await_alone()
        assert running.get("/page").text == "new"
        assert listening_inode(port) == inode
        assert [int(x) for x in re.findall(r"127\.0\.0\.1:(\d+)/", running.log)] == [port] * 2


def test_M20_a_broken_file_changes_nothing_and_the_line_is_told() -> None:
    with masters() as followed:
        followed.running.write("www/page", "page")
        followed.running.configure(SITE.replace("workers = 2", "workers = none"))
        assert "forkhttpd.conf:1:" in followed.refusal()
        assert followed.running.get("/page").text == "page"
        followed.running.configure(SITE)
        followed.upgrade()
        assert followed.running.get("/page").text == "page"
