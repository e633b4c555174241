"""The PID file: real files, real locks, real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.master.pidfile import claim, holder
from tests.master.live import ROOT, await_that, environment, serving, started

HOLD = """
import sys, time
from pathlib import Path
from forkhttpd.master.pidfile import claim
lock = claim(Path(sys.argv[1]))
lock.write()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pid"


def test_M9_it_is_written_whole_with_its_newline(path: Path) -> None:
    lock = claim(path)
    lock.write()
    assert path.read_text() == f"{os.getpid()}\n"
    lock.remove()
    assert not path.exists()


OWN_PID = pytest.param(f"{os.getpid()}\n", id="our own pid")
STALE = ["", "1\n", "garbage", "99999999999999999999\n", "-1\n", OWN_PID, "0" * 5000]


@pytest.mark.parametrize("text", STALE)
def test_M9_what_a_stale_file_says_does_not_matter(path: Path, text: str) -> None:
    path.write_text(text)
    assert holder(path) is None
    lock = claim(path)
    lock.write()
    assert path.read_text() == f"{os.getpid()}\n"
    lock.remove()


def test_M9_a_link_is_refused_and_what_it_leads_to_is_left(path: Path) -> None:
    other = path.with_suffix(".other")
    path.symlink_to(other)
    for _ in range(2):
        with pytest.raises(StartupError, match="it is a symbolic link; check pid_file"):
            claim(path)
        assert path.is_symlink()
        other.write_text("1\n")


@pytest.mark.parametrize("text", ["workers = 2\n[[listen]]\n", "4711\nmore than a pid"])
def test_M9_somebodys_text_is_not_written_over(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(StartupError, match="has several lines") as caught:
        claim(path)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert path.read_text() == text


def test_M9_a_fifo_or_a_device_is_not_unlinked(path: Path) -> None:
    os.mkfifo(path)
    for other in (path, Path("/dev/null")):
        with pytest.raises(StartupError, match="is no regular file; write another pid_file"):
            claim(other)
        assert other.exists()


def test_M9_a_second_one_is_refused_and_told_who_holds_it(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert holder(path) == other.pid
        with pytest.raises(StartupError) as caught:
            claim(path)
        assert caught.value.exit_code == ExitCode.UNAVAILABLE
        assert f"pid {other.pid} ({sys.executable}" in str(caught.value)
        other.kill()
    assert holder(path) is None
    claim(path).remove()


def test_M9_a_file_that_is_another_one_now_is_left(path: Path) -> None:
    lock = claim(path)
    lock.write()
    path.rename(path.with_suffix(".old"))
    path.write_text("somebody else's\n")
    lock.remove()
    assert path.read_text() == "somebody else's\n"


def test_no_file_has_no_holder(path: Path) -> None:
    assert holder(path) is None


def test_a_locked_file_without_a_pid_has_no_holder_that_could_be_named(path: Path) -> None:
    lock = claim(path)
    assert holder(path) is None
    lock.remove()


def test_a_place_where_it_cannot_be_says_why(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot write the PID file: No such file or directory"):
        claim(tmp_path / "nowhere" / "pid")


def test_M9_live_the_file_names_the_master_and_goes_with_it(tmp_path: Path, path: Path) -> None:
    with serving(tmp_path, pid_file=path) as live:
        assert path.read_text() == f"{live.pid}\n"
        assert holder(path) == live.pid
        inode = path.stat().st_ino
        live.reload(pid_file=path)
        assert path.stat().st_ino == inode
        live.process.terminate()
        assert live.wait() == 0
        assert not path.exists()


def test_M9_live_a_killed_master_frees_it_though_its_children_drain(
    tmp_path: Path, path: Path
) -> None:
    with serving(tmp_path, pid_file=path, manners="deaf deaf") as live:
        children = live.children()
        live.process.kill()
        live.wait()
        assert path.exists()
        await_that(lambda: holder(path) is None)
        assert children


def test_M9_live_a_second_daemon_exits_69(tmp_path: Path, path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with serving(tmp_path / "one", pid_file=path) as first:
        with started(tmp_path / "two", pid_file=path) as second:
            assert second.wait() == 69
            assert f"already running: pid {first.pid} (forkhttpd: master" in second.log()
        assert holder(path) == first.pid
