"""M16: what a process may still do after `become`, as the kernel tells it."""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

from forkhttpd.errors import ExitCode, StartupError
from forkhttpd.privileges import become, look_up
from tests.master.live import ROOT, environment

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

BECOME = """
import sys
from forkhttpd.errors import StartupError
from forkhttpd.privileges import become
try:
    become(sys.argv[1], sys.argv[2], no_new_privileges=sys.argv[3] == "nnp")
except StartupError as error:
    print(error)
    sys.exit(error.exit_code)
print(open("/proc/self/status").read())
"""

CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")
NOBODY = pwd.getpwnam("nobody")


def status(user: str, group: str = "", *, nnp: bool = True) -> dict[str, str]:
    """Return /proc/self/status of a process after `become`."""
    done = subprocess.run(
        [sys.executable, "-c", BECOME, user, group, "nnp" if nnp else "-"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd=ROOT,
    )
    return dict(re.findall(r"^(\w+):\s*(.*?)\s*$", done.stdout, re.MULTILINE))


@as_root
def test_M16_all_ids_are_the_users_and_no_capability_is_left() -> None:
    found = status("nobody")
    assert found["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert found["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    assert {found[one] for one in CAPABILITIES} == {"0" * 16}
    assert found["NoNewPrivs"] == "1"


@as_root
def test_M16_the_groups_are_the_users_and_not_roots() -> None:
    expected = os.getgrouplist("nobody", NOBODY.pw_gid)
    assert sorted(map(int, status("nobody")["Groups"].split())) == sorted(expected)


@as_root
def test_M16_a_group_of_its_own_may_be_named() -> None:
    found = status("nobody", "daemon")
    assert set(found["Gid"].split()) == {"1"}
    assert "0" not in found["Groups"].split()


@as_root
def test_M16_root_that_stays_root_has_no_capability() -> None:
    found = status("")
    assert found["Uid"].split() == ["0"] * 4
    assert {found[one] for one in CAPABILITIES} == {"0" * 16}


@as_root
def test_M16_a_pool_may_keep_setuid_programs() -> None:
    assert status("nobody", nnp=False)["NoNewPrivs"] == "0"


@as_root
def test_a_containers_number_needs_no_entry() -> None:
    found = status("54321", "54322")
    assert (found["Uid"].split()[0], found["Gid"].split()[0]) == ("54321", "54322")
    assert found["Groups"].split() == ["54322"]


@as_root
def test_an_identity_once_given_up_stays_so() -> None:
    code = "from forkhttpd.privileges import become\nimport os\n"
    code += "become('nobody', '', no_new_privileges=True)\nos.setuid(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment())
    assert b"PermissionError" in done.stderr


@pytest.mark.parametrize(("user", "group"), [("no-such-user", ""), ("", "no-such-group")])
def test_an_unknown_name_is_the_configurations_fault(user: str, group: str) -> None:
    with pytest.raises(StartupError, match=f'"{user or group}": there is no such') as caught:
        look_up(user, group)
    assert caught.value.exit_code == ExitCode.CONFIG


def test_no_names_are_no_change() -> None:
    assert look_up("", "") is None


@as_root
def test_not_started_as_root_the_identity_stays() -> None:
    code = "import os, forkhttpd.privileges\nos.setuid(54321)\n" + BECOME
    done = subprocess.run(
        [sys.executable, "-c", code, "nobody", "", "nnp"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd="/",
    )
    assert re.search(r"Uid:\s+54321\s+54321\s+54321\s+54321", done.stdout)
    assert re.search(r"NoNewPrivs:\s+1", done.stdout)


def test_become_raises_before_anything_has_changed() -> None:
    if os.geteuid() == 0:
        with pytest.raises(StartupError):
            become("no-such-user", "", no_new_privileges=True)
    assert "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()
