"""M4: nothing of the server needs a file system that can be written."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, daemon

BARE = SITE.replace('pid_file = "forkhttpd.pid"\n', "").replace('"access.log"', '"off"')

COUNT = """\
#!/bin/sh
echo 'Content-Type: text/plain
'
echo "$CONTENT_LENGTH"
wc -c
"""

FLOOD = """\
#!/bin/sh
echo 'Content-Type: application/octet-stream
'
head -c 8388608 /dev/zero
"""

PIECES, LENGTH = 64, 65536  # 4 MiB: more than a spool keeps in memory

# Everything is read-only, and what a tmpfs could offer is, too.
MOUNTS = """\
mount --make-rprivate / && mount -o remount,ro,bind / || exit
for directory in /tmp /var/tmp /dev/shm /run "$0"; do
    mount --bind "$directory" "$directory" && mount -o remount,ro,bind "$directory" || exit
done
exec "$@"
"""


def read_only(directory: str) -> tuple[str, ...]:
    """Return a command that runs another where it can write nowhere."""
    return ("unshare", "--mount", "sh", "-c", MOUNTS, directory)


def may_mount() -> bool:
    return subprocess.run([*read_only("/tmp"), "true"], capture_output=True).returncode == 0


def assert_serves(running: Daemon) -> None:
    """Files, programs, bodies too long to be kept in memory, and a reload."""

    def pieces() -> Iterator[bytes]:
        for _ in range(PIECES):
            yield bytes(LENGTH)

    assert running.get("/page").text == "page"
    reply = running.ask("POST", "/cgi-bin/count.sh", {"Transfer-Encoding": "chunked"}, pieces())
    assert reply.text.split() == [str(PIECES * LENGTH)] * 2
    assert len(running.get("/cgi-bin/flood.sh").body) == 8 << 20
    assert running.reload()
    assert running.get("/page").text == "page"


def furnish(running: Daemon) -> None:
    running.write("www/page", "page")
    running.script("count.sh", COUNT)
    running.script("flood.sh", FLOOD)


def test_M4_without_a_directory_for_temporary_files() -> None:
    with daemon(BARE, env={"TMPDIR": "/nonexistent"}, start=False) as running:
        furnish(running)
        running.start()
        before = set(running.directory.iterdir())
        assert_serves(running)
        assert set(running.directory.iterdir()) == before


@pytest.mark.skipif(not may_mount(), reason="needs the right to make a mount name space")
@pytest.mark.parametrize("arguments", [(), ("-t",), ("--daemon",)])
def test_without_proc_it_says_what_it_lacks(arguments: tuple[str, ...]) -> None:
    wrapper = ("unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "sh")
    with daemon(BARE, wrapper=wrapper, arguments=arguments, start=False) as running:
        running.launch()
        assert running.process.wait(DEADLINE) == 71
        assert running.log.splitlines() == [
            "forkhttpd: nothing works here without /proc; mount it: mount -t proc proc /proc"
        ]


@pytest.mark.skipif(not may_mount(), reason="needs the right to make a mount name space")
def test_M4_where_every_file_system_is_read_only() -> None:
    with daemon(BARE, start=False) as running:
        furnish(running)
        running.wrapper = read_only(str(running.directory))
        running.start()
        probe = running.script("probe.sh", "#!/bin/sh\n: >/tmp/forkhttpd-probe\n")
        assert running.get(f"/cgi-bin/{probe.name}").status != 200
        running.await_log("Read-only file system")
        assert_serves(running)
