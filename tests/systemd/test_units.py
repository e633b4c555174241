"""What we ship for systemd: well-formed, closed as far as programs allow, and at work."""

import re

import pytest

from tests.live.daemon import wait_for
from tests.systemd.conftest import give_up
from tests.systemd.service import CONFIG, SITE, UNIT, Service

THRESHOLD = 20  # systemd-analyze counts tenths: an exposure of 2.0


@pytest.mark.parametrize("drop_in", ["", "pool-users.conf", "program-cgroups.conf"])
def test_systemd_finds_nothing_to_complain_about(service: Service, drop_in: str) -> None:
    if drop_in:
        ship(service, drop_in)
    done = service.machine.run("systemd-analyze", "verify", "--man=no", UNIT, "forkhttpd.socket")
    # An unknown key is a line there, and no failure.
    assert done.stdout + done.stderr == ""


def test_systemd_253_finds_nothing_to_complain_about_in_notify_reload(service: Service) -> None:
    ship_notify_reload(service)
    done = service.machine.run("systemd-analyze", "verify", "--man=no", UNIT)
    assert done.stdout + done.stderr == ""


def test_M10_exposure_is_2_at_most(service: Service) -> None:
    done = service.machine.run(
        *("systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", UNIT),
        check=False,
    )
    found = re.search(r"Overall exposure level for forkhttpd.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    print(found[0])
    assert float(found[1]) <= THRESHOLD / 10
    assert done.returncode == 0


def test_the_stop_lasts_longer_than_the_grace(service: Service) -> None:
    graceful = service.machine.run("/opt/forkhttpd/bin/forkhttpd", "-c", CONFIG, "-T").stdout
    seconds = dict(re.findall(r'(\w+) *= *"(\d+)s"', graceful))
    stop = int(service.show("TimeoutStopUSec").removesuffix("s"))
    assert stop > int(seconds["graceful"]) + int(seconds["kill_grace"]) + 2


def test_installation_makes_the_account_and_keeps_the_configuration_from_others(
    service: Service,
) -> None:
    account = service.machine.run("getent", "passwd", "forkhttpd").stdout
    assert re.fullmatch(r"forkhttpd:[^:]+:\d+:\d+:[^:]*:/var/lib/forkhttpd:\S*nologin\n", account)
    service.machine.run("chmod", "666", CONFIG)
    service.machine.run("systemd-tmpfiles", "--create", "forkhttpd.conf")
    for path, expected in (("/etc/forkhttpd", "750"), (CONFIG, "640")):
        found = service.machine.run("stat", "--format=%a %U:%G", path).stdout.strip()
        assert found == f"{expected} root:forkhttpd"
    service.start()
    assert service.get().text == "hello\n"


def test_M15_logrotate_rotates_what_the_service_writes(service: Service) -> None:
    if service.machine.run("sh", "-c", "command -v logrotate", check=False).returncode:
        give_up("apt-get install logrotate")
    service.configure(SITE.replace('"off"', '"/var/log/forkhttpd/access.log"'))
    service.start()
    log = "/var/log/forkhttpd/access.log"

    def lines(path: str) -> int:
        return service.machine.run("cat", path, check=False).stdout.count("GET / ")

    def is_open(path: str) -> bool:
        look = f"readlink /proc/[0-9]*/fd/* | grep -Fxq {path}"
        return service.machine.run("sh", "-c", look, check=False).returncode == 0

    service.get()
    wait_for(lambda: lines(log) == 1, "the first line")
    service.machine.run("logrotate", "--force", "/etc/logrotate.d/forkhttpd")
    wait_for(lambda: "logs reopened" in service.journal(), "new logs")
    wait_for(lambda: not is_open(f"{log}.1"), "nobody to write to the old log")
    service.get()
    wait_for(lambda: lines(log) == 1, "a line in the new log")
    assert lines(f"{log}.1") == 1


def test_M16_pool_users_have_programs_of_their_own(service: Service) -> None:
    ship(service, "pool-users.conf")
    service.script("who", "id -un; grep -E '^(CapPrm|NoNewPrivs)' /proc/self/status\n")
    service.configure(
        SITE.replace("workers = 2", 'workers = 2\nuser = "forkhttpd"').replace(
            "[pool.default]", '[pool.default]\nuser = "nobody"'
        )
    )
    service.start()
    reply = service.get("/cgi-bin/who")
    assert reply.text.split() == ["nobody", "CapPrm:", "0" * 16, "NoNewPrivs:", "1"]
    assert service.machine.systemctl("stop", UNIT).returncode == 0
    assert service.show("Result") == "success"


def ship(service: Service, name: str) -> None:
    """Install one of our drop-ins."""
    text = service.machine.run("cat", f"/opt/source/systemd/{name}").stdout
    service.drop_in(text, name=name.removesuffix(".conf"))


def ship_notify_reload(service: Service) -> None:
    version = int(service.machine.systemctl("--version").stdout.split()[1])
    if version < 253:
        pytest.skip(f"systemd {version} has no Type=notify-reload")
    ship(service, "notify-reload.conf")
