"""A directory served at once: `forkhttpd [--cgi] [PORT]` and `python -m forkhttpd` (O4)."""

import contextlib
import errno
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from forkhttpd import quick
from forkhttpd.cli import main
from forkhttpd.config import Address
from forkhttpd.config.load import load
from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.quick import Wish
from forkhttpd.testing import serve
from tests.live.daemon import DEADLINE, wait_for

COMMAND = [sys.executable, "-m", "forkhttpd"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "hello.txt").write_text("hello")
    (tmp_path / "cgi-bin").mkdir()
    return tmp_path


@pytest.fixture
def both(directory: Path) -> Path:
    """A directory with both that may have programs."""
    (directory / "htbin").mkdir()
    return directory


@dataclass(frozen=True)
class Done:
    """A command's end, in this process: none of these comes so far that anything is started."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    monkeypatch.chdir(directory)

    def run(*arguments: str) -> Done:
        code = main(arguments)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


def script(directory: Path, name: str, content: str, *, mode: int = 0o644) -> None:
    (directory / "cgi-bin" / name).write_text(content)
    (directory / "cgi-bin" / name).chmod(mode)


def get(url: str) -> str:
    with urlopen(url, timeout=DEADLINE) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cgi"],
        ["8001", "--bind", "localhost", "-d", "cgi-bin"],
        ["-b", "::1", "--protocol", "HTTP/1.1", "--cgi"],
    ],
)
def test_O4_printed_as_a_file_it_is_the_same_configuration(
    run: Callable[..., Done], both: Path, arguments: Sequence[str]
) -> None:
    printed = run(*arguments, "-T")
    assert (printed.code, printed.stderr) == (0, "")
    file = both / "site.conf"
    file.write_text(printed.stdout)
    again = run("-c", str(file), "-T")
    assert again.stdout == printed.stdout


def test_O4_the_kept_file_serves_the_same(run: Callable[..., Done], both: Path) -> None:
    wish = Wish(directory=both, host="127.0.0.1", port=0, cgi=True)
    file = both / "site.conf"
    file.write_text(run("--cgi", "0", "-T").stdout)
    assert load(file) == quick.configure(wish)


def test_O4_the_kept_file_is_right_where_one_directory_of_programs_is_missing(
    run: Callable[..., Done], directory: Path
) -> None:
    printed = run("--cgi", "-T")
    file = directory / "site.conf"
    file.write_text(printed.stdout)
    assert run("-c", str(file), "-t", "--allow-root").code == 0
    assert f"forkhttpd: {directory}/htbin is not there" in printed.stderr
    assert [mount.path for mount in load(file).site[0].mount] == ["/", "/cgi-bin/"]


def test_O4_8000_on_loopback_unless_told_otherwise(
    run: Callable[..., Done], directory: Path
) -> None:
    printed = run("--cgi", "-T").stdout
    assert re.findall(r"^address = (\S+)", printed, re.MULTILINE) == ['"127.0.0.1:8000"']


def test_both_kinds_of_address_for_the_one_that_means_both(directory: Path) -> None:
    config = quick.configure(Wish(directory=directory, host="::", port=8000, cgi=False))
    assert [str(one.address) for one in config.listen] == ["[::]:8000", "0.0.0.0:8000"]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["stauts"], "'stauts' is no command and no port; write status, explain, or 0 to 65535"),
        (["70000"], "'70000' is no command and no port"),
        (["cgi-bin"], "'cgi-bin' is no command and no port; a directory stands behind -d"),
        (["reload"], "no port; a running server is told so by -c FILE -s reload"),
        (["--cgi", "-c", "x"], "-c FILE says where and what to serve; leave out the other, or -c"),
        (["--cgi", "-t"], "only with a configuration; make one with -T, and add -c FILE"),
        (["8000", "--daemon"], "only with a configuration"),
        (["-d", "none"], "none: No such file or directory; write a directory that is here"),
        (["-d", "hello.txt"], "hello.txt: Not a directory"),
        (["-b", ":::"], "::: is no address of this machine: Name or service not known; write one"),
        (["-b", "x" * 64], "is no address of this machine: not a name of a host; write one like"),
    ],
)
def test_what_cannot_be_served_exits_64_and_says_why(
    run: Callable[..., Done], directory: Path, arguments: Sequence[str], wrong: str
) -> None:
    done = run(*arguments)
    assert (done.code, done.stdout) == (ExitCode.USAGE, "")
    assert wrong in done.stderr.splitlines()[-1]


def test_a_port_in_use_is_one_clear_line_with_the_next_step(
    run: Callable[..., Done], directory: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("--cgi", str(port))
    assert done.code == ExitCode.UNAVAILABLE
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"forkhttpd: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert last.endswith("choose another port; port 0 is any that is free")


def test_only_who_cannot_have_the_port_is_told_of_another() -> None:
    assert quick.hint(PermissionError(errno.EACCES, "")) == "; port 0 is any that is free"
    assert quick.hint(OSError(errno.EADDRNOTAVAIL, "")) == ""
    assert quick.hint(None) == ""


def test_M16_root_serves_this_machine_only(directory: Path) -> None:
    config = quick.configure(Wish(directory=directory, host="0.0.0.0", port=0, cgi=True))
    assert list(quick.warnings(config, uid=1000)) == []
    with pytest.raises(
        StartupError, match="would run as root; start it as another user"
    ) as refused:
        list(quick.warnings(config, uid=0))
    assert refused.value.exit_code is ExitCode.USAGE


def test_O4_python_scripts_need_no_x_and_what_has_it_runs_by_itself(directory: Path) -> None:
    header = "print('Content-Type: text/plain\\n')\n"
    script(directory, "plain.py", f"import sys\n{header}print(sys.executable)\n")
    script(
        directory,
        "own.py",
        "#!/bin/sh\necho 'Content-Type: text/plain'; echo; echo own\n",
        mode=0o755,
    )
    script(directory, "plain.sh", "#!/bin/sh\n")
    with serve(directory, cgi=True) as server:
        assert get(f"{server.url}cgi-bin/plain.py") == f"{sys.executable}\n"
        assert get(f"{server.url}cgi-bin/own.py") == "own\n"
        with pytest.raises(HTTPError, match="403"):
            get(f"{server.url}cgi-bin/plain.sh")


def test_S11_a_directory_of_programs_that_comes_later_is_one(directory: Path) -> None:
    with serve(directory, cgi=True) as server:
        with pytest.raises(HTTPError, match="404"):
            get(f"{server.url}htbin/x.py")
        (directory / "htbin").mkdir()
        (directory / "htbin/x.py").write_text("print('Content-Type: text/plain\\n\\nran')")
        assert get(f"{server.url}htbin/x.py") == "ran\n"


def test_a_python_script_among_the_files_is_a_file(directory: Path) -> None:
    (directory / "tool.py").write_text("source")
    with serve(directory, cgi=True) as server:
        assert get(f"{server.url}tool.py") == "source"


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "NO_COLOR"])
def test_O4_on_a_terminal_a_coloured_line_a_request_until_an_interrupt(
    directory: Path, *, colour: bool
) -> None:
    main, terminal = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [*COMMAND, "--cgi", "0"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=directory,
        env=env if colour else {**env, "NO_COLOR": "1"},
    )
    os.close(terminal)
    os.set_blocking(main, False)
    said = bytearray()

    def has_said(pattern: str) -> re.Match[str] | None:
        with contextlib.suppress(OSError):  # nothing new, or it has left
            said.extend(os.read(main, 65536))
        return re.search(pattern, said.decode())

    try:
        found = wait_for(lambda: has_said(r"listening on (http://127.0.0.1:\d+/)"), "the address")
        url = found[1] if found else ""
        assert get(f"{url}hello.txt") == "hello"
        with pytest.raises(HTTPError, match="404"):
            get(f"{url}none")
        mark, end = (r"\x1b\[33m", r"\x1b\[0m") if colour else ("", "")
        clock = r"\d\d:\d\d:\d\d"
        wait_for(lambda: has_said(rf"\n{clock} 200 GET /hello.txt  5 bytes, \d+ ms\r\n"), "200")
        wait_for(lambda: has_said(rf"\n{mark}{clock} 404 GET /none  \d+ bytes, \d+ ms{end}"), "404")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == ExitCode.STOPPED
        assert ("\x1b" in said.decode()) is colour
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(main)


def test_the_address_is_the_one_that_was_asked_for(directory: Path) -> None:
    config = quick.configure(Wish(directory=directory, host="localhost", port=1, cgi=False))
    addresses = [one.address for one in config.listen]
    assert addresses in ([Address("inet", "127.0.0.1", 1)], [Address("inet6", "::1", 1)])
