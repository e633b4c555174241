"""The machines of these tests, and the service on one of them."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.systemd import debian, machine
from tests.systemd.machine import CHECKOUT, Machine
from tests.systemd.service import Service


@pytest.fixture(scope="session", params=["this", "trixie"])
def booted(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with this one's systemd (Debian 12: 252), and one with Debian 13's (257)."""
    with contextlib.ExitStack() as ends:
        try:
            lower = Path("/") if request.param == "this" else debian.unpacked(request.param)
            running = ends.enter_context(Machine.boot(lower))
        except (machine.Unavailable, debian.Unavailable) as reason:
            give_up(str(reason))
        for command in installation():
            running.run("sh", "-euc", f"cd /opt/source; {command}")
        yield running


def installation() -> list[str]:
    """Return the commands that put our units where scripts/install puts them."""
    text = (CHECKOUT / "scripts/install").read_text()
    puts = re.findall(r"^    put(?:_conffile)? systemd/(\S+) (\S+)$", text, re.M)
    targets = {source: target.replace("$local", "/usr/local") for source, target in puts}
    del targets["service.conf"]  # each test writes its own
    files = [f"install -D -m 644 systemd/{one} {target}" for one, target in targets.items()]
    assert len(files) > 3
    told = ["systemd-sysusers forkhttpd.conf", "systemd-tmpfiles --create forkhttpd.conf"]
    return [*files, *told, "systemctl daemon-reload"]


def give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def service(booted: Machine) -> Iterator[Service]:
    """The installed service, stopped, with a site of its own; nothing of it outlives the test."""
    one = Service(booted)
    one.prepare()
    try:
        yield one
    finally:
        print(one.journal())
        one.end()
