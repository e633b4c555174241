"""`--daemon`, the PID file, and the signals that `-s` sends to its holder (M9, M18)."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, await_end, daemon, wait_for
from tests.live.scene import await_closed

# As in the foreground, the log is where Daemon.log looks for it.
LOGGING = SITE.replace("[log]", '[log]\nerror = "./stderr"')


@contextlib.contextmanager
def background(config: str = LOGGING) -> Iterator[Daemon]:
    """Make a daemon that `command("--daemon")` starts, and end whatever that has started."""
    with daemon(config, start=False) as running:
        try:
            yield running
        finally:
            family = [one for master in masters(running) for one in (*master.children(), master)]
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            await_end(family)
            with contextlib.suppress(FileNotFoundError):
                print(running.log)


def masters(running: Daemon) -> list[psutil.Process]:
    """Return the masters that log into the daemon's directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_master = " ".join(process.cmdline()).startswith("forkhttpd: master [")
            if is_master and any(has_open(process, running)):
                found.append(process)
    return found


def has_open(process: psutil.Process, running: Daemon) -> Iterator[bool]:
    """Yield for each of a process's files whether it is one of the daemon's."""
    for file in process.open_files():
        yield file.path.startswith(f"{running.directory}/")


def pid_in_file(running: Daemon) -> int:
    text = (running.directory / "forkhttpd.pid").read_text()
    assert re.fullmatch(r"[0-9]+\n", text)
    return int(text)


def port_in_log(running: Daemon) -> int:
    return int(re.findall(r"http://127\.0\.0\.1:(\d+)/", running.log)[-1])


def serves(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.1 200")


# --daemon


def test_M18_the_command_returns_0_when_the_daemon_serves() -> None:
    with background() as running:
        done = running.command("--daemon")  # waits for the end of its output, too
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert serves(port_in_log(running))
        (master,) = masters(running)
        assert pid_in_file(running) == master.pid
        assert len(running.log.split(" ready: ")) == 2


def test_M18_what_nobody_will_read_is_told_before() -> None:
    """A daemon by a file of a few lines had no log, and no way to stop it but kill."""
    config = SITE.replace('access = "access.log"\n', "").replace("pid_file", "#")
    with background(config) as running:
        running.write("python", "#!/bin/sh\nexit 3\n", mode=0o755)  # so that none is left to find
        running.configure(config + f'\n[pool.default]\npython = "{running.directory}/python"\n')
        access, error, pid_file, _ = running.command("--daemon").stderr.splitlines()
    assert "[log] access: in the background nobody reads stdout; write a file" in access
    assert "[log] error: in the background nobody reads stderr" in error
    assert "pid_file: missing, so -s and status cannot find it" in pid_file


def test_M18_the_daemon_has_let_go_of_where_it_was_started() -> None:
    with background() as running:
        assert running.command("--daemon").returncode == 0
        (master,) = masters(running)
        assert master.cwd() == "/"
        assert os.getsid(master.pid) != os.getsid(0)
        assert os.getsid(master.pid) != master.pid  # so it can never get a terminal
        for process in (master, *master.children()):
            links = {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 1, 2)}
            assert links <= {"/dev/null", f"{running.directory}/stderr"}
            assert os.readlink(f"/proc/{process.pid}/fd/0") == "/dev/null"


def test_M18_an_occupied_port_is_told_by_the_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with background(LOGGING.replace("127.0.0.1:0", f"127.0.0.1:{port}")) as running:
            done = running.command("--daemon")
            assert done.returncode == 69
            (line,) = done.stderr.splitlines()
            assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in line
            assert not masters(running)
            assert not (running.directory / "forkhttpd.pid").exists()


def test_M18_a_broken_file_is_told_by_the_command() -> None:
    with background(LOGGING.replace("workers", "workres")) as running:
        done = running.command("--daemon")
        assert done.returncode == 78
        (line,) = done.stderr.splitlines()
        assert line.endswith('forkhttpd.conf:1: workres: unknown key; did you mean "workers"?')
        assert not masters(running)


def test_M18_what_fails_after_it_detached_is_told_by_the_command() -> None:
    with background() as running:
        running.write("python", "#!/bin/sh\nexit 3\n", mode=0o755)
        running.configure(LOGGING + f'\n[pool.default]\npython = "{running.directory}/python"\n')
        done = running.command("--daemon")
        assert done.returncode == 70
        (line,) = done.stderr.splitlines()
        assert "spawner [default] (pid " in line
        assert "exited with status 3" in line
        wait_for(lambda: not masters(running), "the end of the master")
        assert not (running.directory / "forkhttpd.pid").exists()


def test_M18_what_the_system_refuses_after_it_detached_is_told_by_the_command() -> None:
    with background() as running:
        command = [sys.executable, "-m", "forkhttpd", "-c", str(running.config), "--daemon"]
        done = subprocess.run(
            ["prlimit", "--fsize=0", *command, *running.arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 71
        assert done.stderr.startswith("forkhttpd: cannot start: File too large")
        assert not (running.directory / "forkhttpd.pid").exists()


def test_M18_what_the_command_reports_is_in_the_log_before() -> None:
    with background() as running:
        assert running.command("--daemon").returncode == 0
        assert "]: ready: " in running.log


def test_a_directory_that_was_removed_is_as_good_as_any() -> None:
    """A release is replaced, say, while somebody's shell stands in it."""
    script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    with daemon(start=False) as running:
        running.wrapper = ("sh", "-c", script, str(running.directory / "gone"))
        running.start()
        assert running.reload()


# The PID file


@pytest.mark.parametrize("content", ["1\n", "", "garbage \0\xff", "99999999999999999999\n"])
def test_M9_what_a_stale_file_says_does_not_matter(content: str) -> None:
    with daemon(start=False) as running:
        running.write("forkhttpd.pid", content)
        running.start()
        assert pid_in_file(running) == running.process.pid
        assert running.stop() == 0
        assert not (running.directory / "forkhttpd.pid").exists()


def test_M9_a_stale_file_with_its_own_number_does_not_matter() -> None:
    """As in a container, where everything has the same number at every start."""
    wrapper = ("sh", "-c", 'echo $$ >"$0" && exec "$@"')
    with daemon(start=False) as running:
        file = running.directory / "forkhttpd.pid"
        running.wrapper = (*wrapper, str(file))
        running.start()
        assert pid_in_file(running) == running.process.pid


@pytest.mark.parametrize("arguments", [(), ("--daemon",)])
def test_M9_a_second_daemon_is_refused_and_told_who_holds_the_file(
    arguments: tuple[str, ...],
) -> None:
    with daemon() as running:
        done = running.command(*arguments)
        assert done.returncode == 69
        line = done.stderr.splitlines()[-1]
        assert "  " not in line
        assert f"already running: pid {running.process.pid} (forkhttpd: master [" in line
        assert pid_in_file(running) == running.process.pid
        assert running.command("-s", "stop").returncode == 0
        assert running.process.wait(DEADLINE) == 0
        assert not (running.directory / "forkhttpd.pid").exists()


def test_M9_a_file_that_somebody_replaced_is_left_to_them() -> None:
    with daemon() as running:
        file = running.directory / "forkhttpd.pid"
        file.unlink()
        running.write("forkhttpd.pid", "4711\n")
        assert running.stop() == 0
        assert file.read_text() == "4711\n"


# -s


def test_s_reload_takes_up_the_changed_file() -> None:
    with background() as running:
        assert running.command("--daemon").returncode == 0
        running.configure(LOGGING.replace("workers = 2", "workers = 3"))
        done = running.command("-s", "reload")
        assert done.returncode == 0
        assert done.stderr == "forkhttpd: reloaded: 3 workers, 1 spawner\n"
        running.await_log("]: reloaded: 3 workers")
        assert serves(port_in_log(running))


def test_a_daemon_that_was_started_with_a_relative_path_can_reload() -> None:
    """Its directory is `/` now; its file is where it was."""
    with background() as running:
        command = [sys.executable, "-m", "forkhttpd", "-c", running.config.name, "--daemon"]
        started = subprocess.run(
            [*command, *running.arguments], cwd=running.directory, timeout=DEADLINE
        )
        assert started.returncode == 0
        assert running.command("-s", "reload").returncode == 0
        running.await_log("]: reloaded: ")


@pytest.mark.parametrize("name", ["stop", "quit"])
def test_s_stop_and_quit(name: str) -> None:
    with background() as running:
        assert running.command("--daemon").returncode == 0
        family = masters(running)[0].children()
        assert running.command("-s", name).returncode == 0
        wait_for(lambda: not masters(running), "the end of the master")
        await_end(family)
        assert not (running.directory / "forkhttpd.pid").exists()
        done = running.command("-s", name)
        assert done.returncode == 69
        assert "so no forkhttpd runs with" in done.stderr


def test_M15_s_reopen_moves_both_logs_to_new_files() -> None:
    with background() as running:
        assert running.command("--daemon").returncode == 0
        port = port_in_log(running)
        assert serves(port)
        for name in ("access.log", "stderr"):
            (running.directory / name).rename(running.directory / f"{name}.1")
        assert running.command("-s", "reopen").returncode == 0
        wait_for(lambda: (running.directory / "stderr").exists(), "a new log")
        running.await_log("logs reopened")
        await_closed(running.directory / "access.log.1")
        for count in range(1, 5):  # so that every worker has something to log
            assert serves(port)
            running.await_access_log("GET / HTTP/1.0", count=count)
        assert (running.directory / "access.log.1").read_text().count("GET / HTTP/1.0") == 1
