"""The command: what it prints, where, and with which exit code (O2)."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd import __version__, commandline
from forkhttpd.errors import ExitCode
from tests.config.files import LISTEN, WHOLE, write

# Tests may run as root; that it has to be allowed then is the business of tests/config.
COMMAND = [sys.executable, "-m", "forkhttpd", "--allow-root"]
DEADLINE = 60.0  # seconds


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "www").mkdir()
    return tmp_path


def run(*arguments: str | Path, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=DEADLINE, cwd=directory
    )


def test_alone_it_says_what_it_can_do_and_exits_64() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forkhttpd"], capture_output=True, text=True, timeout=DEADLINE
    )
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == run("--help").stdout


def test_help_teaches_examples_signals_and_exit_codes() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "forkhttpd -c etc/forkhttpd.conf" in done.stdout
    for option in ("-c FILE", "-t", "-T", "-s SIGNAL", "--daemon", "--allow-root", "--version"):
        assert re.search(rf"(?m)^  {re.escape(option)} ", done.stdout)
    for name in ("HUP", "TERM", "INT, QUIT", "USR1", "USR2", "TTIN, TTOU"):
        assert re.search(rf"(?m)^  {name} ", done.stdout)
    for code in ExitCode:
        assert re.search(rf"(?m)^  (.{{35}})?{code.value} ", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_version() -> None:
    assert run("--version").stdout == f"forkhttpd {__version__}\n"


def test_the_installed_command_is_the_same() -> None:
    script = Path(sys.executable).with_name("forkhttpd")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stdout) == (0, f"forkhttpd {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["-c"], "argument -c: expected one argument"),
        (["-c", "x", "80", "y"], "unrecognized arguments: y"),
        (["-c", "x", "--dae"], "unrecognized arguments: --dae"),
        (["-t"], "which configuration? add -c FILE"),
        (["-s", "reload"], "which configuration? add -c FILE"),
        (["-c", "x", "-t", "-T"], "argument -T: not allowed with argument -t"),
        (["-c", "x", "-s", "stop", "--daemon"], "argument --daemon: not allowed with argument -s"),
        (
            ["-c", "x", "-s", "kill"],
            (
                "argument -s: invalid choice: 'kill'"
                " (choose from 'reload', 'stop', 'quit', 'reopen', 'upgrade')"
            ),
        ),
    ],
)
def test_a_wrong_command_line_exits_64(arguments: list[str], wrong: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.splitlines()[-1].replace("'", "") == f"forkhttpd: error: {wrong}".replace(
        "'", ""
    )


def test_O2_a_right_file_is_ok(site: Path) -> None:
    file = write(site, WHOLE)
    done = run("-c", file, "-t")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}: ok\n", "")


NO_WORKERS = (
    'workers: not a number of workers; write "auto", a number from 1 to 200,'
    " or { min = 1, max = 8 }"
)


def test_O2_every_problem_of_a_file_is_printed_as_it_is(site: Path) -> None:
    file = write(site, 'workers = "x"\n' + WHOLE + "listing = 1\n[lgo]\n")
    done = run("-c", file, "-t")
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
    assert done.stderr.splitlines() == [
        f"{file}:1: {NO_WORKERS}",
        f"{file}:7: [site.mount] listing: not true or false; write one of them, without quotes",
        f"{file}:8: lgo: unknown table; did you mean [log]?",
    ]


def test_O2_the_name_of_the_file_is_the_one_that_was_given(site: Path) -> None:
    write(site, "workers = 0\n" + WHOLE)
    done = run("-c", "forkhttpd.conf", "-t", directory=site)
    assert done.stderr.startswith("forkhttpd.conf:1: workers: ")


def test_O2_warnings_are_printed_and_the_file_is_ok(site: Path) -> None:
    file = write(site, WHOLE.replace("www", "."))
    done = run("-c", file, "-t")
    assert (done.returncode, done.stdout) == (0, f"{file}: ok\n")
    assert done.stderr.startswith(f"{file}:5: warning: [site.mount] docroot: ")


def test_O2_the_dump_is_a_configuration_again(site: Path) -> None:
    dumped = run("-c", write(site, WHOLE), "-T")
    assert (dumped.returncode, dumped.stderr) == (0, "")
    again = run("-c", write(site, dumped.stdout, name="again.conf"), "-T")
    assert again.stdout == dumped.stdout
    assert 'header = "20s"  # longest wait' in dumped.stdout


def test_O2_a_wrong_file_has_no_dump(site: Path) -> None:
    done = run("-c", write(site, "x = 1\n" + WHOLE), "-T")
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")


@pytest.mark.parametrize("option", ["-T", "-t"])
def test_a_reader_that_has_enough_is_no_error(site: Path, option: str) -> None:
    read, write_end = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*COMMAND, "-c", write(site, WHOLE), option],
            stdout=write_end,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("options", [[], ["--daemon"]], ids=["foreground", "daemon"])
def test_O2_a_wrong_file_does_not_start(site: Path, options: list[str]) -> None:
    file = write(site, WHOLE.replace("www", "none"))
    done = run("-c", file, *options)
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
    assert done.stderr == (
        f"forkhttpd: {file}:5: [site.mount] docroot: {site}/none: No such file or directory; "
        "make this directory, or write another\n"
    )


def test_a_missing_file_is_one_clear_line(site: Path) -> None:
    done = run("-c", site / "none.conf")
    assert done.returncode == ExitCode.CONFIG
    assert (
        done.stderr == f"forkhttpd: {site}/none.conf: cannot read it: No such file or directory\n"
    )


def test_an_occupied_port_is_one_clear_line_and_exits_69(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("-c", write(site, WHOLE.replace("8000", str(port))))
    assert done.returncode == ExitCode.UNAVAILABLE
    (line,) = done.stderr.splitlines()
    assert line.startswith("forkhttpd: ")
    assert f"127.0.0.1:{port}" in line


def test_M16_root_has_to_be_allowed(site: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be root")
    command = [argument for argument in COMMAND if argument != "--allow-root"]
    done = subprocess.run(
        [*command, "-c", write(site, WHOLE)], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == ExitCode.CONFIG
    assert "1: user: missing, and root starts the server" in done.stderr


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("-c x.conf", "x.conf"),
        ("--daemon -c x.conf --allow-root", "x.conf"),
        ("-c x.conf -t", None),
        ("-c x.conf -T", None),
        ("-c x.conf -s reload", None),
        ("-c -t", None),
        ("status -c x.conf", None),
        ("explain -c x.conf", None),
        ("-c", None),
        ("8000", None),
        ("", None),
    ],
)
def test_a_file_that_is_only_to_be_served_is_known_at_once(words: str, file: str | None) -> None:
    assert commandline.file_to_serve(words.split()) == (Path(file) if file else None)


@pytest.mark.parametrize("arguments", [("-c",), ("--daemon", "-c")])
def test_a_file_is_read_once(site: Path, arguments: tuple[str, ...]) -> None:
    """It is a pipe here, so that who reads it again waits for good."""
    fifo = site / "fifo.conf"
    os.mkfifo(fifo)
    command = [*COMMAND, *arguments, str(fifo)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as starting:
        fifo.write_text(f"workers = 0\n{WHOLE}")
        _, said = starting.communicate(timeout=DEADLINE)
    assert starting.returncode == ExitCode.CONFIG
    assert said.count("workers: ") == 1


def test_an_interrupt_while_it_starts_leaves_no_traceback(site: Path) -> None:
    """The file is a pipe to which nobody writes, so that start takes as long as we like."""
    fifo = site / "fifo.conf"
    os.mkfifo(fifo)
    with subprocess.Popen([*COMMAND, "-c", fifo], stderr=subprocess.PIPE) as starting:
        writer = os.open(fifo, os.O_WRONLY)  # returns when it reads
        try:
            starting.send_signal(signal.SIGINT)
            assert starting.wait(DEADLINE) == -signal.SIGINT
            assert starting.stderr
            assert starting.stderr.read() == b""
        finally:
            os.close(writer)
            starting.kill()


# A master as -s sees it: it holds the PID file's lock and prints the first signal that it gets.
HOLDER = """
import fcntl, os, signal, sys
signals = {signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
os.write(fd, f"{os.getpid()}\\n".encode())
print("ready", flush=True)
print(signal.sigwait(signals).name)
"""


@pytest.fixture
def holder(site: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, site / "pid"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


PID_FILE = 'pid_file = "pid"\n'


@pytest.mark.parametrize(
    ("name", "number"),
    [("reload", "SIGHUP"), ("stop", "SIGTERM"), ("quit", "SIGQUIT"), ("reopen", "SIGUSR1")],
)
def test_a_signal_goes_to_the_holder_of_the_pid_file(
    site: Path, holder: subprocess.Popen[str], name: str, number: str
) -> None:
    done = run("-c", write(site, PID_FILE + WHOLE), "-s", name)
    said = "nobody answers at a control socket: the log has the verdict" if name == "reload" else ""
    assert (done.returncode, done.stdout) == (0, "")
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)
    assert holder.communicate(timeout=DEADLINE)[0] == f"{number}\n"


def test_a_wrong_file_reloads_nothing(site: Path, holder: subprocess.Popen[str]) -> None:
    wrong, right = PID_FILE + LISTEN, PID_FILE + WHOLE
    done = run("-c", write(site, wrong), "-s", "reload")
    assert done.returncode == ExitCode.CONFIG
    assert "[site]: missing" in done.stderr
    assert run("-c", write(site, right), "-s", "stop").returncode == 0
    assert holder.communicate(timeout=DEADLINE)[0] == "SIGTERM\n"


def test_a_wrong_file_keeps_nobody_from_stopping(site: Path, holder: subprocess.Popen[str]) -> None:
    assert run("-c", write(site, PID_FILE + LISTEN), "-s", "stop").returncode == 0
    assert holder.communicate(timeout=DEADLINE)[0] == "SIGTERM\n"


@pytest.mark.parametrize(
    "content", [None, "", "1\n", pytest.param(f"{os.getpid()}\n", id="our own pid"), "garbage"]
)
def test_M9_a_stale_pid_file_gets_no_signal(site: Path, content: str | None) -> None:
    """Nobody holds its lock, so whoever has that number now is somebody else."""
    if content is not None:
        (site / "pid").write_text(content)
    file = write(site, PID_FILE + WHOLE)
    done = run("-c", file, "-s", "stop")
    assert done.returncode == ExitCode.UNAVAILABLE
    assert done.stderr == (
        f"forkhttpd: nobody holds {site}/pid, so no forkhttpd runs with {file}; "
        f"start it with -c {file}\n"
    )


def test_a_signal_needs_a_pid_file(site: Path) -> None:
    file = write(site, WHOLE)
    done = run("-c", file, "-s", "stop")
    assert done.returncode == ExitCode.CONFIG
    assert done.stderr == (
        f"forkhttpd: {file}:1: pid_file: missing, so nobody knows which process to signal; "
        "write the path of a file\n"
    )
