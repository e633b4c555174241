"""C14: what programs may use, and how many of them may run."""

import contextlib
import grp
import os
import pwd

import pytest

from tests.live.asking import status
from tests.live.daemon import SITE, Daemon, daemon, read_all, wait_for
from tests.live.programs import programs_with
from tests.live.scene import processes_with

LIMITS = """\
#!/usr/bin/env python3
import os, resource
print("Content-Type: text/plain\\n")
for name in ("AS", "CPU", "NOFILE", "NPROC", "FSIZE", "CORE"):
    print(name, *resource.getrlimit(getattr(resource, f"RLIMIT_{name}")))
print("NICE", os.getpriority(os.PRIO_PROCESS, 0))
"""


def pool(keys: str) -> str:
    return f"{SITE}\n[pool.default]\n{keys}\n"


def limits_in(running: Daemon) -> dict[str, tuple[int, ...]]:
    running.script("limits.py", LIMITS)
    lines = [line.split() for line in running.get("/cgi-bin/limits.py").text.splitlines()]
    return {name: tuple(map(int, values)) for name, *values in lines}


def test_C14_each_limit_is_seen_from_inside() -> None:
    keys = (
        'address_space = "2G"\ncpu = "90s"\nopen_files = 77\nuser_processes = 5000\n'
        'file_size = "3M"\ncore = "1M"\nnice = 7\n'
    )
    with daemon(pool(keys)) as running:
        seen = limits_in(running)
    assert seen["AS"] == (2 << 30, 2 << 30)
    assert seen["CPU"] == (90, 95)
    assert seen["NOFILE"] == (77, 77)
    assert seen["NPROC"] == (5000, 5000)
    assert seen["FSIZE"] == (3 << 20, 3 << 20)
    assert seen["CORE"][0] <= 1 << 20
    assert seen["NICE"] == (os.getpriority(os.PRIO_PROCESS, 0) + 7,)


def test_C7_C14_without_keys_limits_are_those_that_we_were_started_with() -> None:
    limits = ("--nofile=333:444", "--cpu=1000:2000", "--fsize=1000000000:2000000000")
    with daemon(SITE, wrapper=("prlimit", *limits)) as running:
        seen = limits_in(running)
    assert (seen["NOFILE"], seen["CPU"]) == ((333, 444), (1000, 2000))
    assert seen["FSIZE"] == (1000000000, 2000000000)
    assert seen["CORE"] == (0, 0)


def test_C14_what_we_may_not_give_is_cut_down_to_what_we_may() -> None:
    with daemon(pool("open_files = 1000"), wrapper=("prlimit", "--nofile=333:444")) as running:
        assert limits_in(running)["NOFILE"] == (444, 444)


def test_C14_who_uses_up_its_cpu_time_is_ended_and_the_log_says_why() -> None:
    with daemon(pool('cpu = "1s"')) as running:
        running.script("spin.sh", "#!/bin/sh\nwhile :; do :; done\n")
        assert running.get("/cgi-bin/spin.sh").status == 502
        running.await_log("its CPU time was up, see the pool's cpu")


def test_C14_a_file_cannot_grow_past_its_size_and_our_log_can() -> None:
    with daemon(pool('file_size = "4K"')) as running:
        (running.directory / "www").chmod(0o777)
        running.script(
            "grow.sh",
            "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nhead -c 9999 /dev/zero >&2\n"
            'exec head -c 9999 /dev/zero > "$DOCUMENT_ROOT/grown"\n',
        )
        running.get("/cgi-bin/grow.sh")
        running.await_log("a file grew too large")
        assert (running.directory / "www/grown").stat().st_size == 4096


def test_C14_memory_runs_out_for_the_program_alone() -> None:
    with daemon(pool('address_space = "100M"')) as running:
        running.script(
            "fat.py",
            "#!/usr/bin/env python3\n"
            "print('Content-Type: text/plain\\n', flush=True)\n"
            "try: bytes(200 << 20)\n"
            "except MemoryError: print('no more')\n",
        )
        assert running.get("/cgi-bin/fat.py").text == "no more\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pool a user of its own")
def test_C14_a_fork_bomb_stops_its_own_pool_and_no_other() -> None:
    nobody, other = pwd.getpwnam("nobody"), pwd.getpwnam("games")
    assert grp.getgrgid(nobody.pw_gid)
    config = SITE + (
        '\n[[site.mount]]\npath = "/other/"\ncgi = "other"\npool = "other"\n'
        f'\n[pool.default]\nuser = "{nobody.pw_name}"\nuser_processes = 20\n'
        f'\n[pool.other]\nuser = "{other.pw_name}"\n'
    )
    with daemon(config, arguments=("--allow-root",), start=False) as running:
        running.script(
            "bomb.py",
            "#!/usr/bin/env python3\n"
            "import os, sys, time\n"
            "try:\n"
            "    while os.fork(): pass\n"
            "except BlockingIOError: sys.stderr.write('no more forks\\n')\n"
            "time.sleep(300)\n",
        )
        running.script("quick.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nquick'\n")
        running.write("other/quick.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nquick'\n",
                      mode=0o755)  # fmt: skip
        running.start()
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/bomb.py HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: "no more forks" in running.log, "the bomb to meet its limit")
            assert running.get("/cgi-bin/quick.sh").status in (502, 503)
            assert running.get("/other/quick.sh").text == "quick"
        wait_for(lambda: running.get("/cgi-bin/quick.sh").status == 200, "the end of the bomb")


def test_C14_a_mount_may_have_a_limit_within_that_of_its_pool() -> None:
    """Over all workers together; others of the pool run meanwhile, and so do files."""
    config = (
        SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nprocesses = 1')
        + '\n[[site.mount]]\npath = "/other/"\ncgi = "cgi-bin"\n'
        + "\n[pool.default]\nprocesses = 8\nqueue = 1\n"
    )
    with daemon(config) as running, contextlib.ExitStack() as connections:
        running.script("hold.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nsleep 300\n")
        running.script("quick.sh", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nquick'\n")
        first = connections.enter_context(running.connect())
        first.sendall(b"GET /cgi-bin/hold.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        assert first.recv(65536).startswith(b"HTTP/1.1 200")
        second = connections.enter_context(running.connect())
        second.sendall(b"GET /cgi-bin/quick.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: status(running)["pools"][0]["queued"] == 1, "it to wait")
        assert running.get("/cgi-bin/quick.sh").status == 503
        assert running.get("/other/quick.sh").text == "quick"
        assert running.get("/").status == 200
        first.close()
        assert second.recv(65536).startswith(b"HTTP/1.1 200")


def test_C14_limit_queue_and_refusal() -> None:
    config = SITE + '\n[pool.default]\nprocesses = 2\nqueue = 1\nqueue_wait = "20s"\n'
    with daemon(config) as running:
        running.script(
            "wait.sh",
            '#!/bin/sh\nwhile [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.05; done\n'
            "echo 'Content-Type: text/plain\n\ndone'\n",
        )
        request = b"GET /cgi-bin/wait.sh HTTP/1.0\r\n\r\n"
        marker = f"SCRIPT_FILENAME={running.directory}"
        waiting = [running.connect() for _ in range(3)]
        for connection in waiting:
            connection.sendall(request)
        wait_for(lambda: programs_with(marker) == 2, "two programs")
        wait_for(lambda: status(running)["pools"][0]["queued"] == 1, "the queue to be full")
        refused = running.get("/cgi-bin/wait.sh")
        assert refused.status == 503
        assert "retry-after" in refused.fields
        assert programs_with(marker) == 2
        assert running.get("/").status == 200
        running.write("www/go", "")
        for connection in waiting:
            with connection:
                assert read_all(connection).endswith(b"done\n")


def test_C14_a_queue_wait_ends_in_503() -> None:
    config = SITE + '\n[pool.default]\nprocesses = 1\nqueue_wait = "100ms"\n'
    with daemon(config) as running:
        running.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
        with running.connect() as stuck:
            stuck.sendall(b"GET /cgi-bin/stuck.sh HTTP/1.0\r\n\r\n")
            wait_for(lambda: processes_with(str(running.directory)), "the program")
            assert running.get("/cgi-bin/stuck.sh").status == 503
