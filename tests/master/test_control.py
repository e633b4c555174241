"""The control socket by itself: real sockets, and the poll that it shares."""

import resource
import select
import socket
import time
from pathlib import Path

from forkhttpd.master.control import Control
from tests.master.live import await_that


def test_a_client_that_no_descriptor_is_left_for_wakes_nobody_and_waits(tmp_path: Path) -> None:
    poll = select.poll()
    control = Control(poll)
    control.publish(tmp_path / "control")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control"))
        client.sendall(b"status\n")
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            assert list(control.requests()) == []
            assert poll.poll(0) == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await_that(lambda: control.deadline() <= time.monotonic())
        assert [line for _, line in control.requests()] == ["status"]
    control.close()
