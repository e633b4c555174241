"""HUP: the changed file is taken up as a whole, or nothing has changed (M7, M8)."""

import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from forkhttpd.inquiry import ask
from tests.live.asking import control
from tests.live.daemon import DEADLINE, SITE, Daemon, await_end, daemon, read_all, wait_for
from tests.live.listening import ask_unix, listening_inode
from tests.live.scene import busy, open_fds, refuses, timeouts

# What is taken up.


def switch(running: Daemon, config: str) -> None:
    """Reload and wait until nobody of the old generation is left."""
    old = running.family()
    assert running.reload(config)
    await_end(old)


def ports(running: Daemon, host: str) -> list[int]:
    """Return the ports on which it has listened at an address, in the order of the log."""
    return [int(port) for port in re.findall(rf"http://{re.escape(host)}:(\d+)/", running.log)]


def test_another_docroot() -> None:
    with daemon() as running:
        running.write("www/page", "old")
        running.write("new/page", "new")
        assert running.get("/page").text == "old"
        switch(running, SITE.replace('docroot = "www"', 'docroot = "new"'))
        assert {running.get("/page").text for _ in range(20)} == {"new"}


def test_a_mount_more_and_a_mount_fewer() -> None:
    more = SITE + '\n[[site.mount]]\npath = "/more/"\ncgi = "more"\n'
    with daemon() as running:
        running.write("more/hello", "#!/bin/sh\necho 'Content-Type: text/plain\n'\n", mode=0o755)
        assert running.get("/more/hello").status == 404
        switch(running, more)
        assert {running.get("/more/hello").status for _ in range(20)} == {200}
        switch(running, SITE)
        assert {running.get("/more/hello").status for _ in range(20)} == {404}


def test_the_number_of_workers() -> None:
    with daemon() as running:
        for number in (4, 1):
            switch(running, SITE.replace("workers = 2", f"workers = {number}"))
            assert len(running.workers()) == number
            assert running.get("/").status == 200


def test_M7_a_listener_more_and_a_listener_fewer() -> None:
    with daemon() as running:
        running.write("www/page", "page")
        running.script("answer.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\n")
        more = SITE.replace("[log]", '[[listen]]\naddress = "127.0.0.2:0"\n[log]')
        switch(running, more)
        (port,) = ports(running, "127.0.0.2")
        with socket.create_connection(("127.0.0.2", port), DEADLINE) as connection:
            assert running.reload(SITE)
            wait_for(lambda: refuses(port, host="127.0.0.2"), "the listener closed")
            connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = read_all(connection)  # on a connection that was made before
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"page")
        assert running.get("/page").text == "page"


def test_M7_a_listener_that_moves() -> None:
    def at(name: str) -> str:
        return SITE.replace("[log]", f'[[listen]]\naddress = "unix:{name}"\n[log]')

    with daemon(at("one.sock")) as running:
        running.write("www/page", "page")
        one, two = running.directory / "one.sock", running.directory / "two.sock"
        assert ask_unix(one).endswith(b"page")
        switch(running, at("two.sock"))
        assert ask_unix(two).endswith(b"page")
        assert not one.exists()


def test_M7_a_listener_that_stays_is_the_very_same_socket() -> None:
    with daemon() as running:
        before = listening_inode(running.port)
        switch(running, SITE.replace("workers = 2", "workers = 1"))
        assert listening_inode(running.port) == before


def test_M7_M8_the_rights_of_a_socket_change_with_the_reload_that_is_taken_up() -> None:
    def with_mode(mode: str, *, site: str = SITE) -> str:
        return site.replace("[log]", f'[[listen]]\naddress = "unix:s"\nmode = "{mode}"\n[log]')

    with daemon(with_mode("600")) as running:
        before = (running.directory / "s").stat()
        assert stat.S_IMODE(before.st_mode) == 0o600
        assert not running.reload(with_mode("660") + '[pool.default]\npython = "/bin/false"\n')
        assert (running.directory / "s").stat().st_mode == before.st_mode
        switch(running, with_mode("660"))
        after = (running.directory / "s").stat()
        assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (before.st_ino, 0o660)


def test_M7_a_socket_whose_file_is_gone_is_made_anew() -> None:
    with daemon(SITE.replace("[log]", '[[listen]]\naddress = "unix:s"\n[log]')) as running:
        running.write("www/page", "page")
        socket_file = running.directory / "s"
        before = socket_file.stat().st_ino
        assert running.reload()
        assert socket_file.stat().st_ino == before
        socket_file.unlink()
        assert running.reload()
        running.await_log("/s: its file was removed or replaced, so it is made anew")
        assert ask_unix(socket_file).endswith(b"page")
        socket_file.unlink()
        running.write("s", "somebody's text")
        assert not running.reload()
        running.await_log("somebody listens there, or it is no socket: remove it")
        assert socket_file.read_text() == "somebody's text"
        socket_file.unlink()
        assert running.reload()
        assert ask_unix(socket_file).endswith(b"page")
        assert running.stop() == 0
        assert not socket_file.exists()


def test_M7_what_needs_a_restart_is_named_in_one_warning() -> None:
    with daemon() as running:
        switch(running, SITE.replace("forkhttpd.pid", "other.pid"))
        running.await_log("needs restart: pid_file")
        assert (running.directory / "forkhttpd.pid").exists()
        assert not (running.directory / "other.pid").exists()


def test_a_stop_does_not_wait_for_a_file_that_nobody_can_read() -> None:
    with daemon() as running:
        running.config.unlink()
        os.mkfifo(running.config)
        running.send_signal(signal.SIGHUP)
        wait_for(lambda: running.titled("forkhttpd: reader"), "a reader that waits")
        assert running.stop() == 0
        assert "given up, as there is a signal to stop" in running.log
        assert "stopping: what is running may finish" in running.log


# What the verdict means.


def test_M7_who_connects_after_the_verdict_meets_the_new_configuration() -> None:
    with daemon() as running:
        for name in ("one", "two"):
            running.write(f"{name}/page", name)
        for name in ("one", "two") * 5:
            running.configure(SITE.replace('"www"', f'"{name}"'))
            assert ask(control(running), "reload", patience=DEADLINE)["code"] == 0
            assert [running.get("/page").text for _ in range(4)] == [name] * 4


def test_M7_there_is_no_verdict_while_an_old_worker_may_still_accept() -> None:
    def swapped() -> bool:
        found = ask(control(running), "status", patience=DEADLINE)
        return bool(found["master"]["generation"] == 2)

    with daemon(SITE + timeouts(heartbeat="10m")) as running, ThreadPoolExecutor(1) as clients:
        old = running.workers()[0]
        old.suspend()
        asked = clients.submit(ask, control(running), "reload", patience=DEADLINE)
        wait_for(swapped, "the new generation")
        assert running.verdicts() == (0, 0)
        old.resume()
        assert asked.result()["text"] == "reloaded: 2 workers, 1 spawner"


# What goes on meanwhile.


def test_M5_what_runs_is_finished_by_the_old_generation() -> None:
    with busy(SITE + timeouts(graceful="10m", idle="1s")) as scene:
        old = scene.running.workers()
        assert scene.running.reload()
        scene.finish()
        await_end(old)


def test_M5_an_idle_client_may_come_back_once_more() -> None:
    with busy(SITE + timeouts(graceful="10m")) as scene:
        assert scene.running.reload()
        answer = b""
        while b"\r\nConnection: close\r\n" not in answer:  # its worker may not know of it yet
            scene.idle.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = scene.idle.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"page")
        assert scene.idle.recv(1000) == b""


def test_many_HUPs_at_once_end_with_the_last_file() -> None:
    with daemon() as running:
        for number in (1, 3, 2, 5, 4):
            running.configure(SITE.replace("workers = 2", f"workers = {number}"))
            running.send_signal(signal.SIGHUP)
        running.await_log("]: reloaded: 4 workers")
        wait_for(lambda: len(running.family()) == 5, "four workers and a spawner")
        assert running.verdicts()[1] == 0


def test_M14_reloads_leave_nothing_in_the_master() -> None:
    with daemon() as running:
        master = psutil.Process(running.process.pid)
        switch(running, SITE)
        wait_for(lambda: len(running.family()) == 3, "the end of the first generation")
        fds, memory = master.num_fds(), master.memory_info().rss
        for _ in range(40):
            assert running.reload()
        wait_for(lambda: master.num_fds() <= fds, "no more descriptors")
        wait_for(lambda: len(running.family()) == 3, "the same children")
        assert master.num_threads() == 1
        assert master.memory_info().rss < memory + (2 << 20)


# What is refused.

BAD_PYTHON = "#!/bin/sh\nexit 3\n"


@pytest.fixture(scope="module")
def steady() -> Iterator[Daemon]:
    """A daemon that refuses every reload of this module."""
    with daemon() as running:
        running.write("www/page", "page")
        running.write("python", BAD_PYTHON, mode=0o755)
        yield running


def pool(running: Daemon, python: str) -> str:
    return SITE + f'\n[pool.default]\npython = "{running.directory}/{python}"\n'


def assert_refused(running: Daemon, config: str, words: str) -> None:
    """It says why, in one line, and it and its children are the same as before."""
    family, length = [process.pid for process in running.family()], len(running.log)
    fds = open_fds(running.process.pid)
    assert not running.reload(config)
    wait_for(lambda: [process.pid for process in running.family()] == family, "the same children")
    wait_for(lambda: open_fds(running.process.pid) == fds, "the same descriptors")
    (line,) = [line for line in running.log[length:].splitlines() if " error " in line]
    assert "]: reload refused, nothing changed: " in line
    assert words in line
    for _ in range(4):
        assert running.get("/page").text == "page"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[log]", "[log", "forkhttpd.conf:7:5: "),
        ("[log]", "[lgo]", "forkhttpd.conf:7: lgo: unknown table; did you mean [log]?"),
        ("workers = 2", 'workers = "x"', "forkhttpd.conf:1: workers: not a number of workers"),
        ('"www"', '"none"', "forkhttpd.conf:14: [site.mount] docroot: "),
        ('"access.log"', '"none/access.log"', "forkhttpd.conf:8: [log] access: "),
        ("workers = 2", 'workers = 2\nuser = "nobody-here"', "forkhttpd.conf:2: user: "),
    ],
)
def test_M8_a_broken_file_is_refused_with_its_line(
    steady: Daemon, before: str, after: str, words: str
) -> None:
    assert_refused(steady, SITE.replace(before, after), words)


def test_M8_a_missing_file_is_refused(steady: Daemon) -> None:
    steady.config.unlink()
    reloads, refusals = steady.verdicts()
    steady.send_signal(signal.SIGHUP)
    wait_for(lambda: steady.verdicts() == (reloads, refusals + 1), "the refusal")
    assert steady.get("/page").text == "page"


def test_M8_a_pool_without_its_python_is_refused(steady: Daemon) -> None:
    line = pool(steady, "none").splitlines().index(f'python = "{steady.directory}/none"') + 1
    assert_refused(steady, pool(steady, "none"), f"forkhttpd.conf:{line}: [pool.default] python: ")


def test_M8_a_pool_whose_python_does_not_run_is_refused(steady: Daemon) -> None:
    assert_refused(steady, pool(steady, "python"), "spawner [default] (pid ")


def test_M8_a_generation_that_is_refused_has_answered_nobody(steady: Daemon) -> None:
    """Its workers are ready long before its spawner fails; its page is another one."""
    steady.write("dies", "#!/bin/sh\nsleep 0.5\nexit 3\n", mode=0o755)
    steady.write("wrong/page", "wrong")
    steady.script("hello.sh", "#!/bin/sh\necho 'Content-Type: text/plain\n'\necho hello\n")
    verdicts, failures = steady.verdicts(), steady.log.count("exited with status 3")
    steady.configure(pool(steady, "dies").replace('"www"', '"wrong"'))
    steady.send_signal(signal.SIGHUP)
    while steady.verdicts() == verdicts:
        assert steady.get("/page").text == "page"
        assert steady.get("/cgi-bin/hello.sh").text == "hello\n"
    wait_for(lambda: len(steady.family()) == 3, "nobody of it")
    assert steady.log.count("exited with status 3") == failures + 1  # and is not tried again


def test_M7_an_address_in_use_is_refused(steady: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        config = SITE.replace("[log]", f'[[listen]]\naddress = "{address}"\n[log]')
        assert_refused(steady, config, f"cannot listen on {address}: Address already in use by pid")


def test_M8_after_all_refusals_a_right_file_is_taken_up(steady: Daemon) -> None:
    assert_refused(steady, "nonsense", "forkhttpd.conf:1:9: ")
    switch(steady, SITE)
    assert steady.get("/page").text == "page"


# What it takes to read a file.


def test_nobody_who_serves_holds_what_a_file_is_read_with() -> None:
    with daemon() as running:
        assert running.reload(SITE.replace("workers = 2", "workers = 1"))
        serving = [psutil.Process(running.process.pid), *running.workers()]
        held = {file.path for process in serving for file in process.memory_maps()}
    assert len(serving) > 1
    assert any("/python" in path for path in held)
    assert not [path for path in held if "pydantic" in path]
