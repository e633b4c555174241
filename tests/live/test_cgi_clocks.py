"""C4: three clocks for a program; who lets one run out is ended with all that it started."""

import signal
import socket
import time

import pytest

from tests.live.daemon import SITE, daemon, wait_for
from tests.live.programs import mounted, running_in
from tests.live.scene import processes_with

FAMILY = """\
#!/bin/sh
sleep 300 &
%s
sleep 300
"""


@pytest.mark.parametrize(
    ("keys", "before"),
    [
        ('first_byte = "300ms"', ":"),
        ('silence = "300ms"', "printf 'Content-Type:'"),
        ('total = "300ms"', ":"),
        ('total = "300ms"', "while :; do printf 'X-A: b\\n'; sleep 0.05; done"),
    ],
)
def test_C4_each_clock_ends_the_whole_group_with_504_before_the_header(
    keys: str, before: str
) -> None:
    with daemon(mounted(keys)) as running:
        running.script("slow.sh", FAMILY % before)
        assert running.get("/cgi-bin/slow.sh").status == 504
        wait_for(lambda: not running_in(running), "the end of the group")
        running.await_log("was too slow")


@pytest.mark.parametrize(
    ("keys", "after"),
    [
        ('silence = "300ms"', ":"),
        ('total = "600ms"', ":"),
        ('total = "600ms"', "while :; do echo x; sleep 0.05; done"),
    ],
)
def test_C4_after_the_header_the_connection_breaks_off(keys: str, after: str) -> None:
    begin = "printf 'Content-Type: text/plain\\n\\nbegun\\n'\n"
    with daemon(mounted(keys)) as running:
        running.script("slow.sh", FAMILY % (begin + after))
        with running.connect() as connection:
            connection.sendall(b"GET /cgi-bin/slow.sh HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while b"begun" not in got:
                got += connection.recv(65536)
            with pytest.raises(ConnectionResetError):
                _drain(connection)
        wait_for(lambda: not running_in(running), "the end of the group")


def _drain(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def test_C4_who_ignores_TERM_is_killed_after_the_grace() -> None:
    config = mounted('first_byte = "200ms"') + '\n[pool.default]\nkill_grace = "300ms"\n'
    with daemon(config) as running:
        running.script("deaf.sh", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
        assert running.get("/cgi-bin/deaf.sh").status == 504
        wait_for(lambda: not running_in(running), "the end of the program")


def test_C4_a_silent_script_is_ended_with_504() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nfirst_byte = "200ms"')
    with daemon(config) as running:
        running.script("stuck.sh", "#!/bin/sh\nexec sleep 30\n")
        assert running.get("/cgi-bin/stuck.sh").status == 504
        wait_for(lambda: not processes_with(str(running.directory)), "the end of the program")


def test_C4_a_script_that_falls_silent_cuts_its_answer() -> None:
    config = SITE.replace('cgi = "cgi-bin"', 'cgi = "cgi-bin"\nsilence = "200ms"')
    with daemon(config) as running:
        running.script("stuck.sh", "#!/bin/sh\necho 'Content-Type: a/b\n\nx'\nexec sleep 30\n")
        got = running.exchange(b"GET /cgi-bin/stuck.sh HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in got
        assert not got.endswith(b"0\r\n\r\n")


def test_M3_a_long_program_under_a_short_heartbeat_lives() -> None:
    config = SITE + '\n[timeouts]\nheartbeat = "1s"\n'
    with daemon(config) as running:
        running.script(
            "slow.sh", "#!/bin/sh\nsleep 3\nprintf 'Content-Type: text/plain\\n\\nslow'\n"
        )
        began = time.monotonic()
        assert running.get("/cgi-bin/slow.sh").text == "slow"
        assert time.monotonic() - began >= 3
        assert "no sign of life" not in running.log
        assert running.stop(signal.SIGINT) == 0
