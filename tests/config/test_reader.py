"""A file is read by a child: what it finds comes over, whatever becomes of it (M7, O2)."""

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from forkhttpd.config import examination
from forkhttpd.config.load import load
from forkhttpd.config.reader import Failed, Reader
from forkhttpd.config.reading import Reading
from forkhttpd.errors import ConfigError, ExitCode, StartupError
from tests.config.files import LISTEN, WHOLE, write

PATIENCE = 60.0  # seconds


def read(file: Path, *, patience: float = PATIENCE, last: Reading | None = None) -> Reading:
    return Reader(file, allow_root=True, last=last).result(patience=patience)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "www").mkdir()
    return write(tmp_path, WHOLE)


def test_the_configuration_comes_over_with_its_warnings(file: Path) -> None:
    file.write_text(f'{WHOLE}[[site.mount]]\npath = "/cgi-bin/"\ncgi = "www"\n')
    expected = examination.accept(file, allow_root=True)
    assert any("is in" in warning for warning in expected.warnings)
    assert read(file) == expected
    assert expected.config == load(file)


def test_a_file_that_says_the_same_is_not_parsed_again(file: Path) -> None:
    """What it came to before would be something else if it were."""
    before = read(file)
    other = replace(before, config=replace(before.config, server="as it was"))
    assert read(file, last=other) == other
    file.write_text(f"{file.read_text()}\n")
    assert read(file, last=other).config == before.config


def test_what_the_machine_says_is_asked_each_time(file: Path) -> None:
    before = read(file)
    (file.parent / "www").rmdir()
    with pytest.raises(ConfigError, match="docroot"):
        read(file, last=before)


def test_a_value_that_only_compares_equal_is_another_one(file: Path) -> None:
    file.write_text(f"workers = 1\n{WHOLE}")
    before = read(file)
    file.write_text(f"workers = true\n{WHOLE}")
    with pytest.raises(ConfigError, match="workers"):
        read(file, last=before)


def test_one_that_a_pipe_does_not_hold_comes_over(file: Path) -> None:
    names = ", ".join(f'"host-{number}.example.org"' for number in range(10_000))
    file.write_text(f"{LISTEN}[[site]]\nnames = [{names}]\n[[site.mount]]\ndocroot = 'www'\n")
    config = read(file).config
    assert len(config.site[0].names) == 10_000


@pytest.mark.parametrize(
    "wrong", ["workers = 0\nuser = 1\n", "[", 'pid_file = "/nowhere/pid"\ncontrol_socket = "n/s"\n']
)
def test_every_problem_comes_over(file: Path, wrong: str) -> None:
    file.write_text(wrong + WHOLE)
    with pytest.raises(ConfigError) as here:
        examination.accept(file, allow_root=True)
    with pytest.raises(ConfigError) as there:
        read(file)
    assert there.value.problems == here.value.problems
    assert str(there.value) == str(here.value)


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let a reader do something else than read."""

    def put(do: Callable[[], object]) -> None:
        monkeypatch.setattr(examination, "accept", lambda *_arguments, **_keywords: do())

    return put


def test_a_bug_comes_over_with_its_traceback(
    file: Path, instead: Callable[[Callable[[], object]], None]
) -> None:
    def divide() -> float:
        return 1 / 0

    instead(divide)
    with pytest.raises(Failed, match="ZeroDivisionError: division by zero") as failed:
        read(file)
    assert "return 1 / 0" in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended by SIGKILL"),
        (lambda: os._exit(3), "ended with exit code 3"),
    ],
)
def test_a_reader_that_ends_early_is_told_of(
    file: Path,
    instead: Callable[[Callable[[], object]], None],
    end: Callable[[], object],
    words: str,
) -> None:
    instead(end)
    with pytest.raises(StartupError, match=words) as died:
        read(file)
    assert died.value.exit_code is ExitCode.OSERR


def test_a_reader_that_takes_too_long_is_ended(
    file: Path, instead: Callable[[Callable[[], object]], None]
) -> None:
    instead(signal.pause)
    before = children()
    with pytest.raises(StartupError, match="takes too long"):
        read(file, patience=0.0)
    assert children() <= before


def children() -> set[int]:
    """Return ours, also those that are dead and were not waited for."""
    return {child.pid for child in psutil.Process().children()}


def test_it_has_no_descriptor_of_ours(
    file: Path, instead: Callable[[Callable[[], object]], None]
) -> None:
    with file.open() as ours:
        instead(lambda: os.stat(ours.fileno()))
        with pytest.raises(Failed, match="Bad file descriptor"):
            read(file)


SCRIPT = """
import sys
from pathlib import Path
from forkhttpd.config.reader import Reader

config = Reader(Path(sys.argv[1]), allow_root=True).result(patience=60.0).config
print(len(config.site), *(name for name in sys.modules if name.startswith("pydantic")))
"""


def test_who_has_it_read_has_no_pydantic(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, file], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
