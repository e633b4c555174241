"""Bad days under a real systemd: restarts under load, a stuck master, a killed one, an upgrade.

The load never pauses: a connection every two milliseconds, each counted.  "Nothing is lost" means
that every request that was sent has been answered with 200, whole.
"""

import signal
import time

import pytest

from tests.live.daemon import wait_for
from tests.systemd.service import ACTIVATED, SITE, Load, Service

RESTARTS = 3
WATCHDOG = "[Service]\nWatchdogSec=1s\n"


def lost_nothing(load: Load) -> None:
    print(load)
    assert load.sent > 100
    assert (load.refused, load.failed, load.answered) == (0, 0, load.sent)


def await_food(service: Service, *, seconds: float) -> None:
    """Wait until systemd has taken in a WATCHDOG=1 that came so much later than the last one."""

    def last() -> int:
        return int(service.show("WatchdogTimestampMonotonic"))

    start = last()
    wait_for(lambda: last() > start + seconds * 1e6, f"WATCHDOG=1 for another {seconds} s")


@pytest.mark.parametrize("held_by", ["FDSTORE", "a socket unit"])
def test_M20_restarts_under_load_lose_nothing(service: Service, held_by: str) -> None:
    if held_by == "a socket unit":
        service.configure(ACTIVATED)
        service.machine.systemctl("start", "forkhttpd.socket")
    service.start()
    pids = {service.main_pid}
    with service.load() as load:
        for _ in range(RESTARTS):
            assert service.systemctl("restart").returncode == 0
            pids.add(service.main_pid)
    lost_nothing(load)
    assert len(pids) == RESTARTS + 1


def test_M5_reloads_under_load_lose_nothing(service: Service) -> None:
    service.start()
    with service.load() as load:
        for _ in range(RESTARTS):
            assert service.systemctl("reload").returncode == 0
    lost_nothing(load)


def test_M20_upgrade_under_load_loses_nothing_and_systemd_follows(service: Service) -> None:
    service.start()
    before = service.main_pid
    with service.load() as load:
        service.kill("USR2")
        wait_for(lambda: service.main_pid not in (0, before), "the new master")
        wait_for(lambda: before not in service.processes(), "the end of the old one")
    lost_nothing(load)
    assert service.show("ActiveState") == "active"
    assert service.show("NRestarts") == "0"
    assert (
        service.machine.run("cat", "/run/forkhttpd/forkhttpd.pid").stdout == f"{service.main_pid}\n"
    )
    # The new one is the service in every respect: it reloads, and it stops.
    assert service.systemctl("reload").returncode == 0
    assert service.systemctl("stop").returncode == 0
    assert (service.show("Result"), service.processes()) == ("success", {})


def test_M20_after_an_upgrade_a_stop_is_as_graceful_as_before(service: Service) -> None:
    """systemd gives time to a main process only if it is its own child: see nurse.py."""
    service.script("slow", "echo begun\nsleep 1\necho done\n")
    service.start()
    before = service.main_pid
    service.kill("USR2")
    wait_for(lambda: service.main_pid not in (0, before), "the new master")
    with service.session() as session:
        session.request("GET", "/cgi-bin/slow")
        response = session.getresponse()
        assert response.read(6) == b"begun\n"
        service.systemctl("stop")
        assert response.read() == b"done\n"
    assert "not our child" not in service.journal()
    assert service.show("Result") == "success"


def test_M20_a_failed_upgrade_leaves_the_old_master_in_charge(service: Service) -> None:
    service.start()
    before = service.main_pid
    service.configure("no configuration")
    service.kill("USR2")
    wait_for(lambda: "upgrade" in service.journal("-p", "err"), "the verdict")
    assert service.main_pid == before
    assert service.get().text == "hello\n"
    assert service.show("ActiveState") == "active"


@pytest.mark.parametrize("held_by", ["FDSTORE", "a socket unit"])
def test_M1_a_killed_master_is_replaced_and_no_connection_refused(
    service: Service, held_by: str
) -> None:
    if held_by == "a socket unit":
        service.configure(ACTIVATED)
        service.machine.systemctl("start", "forkhttpd.socket")
    service.start()
    before = service.main_pid
    with service.load() as load:
        service.kill("KILL")
        wait_for(lambda: service.main_pid not in (0, before), "another master")
        service.await_state("active")
    print(load)
    assert load.sent > 100
    # What was being answered when the master was killed may be lost, an address never is.
    assert load.refused == 0
    assert load.failed <= 10
    assert service.show("NRestarts") == "1"
    assert len(service.processes("forkhttpd: master")) == 1


def test_M10_a_stuck_master_is_killed_by_the_watchdog_and_replaced(service: Service) -> None:
    service.drop_in(WATCHDOG)
    service.start()
    before = service.main_pid
    await_food(service, seconds=1.5)
    service.kill("STOP")
    wait_for(lambda: service.main_pid not in (0, before), "another master")
    service.await_state("active")
    assert "Watchdog timeout" in service.journal()
    assert service.get().text == "hello\n"


def test_M10_a_master_that_lives_feeds_the_watchdog(service: Service) -> None:
    service.drop_in(WATCHDOG)
    service.start()
    before = service.main_pid
    await_food(service, seconds=2.5)
    assert (service.main_pid, service.show("NRestarts")) == (before, "0")


def test_M10_the_watchdog_survives_a_reload_and_an_upgrade(service: Service) -> None:
    service.drop_in(WATCHDOG)
    service.start()
    before = service.main_pid
    service.systemctl("reload")
    service.kill("USR2")
    wait_for(lambda: service.main_pid not in (0, before), "the new master")
    after = service.main_pid
    await_food(service, seconds=2.5)
    assert (service.main_pid, service.show("NRestarts")) == (after, "0")


def test_M10_a_long_drain_asks_for_the_time_it_needs(service: Service) -> None:
    """graceful is longer than TimeoutStopSec= here: only EXTEND_TIMEOUT_USEC= keeps it whole."""
    service.configure(f'{SITE}\n[timeouts]\ngraceful = "20s"\n')
    service.drop_in("[Service]\nTimeoutStopSec=1s\n")
    service.script("slow", "echo begun\nsleep 5\necho done\n")
    service.start()
    with service.session() as session:
        session.request("GET", "/cgi-bin/slow")
        response = session.getresponse()
        assert response.read(6) == b"begun\n"
        began = time.monotonic()
        service.systemctl("stop")
        assert response.read() == b"done\n"
        assert time.monotonic() - began > 1.5
    assert service.show("Result") == "success"
    assert signal.SIGKILL.name not in service.journal()
