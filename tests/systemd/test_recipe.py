"""README.md's recipe for git over HTTPS, done word by word on a fresh machine (C5, C18).

What differs from a stranger's: Debian's packages are there already, Python's come from a
wheelhouse, and the client is another user of the same machine.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.daemon import wait_for
from tests.programs.manual import changed, section
from tests.programs.peers import need
from tests.systemd.conftest import LONGEST
from tests.systemd.machine import PYTHON, Machine

TITLE = "Git over HTTPS with a login, in five minutes"
CONFIG = "/etc/forkhttpd/forkhttpd.conf"
PASSWORD = "correct horse"
CLIENT = "/srv/client"
ENV = {
    "HOME": CLIENT,
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "GIT_ASKPASS": f"{CLIENT}/askpass",
    "GIT_TERMINAL_PROMPT": "0",
}

pytestmark = pytest.mark.timeout(LONGEST)


def commands() -> list[str]:
    """Return the blocks of commands, in their order."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", section(TITLE), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8, "one for each step, and step 6 once more without systemd"
    return blocks


def do(machine: Machine, script: str, *, stdin: str = "", user: str = "root") -> str:
    """Run lines in a shell without a terminal, where each must succeed; return what they say."""
    where = CLIENT if user != "root" else "/srv/source"
    become = ["setpriv", f"--reuid={user}", "--clear-groups"]
    shell = ["sh", "-euc", f"cd {where}\n{script}"]
    done = subprocess.run(
        machine.command(*become, *shell),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST,
        env=ENV,
        start_new_session=True,
    )
    assert done.returncode == 0, f"{script}{done.stdout}"
    return done.stdout


def answer_with(machine: Machine, password: str) -> None:
    """Let the client's git be told that whenever it asks for a password."""
    machine.write(f"{CLIENT}/askpass", f"#!/bin/sh\necho '{password}'\n", mode=0o755)


def serve(machine: Machine) -> None:
    """Steps 1 to 5."""
    install, repository, certificate, login, configure, _, _, _ = commands()
    where = f" --python /opt/python/bin/{PYTHON} --wheelhouse /opt/wheelhouse\n"
    packages = {"apt-get update\napt-get install -y git openssl apache2-utils python3-venv\n": ""}
    do(machine, changed(install, **packages).rstrip() + where)
    do(machine, repository)
    do(machine, certificate)
    do(machine, login, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert do(machine, configure) == f"{CONFIG}: ok\n"


Log = Callable[[], str]


@contextmanager
def started(machine: Machine) -> Iterator[Log]:
    """Step 6; what is yielded returns what was logged until then."""
    do(machine, commands()[5])
    yield lambda: machine.journal("forkhttpd")


@contextmanager
def started_without_systemd(machine: Machine) -> Iterator[Log]:
    """The same, in the foreground."""
    command = machine.command("sh", "-euc", commands()[6])
    with tempfile.NamedTemporaryFile() as log:
        read = Path(log.name).read_text
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENV
        )
        try:
            wait_for(lambda: "ready: " in read() or server.poll() is not None, "the server")
            yield read
            do(machine, f"forkhttpd -c {CONFIG} -s stop")
            assert server.wait(LONGEST / 4) == 0, read()
        finally:
            server.kill()  # what runs in the machine ends with it
            server.wait()


@pytest.fixture
def client(machine: Machine) -> None:
    """Somebody with a git of their own, who knows the server by its name."""
    need("htpasswd", package="apache2-utils")
    need("/usr/lib/git-core/git-http-backend", package="git")
    machine.run("sh", "-c", "echo 127.0.0.1 git.example.org >>/etc/hosts")
    machine.run("userdel", "git", check=False)  # whom this machine may have
    machine.run("install", "-d", "-o", "nobody", CLIENT)
    names = "git config --global user.name A; git config --global user.email a@example.org"
    do(machine, names, user="nobody")


def use(machine: Machine, log: Log) -> None:
    """Step 7, a large push, and a wrong password."""
    answer_with(machine, PASSWORD)
    fetch, use = changed(commands()[7], **{"scp root@git.example.org:": "cp "}).split("\n", 1)
    machine.run("sh", "-c", f"cd {CLIENT} && {fetch}")
    do(machine, use, user="nobody")

    # More than http.postBuffer, so that it comes in chunks; nobody can pack it smaller.
    machine.write(f"{CLIENT}/project/large", os.urandom(3 << 20).hex())
    commit = "cd project; git add large; git commit -qm large"
    head = do(machine, f"{commit}; git push -q origin HEAD; git rev-parse HEAD", user="nobody")
    assert do(machine, "git -C /srv/git/project.git rev-parse main", user="git") == head

    assert "login failed" not in log()
    answer_with(machine, "wrong")
    with pytest.raises(AssertionError, match="Authentication failed"):
        do(machine, "cd project; git fetch", user="nobody")
    wait_for(lambda: "login failed for alice from 127.0.0.1" in log(), "the line in the log")


@pytest.mark.usefixtures("client")
def test_git_over_https_with_a_login(machine: Machine) -> None:
    serve(machine)
    with started(machine) as log:
        use(machine, log)


@pytest.mark.usefixtures("client")
def test_the_same_without_systemd(machine: Machine) -> None:
    machine.run("rm", "-f", "/usr/bin/systemd-sysusers", "/usr/bin/systemd-tmpfiles")
    serve(machine)
    with started_without_systemd(machine) as log:
        use(machine, log)
