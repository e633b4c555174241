"""The service's life under a real systemd: start, reload, stop, and what the operator sees."""

import re
import time

import pytest

from tests.live.daemon import DEADLINE, wait_for
from tests.systemd.service import ACTIVATED, SITE, Service
from tests.systemd.test_units import ship, ship_notify_reload

REFUSED = "reload refused, nothing changed"


def generation(service: Service) -> int:
    found = re.search(r"generation (\d+)", service.status)
    return int(found[1]) if found else 0


def await_text(service: Service, text: str) -> None:
    """A worker that has just been told to leave may take a last connection."""
    wait_for(lambda: service.get().text == text, f"{text!r} on /")


def test_M10_started_means_that_every_worker_is_ready(service: Service) -> None:
    service.start()
    # No waiting here: `systemctl start` has come back, so all is there.
    assert service.show("ActiveState") == "active"
    assert service.status.startswith("serving: 2 workers, 1 spawner")
    assert len(service.processes("forkhttpd: worker ")) == 2
    assert service.get().text == "hello\n"


def test_M10_a_start_that_fails_says_why_and_is_not_tried_again(service: Service) -> None:
    service.configure(SITE + "[[site.mount]]\npath = '/x/'\n")
    assert service.systemctl("start").returncode != 0
    assert service.show("ExecMainStatus") == "78"
    assert service.show("ActiveState") == "failed"
    assert "forkhttpd.conf:2" in service.journal()
    assert service.show("NRestarts") == "0"


def test_M10_a_cgi_program_runs_under_the_hardened_unit(service: Service) -> None:
    service.script(
        "probe",
        "id -un\n"
        "echo state >/var/lib/forkhttpd/state && cat /var/lib/forkhttpd/state\n"
        "echo tmp >/tmp/probe && cat /tmp/probe\n"
        "echo no 2>&- >/srv/www/no || echo read-only\n"
        "env | grep -E 'NOTIFY|LISTEN|WATCHDOG|JOURNAL|FDSTORE'\n"
        "cat\n",
    )
    service.start()
    with service.session() as session:
        session.request("POST", "/cgi-bin/probe", b"form\n")
        words = session.getresponse().read().decode().split()
    assert words == ["forkhttpd", "state", "tmp", "read-only", "form"]
    assert service.machine.run("ls", "-A", "/tmp").stdout.find("probe") == -1


def test_M16_workers_and_programs_have_no_capability(service: Service) -> None:
    service.script("caps", "grep ^Cap /proc/self/status | cut -f2\n")
    service.start()
    granted = service.get("/cgi-bin/caps").text.split()
    assert granted[:3] + granted[4:] == ["0" * 16] * 4
    children = [*service.processes("forkhttpd: worker"), *service.processes("forkhttpd: spawner")]
    assert len(children) == 3
    for pid in children:
        status = service.machine.run("grep", "^Cap[PEA]", f"/proc/{pid}/status").stdout
        assert status.split()[1::2] == ["0" * 16] * 3


def test_M10_reload_takes_up_a_good_file(service: Service) -> None:
    service.start()
    before = generation(service)
    service.machine.write("/srv/other/index.html", "other\n")
    service.configure(SITE.replace("/srv/www", "/srv/other"))
    assert service.systemctl("reload").returncode == 0
    # Synchronous: when the command is back, the next generation serves.
    assert generation(service) == before + 1
    await_text(service, "other\n")
    assert service.show("ActiveState") == "active"


def test_M8_O10_reload_of_a_bad_file_fails_and_the_old_one_serves(service: Service) -> None:
    service.start()
    pid = service.main_pid
    service.configure(SITE.replace("docroot", "docrot"))
    assert service.systemctl("reload").returncode != 0
    assert "docrot" in service.journal("-p", "err")
    assert service.get().text == "hello\n"
    assert (service.show("ActiveState"), service.main_pid) == ("active", pid)


def test_M8_O10_reload_that_fails_late_fails_visibly(service: Service) -> None:
    """The file is right, and yet it cannot be served: only the master can find that out."""
    service.start()
    service.configure(SITE + '\n[pool.broken]\npython = "/bin/false"\n')
    done = service.systemctl("reload")
    assert REFUSED in service.status
    assert REFUSED in service.journal("-p", "err")
    assert service.get().text == "hello\n"
    assert done.returncode != 0


def test_M10_notify_reload_reloads_once_and_waits(service: Service) -> None:
    ship_notify_reload(service)
    service.start()
    before = generation(service)
    service.machine.write("/srv/other/index.html", "other\n")
    service.configure(SITE.replace("/srv/www", "/srv/other"))
    assert service.systemctl("reload").returncode == 0
    assert generation(service) == before + 1
    await_text(service, "other\n")
    service.configure("this is no configuration")
    assert service.systemctl("reload").returncode == 0, "systemd knows no refusal here"
    assert REFUSED in service.status
    assert service.get().text == "other\n"
    assert service.journal().count("reloaded: ") == 1


def test_M10_hup_by_hand_is_seen_by_systemd(service: Service) -> None:
    service.start()
    before = generation(service)
    service.kill("HUP")
    wait_for(lambda: generation(service) == before + 1, "the next generation")
    service.await_state("active")


def test_M6_a_download_finishes_while_the_service_stops(service: Service) -> None:
    size = 64 << 20
    service.machine.run("truncate", f"--size={size}", "/srv/www/large")
    service.start()
    with service.session() as session:
        session.request("GET", "/large")
        response = session.getresponse()
        response.read(4096)
        service.systemctl("stop", "--no-block")
        wait_for(lambda: service.show("ActiveState") == "deactivating", "the stop")
        assert 4096 + len(response.read()) == size
    service.await_state("inactive")
    assert service.show("Result") == "success"
    assert service.processes() == {}


def test_M6_a_program_that_runs_finishes_while_the_service_stops(service: Service) -> None:
    service.script("slow", "echo begun\nwhile ! [ -e /tmp/go ]; do sleep 0.05; done\necho done\n")
    service.drop_in("[Service]\nPrivateTmp=no\n")
    service.start()
    with service.session() as session:
        session.request("GET", "/cgi-bin/slow")
        response = session.getresponse()
        assert response.read(6) == b"begun\n"
        service.systemctl("stop", "--no-block")
        wait_for(lambda: "stopping" in service.status, "the stop")
        service.machine.run("touch", "/tmp/go")
        assert response.read() == b"done\n"
    service.await_state("inactive")
    assert service.show("Result") == "success"
    service.machine.run("rm", "/tmp/go")


def test_M10_a_program_that_does_not_finish_costs_no_more_than_graceful(service: Service) -> None:
    service.script("deaf", "trap '' TERM\necho begun\nwhile :; do sleep 1; done\n")
    service.configure(
        f'{SITE}\n[timeouts]\ngraceful = "1s"\n'.replace(
            "[pool.default]", '[pool.default]\nkill_grace = "500ms"'
        )
    )
    service.start()
    with service.session() as session:
        session.request("GET", "/cgi-bin/deaf")
        assert session.getresponse().read(6) == b"begun\n"
        began = time.monotonic()
        service.systemctl("stop")
        assert time.monotonic() - began < DEADLINE
    assert service.show("Result") == "success", "systemd did not have to kill"
    assert service.processes() == {}


def test_O1_the_journal_has_priorities(service: Service) -> None:
    service.machine.write("/srv/cgi-bin/broken", "#!/nonexistent\n", mode=0o755)
    service.start()
    service.get("/cgi-bin/broken")
    service.configure("no configuration")
    service.kill("HUP")
    wait_for(lambda: REFUSED in service.journal("-p", "err"), "the error")
    errors = service.journal("-p", "3..3")
    assert REFUSED in errors
    assert "ready:" not in errors
    assert "ready: 2 workers" in service.journal("-p", "6..6")
    assert not re.search(r"^<\d>", service.journal(), re.MULTILINE), "a priority is no text"


def test_it_runs_as_a_user_that_systemd_makes_up(service: Service) -> None:
    service.drop_in("[Service]\nDynamicUser=yes\nUser=forkhttpd-dynamic\nGroup=\n")
    service.machine.run("chmod", "-R", "a+rX", "/etc/forkhttpd")
    service.script("who", "id -u; echo state >/var/lib/forkhttpd/x && echo kept\n")
    service.start()
    uid, kept = service.get("/cgi-bin/who").text.split()
    assert 61184 <= int(uid) <= 65519  # the range for dynamic users, systemd.exec(5)
    assert kept == "kept"


def test_M11_the_socket_starts_the_service(service: Service) -> None:
    service.configure(ACTIVATED)
    service.machine.systemctl("start", "forkhttpd.socket")
    assert service.show("ActiveState") == "inactive"
    assert service.get().text == "hello\n"
    service.await_state("active")
    listening = service.machine.run("systemctl", "list-sockets", "--no-legend").stdout
    assert "0.0.0.0:80" in listening
    assert "[::]:80" in listening


@pytest.mark.parametrize("user", ["forkhttpd", "nobody"])
def test_C14_each_program_has_a_cgroup_of_its_own_below_the_unit(
    service: Service, user: str
) -> None:
    """With the drop-in for it.  What escapes a program's group and session ends with it, too."""
    ship(service, "program-cgroups.conf")
    config = SITE.replace("[pool.default]", "[pool.default]\ncgroup = true")
    if user != "forkhttpd":
        ship(service, "pool-users.conf")
        config = config.replace("[pool.default]", f'[pool.default]\nuser = "{user}"')
        config = 'user = "forkhttpd"\n' + config
    service.script("where", "grep ^0:: /proc/self/cgroup\nsetsid env -i sleep 300 >&- 2>&- &\n")
    service.configure(config)
    service.start()
    pattern = r"0::/system\.slice/forkhttpd\.service/pool-default\.\d+/\d+\n"
    for _ in range(2):
        assert re.fullmatch(pattern, service.get("/cgi-bin/where").text)
    assert "without the cgroups" not in service.journal()
    wait_for(lambda: not service.processes("sleep 300"), "the end of what escaped")
    assert service.systemctl("reload").returncode == 0
    assert re.fullmatch(pattern, service.get("/cgi-bin/where").text)
    assert service.systemctl("stop").returncode == 0
    assert service.show("Result") == "success"
