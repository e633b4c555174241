"""scripts/install and scripts/uninstall, on a fresh machine with a real systemd."""

import http.client
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.daemon import wait_for
from tests.systemd.conftest import HIDDEN, LONGEST
from tests.systemd.machine import CHECKOUT, PYTHON, Machine

CONFIG = "/etc/forkhttpd/forkhttpd.conf"
# Where things of ours may be, which all have our name in theirs; the systems' own come and go.
PLACES = ("/etc", "/opt", "/run", "/usr/local", "/var/lib", "/var/log")
MARK = "# ours\n"

pytestmark = pytest.mark.timeout(LONGEST)


def do(machine: Machine, script: str, *arguments: str) -> str:
    """Run one of the scripts, as a stranger does; return what it says."""
    command = machine.command(f"/srv/source/scripts/{script}", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr


def install(machine: Machine) -> str:
    python = f"/opt/python/bin/{PYTHON}"
    return do(machine, "install", "--python", python, "--wheelhouse", "/opt/wheelhouse")


def files(machine: Machine) -> set[str]:
    """Return the name of everything that is ours by its name."""
    found = machine.run("find", *PLACES, "-path", "*forkhttpd*", "-not", "-path", "/opt/[!f]*")
    return set(found.stdout.splitlines())


def get(machine: Machine) -> str:
    with machine.network():
        session = http.client.HTTPConnection("127.0.0.1", 8000, timeout=LONGEST)
        try:
            session.request("GET", "/")
            return session.getresponse().read().decode()
        finally:
            session.close()


def main_pid(machine: Machine) -> str:
    return machine.show("forkhttpd", "MainPID")


def is_ready(machine: Machine, *, other_than: str) -> bool:
    is_active = machine.show("forkhttpd", "ActiveState") == "active"
    return is_active and main_pid(machine) not in ("0", other_than)


def test_install_upgrade_and_uninstall(machine: Machine) -> None:
    machine.write("/var/www/html/index.html", "hello\n")
    assert files(machine) == set()

    wrong = machine.run(
        "/srv/source/scripts/install", "--python", f"{HIDDEN}/bin/{PYTHON}", check=False
    )
    assert wrong.returncode == 1
    assert "is below /home or /root, where a service is not let in" in wrong.stderr
    assert files(machine) == set()

    said = install(machine)
    assert "nothing was started" in said
    assert "next: edit /etc/forkhttpd/forkhttpd.conf, then: systemctl enable --now" in said
    assert machine.show("forkhttpd", "ActiveState") == "inactive"
    assert machine.show("forkhttpd", "UnitFileState") == "disabled"
    assert machine.run("stat", "--format=%a %U:%G", CONFIG).stdout == "640 root:forkhttpd\n"
    assert machine.run("/usr/local/bin/forkhttpd", "-c", CONFIG, "-t").stdout == f"{CONFIG}: ok\n"

    machine.systemctl("enable", "--now", "forkhttpd")
    assert get(machine) == "hello\n"

    killed = main_pid(machine)
    machine.run("kill", "-KILL", killed)
    wait_for(lambda: is_ready(machine, other_than=killed), "the service after kill -9")
    assert get(machine) == "hello\n"

    machine.run("sh", "-c", f"echo '{MARK}' >>{CONFIG}")
    machine.run("sh", "-c", "echo '# new' >>/srv/source/systemd/service.conf")
    machine.run("sh", "-c", "echo '# new' >>/srv/source/systemd/logrotate.conf")
    serving = main_pid(machine)
    said = install(machine)
    assert f"{CONFIG} is as you left it; the new default is beside it, {CONFIG}.dist" in said
    assert "the old version serves until: systemctl kill -s USR2" in said
    assert MARK in machine.run("cat", CONFIG).stdout
    assert "# new" in machine.run("cat", f"{CONFIG}.dist").stdout
    assert "# new" in machine.run("cat", "/etc/logrotate.d/forkhttpd").stdout  # nobody's change
    assert main_pid(machine) == serving
    assert get(machine) == "hello\n"
    machine.systemctl("kill", "--signal=USR2", "--kill-whom=main", "forkhttpd")
    wait_for(lambda: is_ready(machine, other_than=serving), "the new version")
    assert get(machine) == "hello\n"

    assert "forkhttpd is gone" in do(machine, "uninstall", "--purge")
    assert files(machine) == set()
    assert machine.show("forkhttpd", "LoadState") == "not-found"
    assert machine.run("getent", "passwd", "forkhttpd", check=False).returncode != 0
    assert machine.run("cat", "/var/www/html/index.html").stdout == "hello\n"


def test_for_packagers_everything_goes_below_destdir_and_changes_stay(
    wheelhouse: Path, tmp_path: Path
) -> None:
    env = {**os.environ, "DESTDIR": str(tmp_path)}
    here = {"--prefix": "/opt/web", "--python": sys.executable, "--wheelhouse": str(wheelhouse)}
    options = [word for pair in here.items() for word in pair]
    install, uninstall = CHECKOUT / "scripts/install", tmp_path / "uninstall"

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, env=env)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return done.stderr

    assert run(install, *options) == ""
    unit = tmp_path / "usr/local/lib/systemd/system/forkhttpd.service"
    assert "ExecStart=/opt/web/bin/forkhttpd -c /etc/forkhttpd/forkhttpd.conf" in unit.read_text()
    command = (tmp_path / "opt/web/bin/forkhttpd").read_text()
    assert command.startswith("#!/opt/web/bin/python")
    for source in (CHECKOUT / "systemd").iterdir():
        assert f"systemd/{source.name}" in install.read_text()
    assert (tmp_path / "usr/local/share/doc/forkhttpd/examples/haproxy.cfg").exists()
    for directory in ("man/man8", "man/man5", "zsh/site-functions", "doc/forkhttpd"):
        assert any((tmp_path / "usr/local/share" / directory).iterdir())

    config = tmp_path / CONFIG.removeprefix("/")
    config.write_text(f"{config.read_text()}{MARK}")
    shutil.copy(tmp_path / "opt/web/share/forkhttpd/uninstall", uninstall)
    said = run(uninstall, "--prefix", "/opt/web")
    assert f"{CONFIG} was changed, and stays" in said
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {CONFIG.removeprefix("/"), "uninstall"}


@pytest.mark.parametrize("prefix", ["/usr/local", "/usr/local/"])
def test_a_directory_of_others_is_not_replaced(tmp_path: Path, prefix: str) -> None:
    other = tmp_path / "usr/local/bin/other"
    other.parent.mkdir(parents=True)
    other.write_text("theirs")
    done = subprocess.run(
        [CHECKOUT / "scripts/install", "--python", sys.executable, "--prefix", prefix],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        env={**os.environ, "DESTDIR": str(tmp_path)},
    )
    assert (done.returncode, done.stderr.count("has something else in it")) == (1, 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [other]
