"""The machines of these tests, and the service on one of them."""

import contextlib
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.systemd import debian
from tests.systemd.machine import CHECKOUT, PYTHON, Machine, Unavailable
from tests.systemd.service import Service

LONGEST = 900.0  # seconds that an installation may take on a busy machine
HIDDEN = "/home"  # where the service cannot go
PARTS = ("scripts", "systemd", "etc", "README.md", "CHANGELOG.md", "LICENSE")


@pytest.fixture(scope="session", params=["this", "trixie"])
def booted(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with this one's systemd (Debian 12: 252), and one with Debian 13's (257)."""
    with contextlib.ExitStack() as ends:
        try:
            lower = Path("/") if request.param == "this" else debian.unpacked(request.param)
            running = ends.enter_context(Machine.boot(lower))
        except (Unavailable, debian.Unavailable) as reason:
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


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages that the server and its logins consist of, ours among them."""
    directory = tmp_path_factory.mktemp("wheelhouse")
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--quiet"]
    options = ["--disable-pip-version-check", "--wheel-dir", str(directory), f"{CHECKOUT}[auth]"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=LONGEST)
    if done.returncode:
        give_up(f"no wheels: {done.stderr.strip()}")
    return directory


@pytest.fixture
def machine(wheelhouse: Path) -> Iterator[Machine]:
    """A machine without us; the source in /srv/source may be changed."""
    shown = {"/opt/wheelhouse": wheelhouse}
    shown |= {f"/opt/checkout/{part}": CHECKOUT / part for part in PARTS}
    shown |= {f"{HIDDEN}/bin/{PYTHON}": Path(os.path.realpath(sys.executable))}
    shown |= {f"{HIDDEN}/lib/{PYTHON}": Path(sysconfig.get_path("stdlib"))}
    try:
        with Machine.boot(Path("/"), installed=False, shown=shown) as booted:
            booted.run("cp", "-r", "/opt/checkout", "/srv/source")
            yield booted
    except Unavailable as reason:
        give_up(str(reason))
