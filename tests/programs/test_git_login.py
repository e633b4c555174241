"""Git over HTTP with a password, as README.md shows it (C5, C18)."""

import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.curl import curl
from tests.programs.forge import Forge, check, configuration, forge, git
from tests.programs.manual import changed, example, section
from tests.programs.peers import need

TITLE = "Git with a password"
RECIPE = "Git over HTTPS with a login, in five minutes"
PASSWORD = "correct horse"
HOOK = '#!/bin/sh\necho "$REMOTE_USER pushed"\n'


def htpasswd(directory: Path, *names: str) -> str:
    """Make a password file with the README's command, cheaper; every name has PASSWORD."""
    program = need("htpasswd", package="apache2-utils")
    assert "htpasswd -cB /etc/forkhttpd/passwords alice" in section(RECIPE)
    file = directory / "made"
    for number, name in enumerate(names):
        options = "-icB" if not number else "-iB"
        subprocess.run(
            [program, options, "-C", "4", str(file), name],
            input=PASSWORD.encode(),
            capture_output=True,
            check=True,
            timeout=60.0,
        )
    return file.read_text()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """The example as it stands, behind the one for everybody."""
    directory = tmp_path_factory.mktemp("clones")
    words = {'"/srv/git"': '"{root}"', '"/etc/forkhttpd/passwords"': '"passwords"'}
    mount = changed(example(TITLE, "toml"), **words) + 'users = ["alice", "bob"]\n'
    config = configuration(warm=False) + "\n" + mount
    with forge(directory, config, passwords=htpasswd(directory, "alice", "carol")) as served:
        hook = served.running.write("git/project.git/hooks/post-receive", HOOK, mode=0o755)
        hook.parent.chmod(0o755)
        yield served


@pytest.fixture
def served(team: Forge, tmp_path: Path) -> Forge:
    return dataclasses.replace(team, clones=tmp_path)


def url(served: Forge, user: str = "", password: str = PASSWORD) -> str:
    login = f"{user}:{password.replace(' ', '%20')}@" if user else ""
    return f"http://{login}127.0.0.1:{served.running.port}/team/project.git"


def test_C18_clone_and_push_with_a_password(served: Forge) -> None:
    check(git("clone", url(served, "alice"), "mine", where=served.clones))
    mine = served.clones / "mine"
    # One that comes with its length, and one of more than http.postBuffer, which comes in chunks.
    for name, content in (("small", b"a few words\n"), ("large", bytes(range(256)) * 12000)):
        (mine / name).write_bytes(content)
        check(git("add", name, where=mine))
        check(git("commit", "-qm", name, where=mine))
        said = check(git("-c", "core.compression=0", "push", "origin", "main", where=mine))
        assert "remote: alice pushed" in said
        head = check(git("rev-parse", "HEAD", where=mine)).strip()
        assert served.served("rev-parse", "main") == head
    served.running.await_access_log("127.0.0.1 - alice [")
    assert PASSWORD not in served.running.log + served.running.access_log


@pytest.mark.parametrize(
    ("user", "password"), [("", ""), ("alice", "wrong"), ("nobody", PASSWORD), ("carol", PASSWORD)]
)
def test_nobody_else_gets_anything(served: Forge, user: str, password: str) -> None:
    for command in (["clone", url(served, user, password), "mine"], ["ls-remote", url(served)]):
        done = git(*command, where=served.clones)
        assert done.returncode != 0
        assert re.search("Authentication failed|could not read", done.stderr)


def test_everybody_may_still_read_beside_it_and_nobody_push(served: Forge) -> None:
    served.clone("theirs")
    theirs = served.clones / "theirs"
    check(git("commit", "-q", "--allow-empty", "-m", "mine", where=theirs))
    assert git("push", "origin", "main", where=theirs).returncode != 0


def test_curl_logs_in_with_a_body(served: Forge, tmp_path: Path) -> None:
    """curl waits with more than 1 MiB for 100 Continue, so a 401 spares the way of the body."""
    body = tmp_path / "body"
    body.write_bytes(bytes(3 << 20))
    options = ["-H", "Content-Type: application/x-git-upload-pack-request"]
    options += ["--expect100-timeout", "30", "--data-binary", f"@{body}"]
    target = f"{url(served)}/git-upload-pack"
    assert curl(target, *options).status == 401
    assert curl(target, *options, "-u", "alice:wrong").status == 401
    assert curl(target, *options, "-u", f"alice:{PASSWORD}").status != 401
    assert curl(f"{url(served)}/HEAD", "--anyauth", "-u", f"alice:{PASSWORD}").status == 200
