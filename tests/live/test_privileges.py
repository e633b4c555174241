"""M16: what workers, spawners and programs are allowed, seen from outside and from inside.

The daemon is started with more than root usually has: with groups that are nobody's business, and
with a capability that survives a change of user and an exec unless somebody takes it away.
"""

import grp
import os
import pwd
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import SITE, Daemon, daemon, wait_for
from tests.live.scene import await_closed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

GENEROUS = (
    "setpriv",
    "--groups=0,4,6",
    "--inh-caps=+net_raw,+dac_override",
    "--ambient-caps=+net_raw,+dac_override",
    "--",
)

STATUS = "#!/bin/sh\necho 'Content-Type: text/plain\n'\nexec cat /proc/self/status\n"


def someone_with_groups() -> str:
    """Return the name of a user that is a member of other groups than its own, if there is one."""
    for entry in pwd.getpwall():
        if entry.pw_uid and len(os.getgrouplist(entry.pw_name, entry.pw_gid)) > 1:
            return entry.pw_name
    return "www-data"


SOMEONE = someone_with_groups()
OTHER_GROUP = "games"

POOLS = f"""
[pool.someone]
user = "{SOMEONE}"

[pool.setuid]
user = "{SOMEONE}"
group = "{OTHER_GROUP}"
no_new_privileges = false

[[site.mount]]
path = "/someone/"
cgi = "cgi-bin"
pool = "someone"

[[site.mount]]
path = "/setuid/"
cgi = "cgi-bin"
pool = "setuid"
"""


@pytest.fixture(scope="module")
def many() -> Iterator[Daemon]:
    """A daemon that root started: for nobody, with a pool of nobody's and two of someone's."""
    site, mounts = SITE.split("[[site]]")
    config = f'user = "nobody"\n{site}\n[[site]]{mounts}{POOLS}'
    with daemon(config, wrapper=GENEROUS) as running:
        running.write("www/page", "page")
        running.script("status.sh", STATUS)
        running.script("complain.sh", COMPLAIN)
        yield running


def expected(user: str, *, group: str = "", no_new_privileges: int = 1) -> dict[str, str]:
    """Return what the kernel has to say about a process of a user (proc(5), status)."""
    entry = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    none = "0" * 16
    return {
        "Uid": " ".join([str(entry.pw_uid)] * 4),
        "Gid": " ".join([str(gid)] * 4),
        "Groups": " ".join(map(str, sorted(set(os.getgrouplist(user, gid))))),
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), none),
        "NoNewPrivs": str(no_new_privileges),
    }


def facts(status: str) -> dict[str, str]:
    """Return the same out of the text of a process's status."""
    found = dict(re.findall(r"^(\w+):\t(.*)$", status, re.MULTILINE))
    return {key: " ".join(found[key].split()) for key in expected("nobody")}


def facts_of(process: psutil.Process) -> dict[str, str]:
    return facts(Path(f"/proc/{process.pid}/status").read_text())


def test_M16_the_start_was_generous(many: Daemon) -> None:
    """Or the tests below would see nothing: the master has what the others must not have."""
    master = facts_of(psutil.Process(many.process.pid))
    assert master["Groups"] == "0 4 6"
    assert int(master["CapAmb"], 16) != 0


def test_M16_workers_are_the_user_and_nothing_else(many: Daemon) -> None:
    workers = many.workers()
    assert len(workers) == 2
    assert [facts_of(worker) for worker in workers] == [expected("nobody")] * 2


@pytest.mark.parametrize(
    ("pool", "wanted"),
    [
        ("default", expected("nobody")),
        ("someone", expected(SOMEONE)),
        ("setuid", expected(SOMEONE, group=OTHER_GROUP, no_new_privileges=0)),
    ],
)
def test_M16_spawners_and_programs_are_their_pools_user(
    many: Daemon, pool: str, wanted: dict[str, str]
) -> None:
    (spawner,) = many.titled(f"forkhttpd: spawner [{pool}]")
    assert facts_of(spawner) == wanted
    mount = "cgi-bin" if pool == "default" else pool
    assert facts(many.get(f"/{mount}/status.sh").text) == wanted


def test_M16_a_worker_that_is_respawned_is_no_more_than_its_siblings(many: Daemon) -> None:
    victim = many.workers()[0]
    victim.kill()
    wait_for(lambda: victim.pid not in {w.pid for w in many.workers()}, "the worker's end")
    wait_for(lambda: len(many.workers()) == 2, "its successor")
    many.await_log(f"(pid {victim.pid}) died: SIGKILL, respawned")
    wait_for(
        lambda: [facts_of(worker) for worker in many.workers()] == [expected("nobody")] * 2,
        "two workers that are nobody",
    )


COMPLAIN = """\
#!/bin/sh
echo "to standard error by its name" >/dev/stderr || exit
echo 'Content-Type: text/plain
'
echo done
"""


@pytest.mark.parametrize("mount", ["cgi-bin", "someone"])
def test_a_program_of_any_user_can_open_dev_stderr(many: Daemon, mount: str) -> None:
    before = many.log.count("to standard error by its name")
    assert many.get(f"/{mount}/complain.sh").text == "done\n"
    many.await_log("to standard error by its name", count=before + 1)


def test_M15_logs_that_only_root_may_open_are_reopened_after_the_drop(many: Daemon) -> None:
    log, old = many.directory / "access.log", many.directory / "access.1"
    assert not os.access(many.directory, os.W_OK) or log.stat().st_uid == 0
    assert log.stat().st_mode & 0o007 == 0
    many.get("/page?before")
    many.await_access_log("/page?before")
    log.rename(old)
    many.send_signal(signal.SIGUSR1)
    many.await_log("logs reopened")
    await_closed(old)
    for number in range(20):
        many.get(f"/page?after-{number}")
    many.await_access_log("/page?after", count=20)
    assert "/page?after" not in old.read_text()
    assert log.stat().st_uid == 0


# Refusals


def test_M16_root_has_to_say_who_serves() -> None:
    with daemon(start=False) as running:
        running.arguments = ()
        done = running.command()
        assert done.returncode == 78
        (line,) = done.stderr.splitlines()
        assert "forkhttpd.conf:1: user: missing, and root starts the server" in line
        assert "--allow-root" in line


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000"])
def test_M16_root_serves_no_others_than_this_machine(address: str) -> None:
    with daemon(SITE.replace("127.0.0.1:0", address), start=False) as running:
        done = running.command()
        assert done.returncode == 78
        (line,) = done.stderr.splitlines()
        assert f"[listen] address: {address} is open to others" in line


def test_M16_a_reload_cannot_make_root_serve_others_either() -> None:
    with daemon() as running:
        assert not running.reload(SITE.replace("127.0.0.1:0", "0.0.0.0:0"))
        running.await_log("[listen] address: 0.0.0.0:0 is open to others")


def test_M16_a_user_takes_any_address() -> None:
    site = 'user = "nobody"\n' + SITE.replace("127.0.0.1:0", "0.0.0.0:0")
    with daemon(site) as running:
        assert running.get("/").status == 200
