"""Programs end with their worker and their spawner, and thousands of ends leave nothing."""

import psutil

from tests.live.daemon import SITE, Daemon, daemon, read_all, wait_for
from tests.live.scene import processes_with


def test_M2_no_program_outlives_its_worker_or_its_spawner() -> None:
    """What a script double-forked included."""
    with daemon() as running:
        running.script(
            "family.sh",
            "#!/bin/sh\n(setsid sleep 300 &)\nsleep 300 &\n(trap '' TERM; sleep 300) &\n"
            "echo 'Content-Type: a/b\n\n'\nsleep 300\n",
        )
        marker = f"SCRIPT_FILENAME={running.directory}"
        for victims in (running.workers, running.spawners):
            with running.connect() as connection:
                connection.sendall(b"GET /cgi-bin/family.sh HTTP/1.1\r\nHost: x\r\n\r\n")
                wait_for(lambda: len(processes_with(marker)) >= 4, "the family")
                for victim in victims():
                    victim.kill()
                wait_for(lambda: not processes_with(marker), "the end of the family")
            running.script("quick.sh", "#!/bin/sh\necho 'Content-Type: a/b\n\n'\n")
            wait_for(lambda: running.get("/cgi-bin/quick.sh").status == 200, "the respawn")


def test_background_processes_may_be_left_where_the_mount_says_so() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nbackground = "leave"')
    with daemon(config) as running:
        running.script(
            "leave.sh",
            "#!/bin/sh\nsetsid sleep 300 >/dev/null 2>&1 </dev/null &\n"
            "echo 'Content-Type: text/plain\n'\necho $!\n",
        )
        pid = int(running.get("/cgi-bin/leave.sh").text)
        running.await_access_log("leave.sh")
        assert psutil.pid_exists(pid)
        psutil.Process(pid).kill()


# How each script's answer begins; "" for one that nobody waits for.
ENDS = {
    "ok": "HTTP/1.1 200",
    "fail": "HTTP/1.1 502",
    "die": "HTTP/1.1 502",
    "late": "HTTP/1.1 504",
    "large": "HTTP/1.1 200",
    "gone": "HTTP/1.1 404",
    "daemon": "HTTP/1.1 200",
    "stuck": "",
}


def test_C15_thousands_of_mixed_ends_leave_nothing_behind() -> None:
    """2 000 programs: exits, signals, timeouts, disconnects, daemons; 8 clients at a time."""
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nfirst_byte = "20s"')
    config += '\n[[site.mount]]\npath = "/hasty/"\ncgi = "hasty"\nfirst_byte = "20ms"\n'
    with daemon(config + "\n[pool.default]\nqueue = 1000\n", start=False) as running:
        running.script("ok.sh", "#!/bin/sh\necho 'Content-Type: a/b\n\nok'\n")
        running.script("fail.sh", "#!/bin/sh\nexit 1\n")
        running.script("die.sh", "#!/bin/sh\nkill -9 $$\n")
        running.script("stuck.sh", "#!/bin/sh\nexec sleep 300\n")
        running.script(
            "large.sh", "#!/bin/sh\necho 'Content-Type: a/b\n'\nexec head -c 300000 /dev/zero\n"
        )
        running.script(
            "daemon.sh", "#!/bin/sh\necho 'Content-Type: a/b\n'\nsetsid sleep 300 >&- 2>&- &\n"
        )
        running.write("hasty/late.sh", "#!/bin/sh\nexec sleep 300\n", mode=0o755)
        running.start()
        _ask_for_mixed_ends(running, rounds=10)  # after which every worker knows its spawner
        before = _open_fds(running)
        _ask_for_mixed_ends(running, rounds=275)
        wait_for(lambda: _open_fds(running) <= before, "all descriptors closed")
        zombies = [p for p in running.family() if p.status() == psutil.STATUS_ZOMBIE]
        assert zombies == []


def _ask_for_mixed_ends(running: Daemon, *, rounds: int) -> None:
    for _ in range(rounds):
        connections = {name: running.connect() for name in ENDS}
        for name, connection in connections.items():
            path = "hasty" if name == "late" else "cgi-bin"
            connection.sendall(f"GET /{path}/{name}.sh HTTP/1.0\r\n\r\n".encode())
        for name, connection in connections.items():
            with connection:
                if expected := ENDS[name]:
                    assert read_all(connection).decode("latin-1").startswith(expected), name
    marker = f"SCRIPT_FILENAME={running.directory}"
    wait_for(lambda: not processes_with(marker), "the end of all programs")


def _open_fds(running: Daemon) -> int:
    return sum(process.num_fds() for process in running.workers() + running.spawners())
